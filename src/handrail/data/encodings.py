"""Bytes that are nearly text: two bytes a letter without a mark, NUL bytes, lines in another encoding."""

from handrail.errors import DataError
from handrail.tools.words import list_some

CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1a")) + b"\x7f"
_HIGH = bytes(range(128, 256))
_SAMPLE = 1 << 16
_FEWEST = 16  # bytes that show that every second one is zero
_MOST_NAMED = 5


def wide_encoding(data: bytes) -> str | None:
    """`utf-16-le` or `utf-16-be` for text that says so by nothing but zeros at every second byte."""
    if b"\0" not in data[:_SAMPLE] or len(data) % 2 or len(data) < _FEWEST:
        return None
    sample = data[:_SAMPLE]
    half = len(sample) // 2
    first, second = sample[::2].count(0), sample[1::2].count(0)
    low, high = sorted((first, second))
    if 3 * high < half or 50 * low > half:
        return None
    name = "utf-16-le" if second > first else "utf-16-be"
    try:
        text = sample.decode(name)
    except UnicodeDecodeError:
        return None
    controls = sum(letter < " " and letter not in "\t\n\r" for letter in text)
    return name if "\n" in text and 100 * controls <= len(text) else None


def refuse_nul(data: bytes, source: str) -> None:
    """Raises: `DataError` for a text in UTF-8 but for NUL bytes, naming their lines."""
    count = data.count(b"\0")
    rest = data.replace(b"\0", b"")
    sample = rest[:_SAMPLE]
    controls = len(sample) - len(sample.translate(None, CONTROLS))
    if not count or count > len(rest) or 100 * controls > len(sample) or not _is_utf8(rest):
        return
    place = data.index(b"\0")
    column = place - data.rfind(b"\n", 0, place)
    lines = [number for number, line in enumerate(data.split(b"\n"), start=1) if b"\0" in line]
    where = f", in lines {list_some(lines, most=_MOST_NAMED)}" if len(lines) > 1 else ""
    more = f"; {count:,} in all{where}" if count > 1 else ""
    raise DataError(
        f"{source}: line {lines[0]} holds a NUL byte (byte {column} of the line{more}), which is no text. "
        "The file may be damaged there: correct it, or take the byte out."
    )


def refuse_mixed(data: bytes, source: str) -> None:
    """Raises: `DataError` for a text whose letters beyond ASCII are UTF-8 but for a few, naming the lines."""
    sound = data.decode("utf-8", "ignore").encode()
    kept = len(sound) - len(sound.translate(None, _HIGH))
    broken = len(data) - len(data.translate(None, _HIGH)) - kept
    if kept <= 2 * broken:
        return
    places = _broken_places(data)
    lines = list(dict.fromkeys(data.count(b"\n", 0, place) + 1 for place in places))
    where = f"line {lines[0]} holds" if len(lines) == 1 else f"lines {list_some(lines, last=' and ')} hold"
    raise DataError(
        f"{source}: {where} bytes that are not UTF-8 (0x{data[places[0]]:02x}), though {kept:,} other bytes "
        "beyond ASCII are. Correct them; or --read encoding=cp1252 (data.read.encoding: cp1252) reads the "
        "whole file as Windows-1252, or give another encoding."
    )


def _broken_places(data: bytes) -> list[int]:
    """Where the first bytes that are not UTF-8 stand."""
    places, start = [], 0
    while len(places) < _MOST_NAMED:
        try:
            data[start:].decode("utf-8")
            break
        except UnicodeDecodeError as error:
            places.append(start + error.start)
            start += error.end
    return places


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True

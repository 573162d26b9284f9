"""Odd values, odd names, and the ways to spoil bytes, text and plain data."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

NAMES = (
    "", " ", "a b", "x" * 300, "a\nb", "a\tb", "ä", "😀", "\x1b[31mred", "-x", "--set", "target", "label",
    "column_1",
    "a.b", "a/b", "../up", "'", '"', "null", "NaN", "1", "-1", "prediction", "probability_yes", "row",
    "\ufeffx",
    "\u202ex", "e\u0301", "{x}", "%s", "<b>", "[0]", "\\", "#", "~", "$HOME", "*", "?", "\u2028",
    "__index__", "\r", "^a.*$", "^.*$", "^[$", " a ", "count", "value", "level",
)  # fmt: skip
CELLS = (
    "", " ", "NA", "nan", "inf", "-inf", "1e400", "1e308", "-1e308", "1e-320", "9" * 25,
    "18446744073709551616",
    "9223372036854775808", "-9223372036854775808", "0x1f", "1_000", "1,000", "1.234,5", "1.2.3", "١٢٣", "½",
    "1e", "+",
    "-", ".", "true", "yes", "2020-13-45", "0000-00-00", "9999-12-31", "10000-01-01", "1677-09-20",
    "2262-04-12",
    "-0001-01-01", "2020-01-01T25:61:61", "12:30", "24:00", "2020-01-01T00:00:00+99:00", "31.02.2020", "\x00",
    "\x1b[2J", "a" * 5000, "a\nb", '"', '""', "'", "😀", "=1+1", "<script>", "[1,2]", '{"a": 1}', "NULL",
    "None", "#",
    "//", "\\", "\u202e", "\ufeff", "0", "1", "-0", "007", "\t", "1 2", "€5", "5%", "1e5j", "None;None",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 1.5, -0.5, float("nan"), float("inf"), float("-inf"), 1e308, 1e-320,
    2**31,
    2**63, 2**64, -(2**63) - 1, 10**30, "", " ", "auto", "none", "x", "1", "😀", "\x00", "\x1b[31m",
    "x" * 2000, "a.b",
    [], [0], [None], [1, 2], ["x"], [[1], [2, [3]]], {}, {"x": 1}, {"": None}, {"a": {"b": {"c": [1]}}},
    [{}], "/",
    "..", "~", "torch", "nothing.here:Thing", "bundled:iris", {1: 2}, [-1], ["a", "a"], [1.5, "x", None],
)  # fmt: skip

_TOKEN = re.compile(r"[+-]?\d+(?:\.\d+)?|\w+")
_MARKS = re.compile(r"[{}\[\]<>,:;=\"'/@!&]")


def spoil_bytes(rng: Random, data: bytes) -> tuple[bytes, str]:
    """Some bytes as an accident or an enemy would leave them. Returns: them, and what was done."""
    spoil = rng.choice(_BYTE_SPOILS)
    return spoil(rng, data), spoil.__name__.removeprefix("_")


def _flip(rng: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        if changed:
            place = rng.randrange(min(len(changed), rng.choice((16, 256, len(changed)))))
            changed[place] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _flip_at_end(rng: Random, data: bytes) -> bytes:
    """Formats such as Parquet and zip say at their end what they hold."""
    return _flip(rng, data[::-1])[::-1]


def _truncate(rng: Random, data: bytes) -> bytes:
    return data[
        : rng.choice((0, 1, 4, 8, len(data) // 2, max(len(data) - 1, 0), rng.randrange(len(data) + 1)))
    ]


def _behead(rng: Random, data: bytes) -> bytes:
    return data[rng.choice((1, 4, len(data) // 2)) :]


def _insert(rng: Random, data: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.randbytes(rng.choice((1, 3, 100))) + data[place:]


def _cut_out(rng: Random, data: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + data[place + rng.choice((1, 7, 100)) :]


def _repeat(rng: Random, data: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + data[place : place + 200] * 2 + data[place:]


def _zero(rng: Random, data: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    length = min(rng.choice((1, 4, 16, len(data))), len(data) - place)
    return data[:place] + bytes(length) + data[place + length :]


def _fill(rng: Random, data: bytes) -> bytes:
    """Counts and lengths become as large as they can."""
    place = rng.randrange(len(data) + 1)
    length = min(rng.choice((1, 2, 4, 8)), len(data) - place)
    return data[:place] + b"\xff" * length + data[place + length :]


def _append(rng: Random, data: bytes) -> bytes:
    return data + rng.choice((b"\0", b"\n", b"garbage", rng.randbytes(50), data))


def _random(rng: Random, data: bytes) -> bytes:
    return rng.randbytes(rng.choice((1, 50, max(len(data), 1))))


_BYTE_SPOILS: tuple[Callable[[Random, bytes], bytes], ...] = (
    _flip, _flip, _flip, _flip_at_end, _flip_at_end, _truncate, _truncate, _behead, _insert, _cut_out,
    _repeat, _zero,
    _fill, _fill, _append, _random,
)  # fmt: skip


def spoil_text(rng: Random, text: str) -> tuple[str, str]:
    """A text with odd words, numbers, marks or lines. Returns: it, and what was done."""
    spoil = rng.choice((_odd_token, _odd_token, _odd_token, _odd_mark, _odd_lines, _odd_lines))
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        text = spoil(rng, text)
    return text, spoil.__name__.removeprefix("_")


def _odd_token(rng: Random, text: str) -> str:
    found = list(_TOKEN.finditer(text[:200_000]))
    if not found:
        return text + rng.choice(CELLS)
    token = rng.choice(found)
    return text[: token.start()] + rng.choice(CELLS) + text[token.end() :]


def _odd_mark(rng: Random, text: str) -> str:
    found = list(_MARKS.finditer(text[:200_000]))
    if not found:
        return text + rng.choice("{[<\"'&")
    mark = rng.choice(found)
    return text[: mark.start()] + rng.choice(("", "", *"{}[]<>,:;&\"'")) + text[mark.end() :]


def _odd_lines(rng: Random, text: str) -> str:
    lines = text.split("\n")
    place = rng.randrange(len(lines))
    how = rng.randrange(6)
    if how == 0:
        del lines[place]
    elif how == 1:
        lines.insert(place, lines[place])
    elif how == 2:
        lines.insert(place, rng.choice(CELLS))
    elif how == 3:
        lines[place] = lines[place][: len(lines[place]) // 2]
    elif how == 4:
        lines = lines[: place + 1]
    else:
        rng.shuffle(lines)
    return "\n".join(lines)


def spoil_plain(rng: Random, values: Any, *, odd: tuple[Any, ...] = VALUES) -> tuple[Any, str]:
    """Plain data with one place of another type or value, lost, or twice. Returns: it, and where."""
    values = json.loads(json.dumps(values))
    places = list(_places(values, ()))
    if not places:
        return rng.choice(odd), "whole"
    place = rng.choice(places)
    inside = values
    for key in place[:-1]:
        inside = inside[key]
    where, how = ".".join(map(str, place)), rng.randrange(8)
    if how == 0:
        del inside[place[-1]]
        return values, f"{where} deleted"
    if how == 1 and isinstance(inside, dict):
        inside[rng.choice(NAMES)] = inside.pop(place[-1])
        return values, f"{where} renamed"
    if how == 2 and isinstance(inside, list):
        inside.extend(inside[:1] * rng.choice((1, 5)))
        return values, f"{where} repeated"
    inside[place[-1]] = value = rng.choice(odd)
    return values, f"{where} = {value!r:.60}"


def _places(values: Any, above: tuple[Any, ...]) -> Any:
    items = (
        values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    )
    for key, value in items:
        yield (*above, key)
        yield from _places(value, (*above, key))


def spoil_file(rng: Random, path: Path) -> str:
    """A file changed where it lies, as text where it is text. Returns: what was done."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text and rng.random() < 0.6:
        changed, how = spoil_text(rng, text)
        path.write_bytes(changed.encode("utf-8", "surrogatepass"))
    else:
        changed, how = spoil_bytes(rng, data)
        path.write_bytes(changed)
    return f"{path.name}: {how}"


def replace_file(rng: Random, path: Path) -> str:
    """Something else in the place of a file. Returns: what."""
    how = rng.choice(("deleted", "folder", "dangling link", "link to itself", "link to a folder", "empty"))
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "dangling link":
        path.symlink_to("nothing-here")
    elif how == "link to itself":
        path.symlink_to(path.name)
    elif how == "link to a folder":
        path.symlink_to("..")
    elif how == "empty":
        path.write_bytes(b"")
    return f"{path.name}: {how}"

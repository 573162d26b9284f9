"""The formats of series files, line by line: sktime's `.ts`, Weka's `.arff`, and UCR's plain text.

Source: Bagnall et al. 2018 (the UEA archive); Löning et al. 2019 (sktime); Witten & Frank 1999 (Weka)
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from jaxtyping import Float

from handrail.data.columns.values import as_labels
from handrail.errors import DataError, did_you_mean

_SHOWN = 5
_MISSING = frozenset(("?", "", "nan", "na"))
_LARGEST = float(np.finfo(np.float32).max)
_COUNTS = ("dimension", "dimensions", "serieslength")
_KEYS = (*_COUNTS, "problemname", "timestamps", "missing", "univariate", "equallength")
_TARGETS = ("classlabel", "targetlabel")
_ATTRIBUTE = re.compile(r"""^@attribute\s+('[^']*'|"[^"]*"|\S+)\s+(.+)$""", re.IGNORECASE)
_NUMERIC = ("numeric", "real", "integer")


@dataclass(frozen=True)
class Row:
    """One series `[channels, length]` with its class, and its line."""

    line: int
    values: Float[np.ndarray, "channels length"]
    label: str | None


@dataclass
class Mistakes:
    """What is wrong with a file, line by line."""

    source: str
    problems: list[str] = field(default_factory=list)

    def add(self, line: int, problem: str) -> None:
        """Note a problem."""
        self.problems.append(f"{self.source}, line {line}: {problem}.")

    def raise_if_any(self) -> None:
        """Raises: `DataError` with the first five and how many more there are."""
        if self.problems:
            more = len(self.problems) - _SHOWN
            rest = [f"{self.source}: {more:,} more such lines."] if more > 0 else []
            raise DataError([*self.problems[:_SHOWN], *rest])


Reader = Callable[[list[str], Mistakes], tuple[list[Row], bool]]


def _numbers(cells: Sequence[str], line: int, mistakes: Mistakes, *, where: str = "") -> np.ndarray | None:
    """Cells as float64, `?` as not a number; none, and a mistake, for words or infinite numbers."""
    try:
        values = np.array(cells, dtype=np.float64)
    except ValueError:
        values = _parse_gaps(cells, line, mistakes, where)
    if values is not None and (np.abs(values) > _LARGEST).any():
        place = int((np.abs(values) > _LARGEST).argmax())
        value = f"{cells[place].strip()} as value {place + 1}{where}"
        mistakes.add(line, f"found {value}, expected a finite number, at most 3.4e38")
        return None
    return values


def _parse_gaps(cells: Sequence[str], line: int, mistakes: Mistakes, where: str) -> np.ndarray | None:
    values = np.full(len(cells), np.nan)
    for place, cell in enumerate(cells):
        if cell.strip().lower() in _MISSING:
            continue
        try:
            values[place] = float(cell)
        except ValueError:
            value = f"'{cell.strip()[:40]}' as value {place + 1}{where}"
            mistakes.add(line, f"found {value}, expected a number, or ? where it is missing")
            return None
    return values


def _dimensions(
    parts: list[str], line: int, mistakes: Mistakes, *, numbered: bool
) -> list[np.ndarray] | None:
    """The values of each dimension; none, and a mistake, where they are no numbers or not equally many."""
    read = [
        _numbers(part.split(","), line, mistakes, where=f" of dimension {i}" if numbered else "")
        for i, part in enumerate(parts, start=1)
    ]
    dimensions = [values for values in read if values is not None]
    if len(dimensions) < len(read):
        return None
    lengths = {len(values) for values in dimensions}
    if len(lengths) > 1:
        shortest, longest = min(lengths), max(lengths)
        mistakes.add(line, f"found dimensions of {shortest} to {longest} values, expected equal lengths")
        return None
    return dimensions


def _class_name(cell: str, *, of_numbers: bool) -> str | None:
    """The class as it is written, without quotes; `of_numbers`: '1.0000000e+00' is '1'."""
    text = cell.strip().strip("'\"").strip()
    if text.lower() in ("?", ""):
        return None
    return as_labels(pl.Series([text]), numbers=True)[0] if of_numbers else text


def read_plain_lines(lines: list[str], mistakes: Mistakes) -> tuple[list[Row], bool]:
    """UCR's own format: the class, then the values, by tabs, commas or spaces.

    Gaps at the end mean a shorter series.
    """
    rows, width = [], 0
    for line, text in enumerate(lines, start=1):
        cells = _cells(text)
        if not cells:
            continue
        width = width or len(cells)
        if len(cells) != width:
            mistakes.add(line, f"found {len(cells) - 1} values, expected {width - 1} as in the first row")
            continue
        values = _numbers(cells[1:], line, mistakes)
        if values is not None:
            known = np.flatnonzero(~np.isnan(values))
            length = known[-1] + 1 if len(known) else 1
            rows.append(Row(line, values[None, :length], _class_name(cells[0], of_numbers=True)))
    return rows, False


def _cells(text: str) -> list[str]:
    for sign in ("\t", ","):
        if sign in text:
            return [cell.strip() for cell in text.strip().split(sign)]
    return text.split()


@dataclass
class _TsHeader:
    """What the `@` lines say; `classes` is None without classes, and empty where none is listed."""

    dimensions: int | None = None
    length: int | None = None
    equal: bool = False
    classes: frozenset[str] | None = None
    of_numbers: bool = False


def read_ts_lines(lines: list[str], mistakes: Mistakes) -> tuple[list[Row], bool]:
    """A header of `@` lines, then one series a line, its dimensions and its class separated by colons.

    Returns: the rows, and whether the target is a number. What is wrong is added to `mistakes`.

    Raises: `DataError` for a header that cannot be followed.
    """
    header, first = _ts_header(lines, mistakes)
    rows = []
    for line, text in enumerate(lines[first:], start=first + 1):
        if not text.strip() or text.lstrip().startswith(("#", "%")):
            continue
        row = _ts_row(text, line, header, mistakes)
        if row is not None:
            rows.append(row)
    return rows, header.of_numbers


def _ts_header(lines: list[str], mistakes: Mistakes) -> tuple[_TsHeader, int]:
    """The header and the number of lines before the data."""
    header = _TsHeader()
    for index, text in enumerate(lines):
        words = text.strip().split()
        if not words or words[0].startswith(("#", "%")):
            continue
        key = words[0].lower().removeprefix("@")
        if not words[0].startswith("@"):
            place = f"{mistakes.source}, line {index + 1}"
            raise DataError(f"{place}: found data before the line @data; expected a header of @ lines.")
        if key == "data":
            mistakes.raise_if_any()
            return header, index + 1
        _apply_key(header, key, words[1:], index + 1, mistakes)
    raise DataError(
        f"{mistakes.source} has no line @data; expected a .ts file: a header of @ lines, @data, then one "
        "series a line."
    )


def _apply_key(header: _TsHeader, key: str, words: list[str], line: int, mistakes: Mistakes) -> None:
    value = words[0].lower() if words else ""
    if key not in (*_KEYS, *_TARGETS):
        hint = did_you_mean(key, (*_KEYS, *_TARGETS))
        mistakes.add(line, f"'@{key}' is not known.{hint}".removesuffix("."))
    elif key == "timestamps" and value == "true":
        advice = "expected @timeStamps false, values at equal steps"
        mistakes.add(line, f"series with time stamps are not read; {advice}")
    elif key == "univariate" and value == "true":
        header.dimensions = 1
    elif key in _COUNTS:
        if not value.isdigit() or int(value) < 1:
            mistakes.add(line, f"found '{' '.join(words)}' after @{key}, expected a whole number above zero")
        elif key == "serieslength":
            header.length = int(value)
        else:
            header.dimensions = int(value)
    elif key == "equallength":
        header.equal = value == "true"
    elif key in _TARGETS and value == "true":
        header.classes, header.of_numbers = frozenset(words[1:]), key == "targetlabel"


def _ts_row(text: str, line: int, header: _TsHeader, mistakes: Mistakes) -> Row | None:
    parts = text.strip().split(":")
    label = _class_name(parts.pop(), of_numbers=False) if header.classes is not None else None
    before = len(mistakes.problems)
    if header.classes and not header.of_numbers and label is not None and label not in header.classes:
        classes = ", ".join(sorted(header.classes)[:12])
        mistakes.add(line, f"found the class '{label[:40]}', expected one of {classes}")
    header.dimensions = header.dimensions or len(parts)
    if len(parts) != header.dimensions:
        mistakes.add(line, f"found {len(parts)} dimensions, expected {header.dimensions}")
        return None
    dimensions = _dimensions(parts, line, mistakes, numbered=len(parts) > 1)
    if dimensions is None:
        return None
    length = len(dimensions[0])
    if header.equal:
        header.length = header.length or length
        if length != header.length:
            rule = f"{header.length} (the header says @equalLength true)"
            mistakes.add(line, f"found {length} values, expected {rule}")
    return Row(line, np.stack(dimensions), label) if len(mistakes.problems) == before else None


@dataclass
class _ArffHeader:
    """Attributes, the class last; whether the series is a relation, one line a dimension."""

    attributes: list[tuple[str, str]] = field(default_factory=list)
    relational: bool = False

    @property
    def values(self) -> int:
        """Numbers in a row."""
        return len(self.attributes) - 1


def read_arff_lines(lines: list[str], mistakes: Mistakes) -> tuple[list[Row], bool]:
    """As the archives use it: numeric attributes and the class, or one relational attribute and the class.

    Returns and Raises: as `read_ts_lines`.
    """
    header, first = _arff_header(lines, mistakes)
    of_numbers = header.attributes[-1][1].lower() in _NUMERIC
    read, dimensions, rows = _relational_row if header.relational else _plain_row, 0, []
    for line, text in enumerate(lines[first:], start=first + 1):
        if not text.strip() or text.lstrip().startswith("%"):
            continue
        row = read(text.strip(), line, header, mistakes)
        if row is None:
            continue
        count = row.values.shape[0]
        dimensions = dimensions or count
        if count != dimensions:
            mistakes.add(line, f"found {count} dimensions, expected {dimensions} as in the first row")
        rows.append(row)
    return rows, of_numbers


def _arff_header(lines: list[str], mistakes: Mistakes) -> tuple[_ArffHeader, int]:
    header, inside, source = _ArffHeader(), False, mistakes.source
    for index, line in enumerate(lines):
        text = line.strip()
        lower = text.lower()
        if not text or text.startswith("%") or lower.startswith("@relation"):
            continue
        if lower.startswith("@data"):
            return _check_attributes(header, source), index + 1
        if lower.startswith("@end"):
            inside = False
            continue
        attribute = _ATTRIBUTE.match(text)
        if not attribute:
            expected = "expected @attribute NAME TYPE, or @data"
            raise DataError(f"{source}, line {index + 1}: found '{text[:40]}', {expected}.")
        if not inside:
            header.attributes.append((attribute[1].strip("'\""), attribute[2].strip()))
        inside = inside or attribute[2].strip().lower() == "relational"
    raise DataError(
        f"{source} has no line @data; expected an ARFF file: @relation, @attribute lines, @data, the rows."
    )


def _check_attributes(header: _ArffHeader, source: str) -> _ArffHeader:
    count = len(header.attributes)
    if count < 2:
        raise DataError(f"{source} has {count} attributes; expected the values of a series, then its class.")
    header.relational = header.attributes[0][1].lower() == "relational"
    odd = [name for name, kind in header.attributes[:-1] if kind.lower() not in _NUMERIC]
    if odd and not (header.relational and header.values == 1):
        raise DataError(
            f"{source}: the attribute '{odd[0]}' is not numeric; expected numbers, one for each moment, and "
            "the class as the last attribute."
        )
    return header


def _plain_row(text: str, line: int, header: _ArffHeader, mistakes: Mistakes) -> Row | None:
    if text.startswith("{"):
        mistakes.add(line, "found a sparse row, expected all values")
        return None
    cells = text.split(",")
    if len(cells) != header.values + 1:
        mistakes.add(line, f"found {len(cells) - 1} values, expected {header.values}, then the class")
        return None
    values = _numbers(cells[:-1], line, mistakes)
    return None if values is None else Row(line, values[None], _class_name(cells[-1], of_numbers=False))


def _relational_row(text: str, line: int, header: _ArffHeader, mistakes: Mistakes) -> Row | None:
    """`'1,2,3\\n4,5,6',class`: a line a dimension, separated by the two signs backslash and n."""
    body, quote, label = text[1:].rpartition(text[0])
    if text[0] not in "'\"" or not quote or not label.startswith(","):
        expected = "expected the values in quotes, then a comma and the class"
        mistakes.add(line, f"found '{text[:20]} …', {expected}")
        return None
    dimensions = _dimensions(body.split("\\n"), line, mistakes, numbered=True)
    if dimensions is None:
        return None
    return Row(line, np.stack(dimensions), _class_name(label[1:], of_numbers=False))

"""sktime's `.ts` format: a header of `@` lines, then one series a line, its dimensions and its class parted
by colons.

Source: Bagnall et al. 2018 (the UEA archive); Löning et al. 2019 (sktime)
"""

from dataclasses import dataclass

import numpy as np

from handrail.data.sources.media.series_lines import Mistakes, Row, class_name, numbers
from handrail.errors import DataError, did_you_mean

_KEYS = (
    "problemname",
    "timestamps",
    "missing",
    "univariate",
    "dimension",
    "dimensions",
    "equallength",
    "serieslength",
)
_TARGETS = ("classlabel", "targetlabel")


@dataclass
class _Header:
    """What the `@` lines say; `classes` is nothing where there are none, and empty where they are not listed."""

    dimensions: int | None = None
    length: int | None = None
    equal: bool = False
    classes: frozenset[str] | None = None
    of_numbers: bool = False


def read_ts_lines(lines: list[str], mistakes: Mistakes) -> tuple[list[Row], bool]:
    """The rows, and whether the target is a number. What is wrong is added to `mistakes`.

    Raises: `DataError` for a header that cannot be followed.
    """
    header, first = _header(lines, mistakes)
    rows = []
    for line, text in enumerate(lines[first:], start=first + 1):
        if not text.strip() or text.lstrip().startswith(("#", "%")):
            continue
        row = _row(text, line, header, mistakes)
        if row is not None:
            rows.append(row)
    return rows, header.of_numbers


def _header(lines: list[str], mistakes: Mistakes) -> tuple[_Header, int]:
    """The header and the number of lines before the data."""
    header = _Header()
    for index, text in enumerate(lines):
        words = text.strip().split()
        if not words or words[0].startswith(("#", "%")):
            continue
        key = words[0].lower().removeprefix("@")
        if not words[0].startswith("@"):
            raise DataError(
                f"{mistakes.source}, line {index + 1}: found data before the line @data; expected a header "
                "of @ lines."
            )
        if key == "data":
            mistakes.raise_if_any()
            return header, index + 1
        _follow(header, key, words[1:], index + 1, mistakes)
    raise DataError(
        f"{mistakes.source} has no line @data; expected a .ts file: a header of @ lines, @data, then one "
        "series a line."
    )


def _follow(header: _Header, key: str, words: list[str], line: int, mistakes: Mistakes) -> None:
    value = words[0].lower() if words else ""
    if key not in (*_KEYS, *_TARGETS):
        mistakes.add(
            line, f"'@{key}' is not known.{did_you_mean(key, (*_KEYS, *_TARGETS))}".removesuffix(".")
        )
    elif key == "timestamps" and value == "true":
        mistakes.add(
            line, "series with time stamps are not read; expected @timeStamps false, values at equal steps"
        )
    elif key == "univariate" and value == "true":
        header.dimensions = 1
    elif key in ("dimension", "dimensions", "serieslength"):
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


def _row(text: str, line: int, header: _Header, mistakes: Mistakes) -> Row | None:
    parts = text.strip().split(":")
    label = class_name(parts.pop(), of_numbers=False) if header.classes is not None else None
    before = len(mistakes.found)
    if header.classes and not header.of_numbers and label is not None and label not in header.classes:
        mistakes.add(
            line, f"found the class '{label[:40]}', expected one of {', '.join(sorted(header.classes)[:12])}"
        )
    header.dimensions = header.dimensions or len(parts)
    if len(parts) != header.dimensions:
        mistakes.add(line, f"found {len(parts)} dimensions, expected {header.dimensions}")
        return None
    found = [
        numbers(part.split(","), line, mistakes, where=f" of dimension {number}" if len(parts) > 1 else "")
        for number, part in enumerate(parts, start=1)
    ]
    known = [values for values in found if values is not None]
    lengths = {len(values) for values in known}
    if len(known) == len(found) and len(lengths) > 1:
        mistakes.add(
            line, f"found dimensions of {min(lengths)} to {max(lengths)} values, expected them alike"
        )
    elif header.equal and len(lengths) == 1:
        header.length = header.length or min(lengths)
        if lengths != {header.length}:
            mistakes.add(
                line,
                f"found {min(lengths)} values, expected {header.length} (the header says @equalLength true)",
            )
    return Row(line, np.stack(known), label) if len(mistakes.found) == before else None

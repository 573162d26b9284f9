"""Weka's `.arff` as the archives use it: numeric attributes and the class, or one relational attribute and
the class.

Source: Witten & Frank 1999 (Weka)
"""

import re
from dataclasses import dataclass, field

import numpy as np

from handrail.data.sources.media.series_lines import Mistakes, Row, class_name, numbers
from handrail.errors import DataError

_ATTRIBUTE = re.compile(r"""^@attribute\s+('[^']*'|"[^"]*"|\S+)\s+(.+)$""", re.IGNORECASE)
_NUMERIC = ("numeric", "real", "integer")


@dataclass
class _Header:
    """Attributes before the class, outside of relations; whether the series is a relation, one line a
    dimension.
    """

    attributes: list[tuple[str, str]] = field(default_factory=list)
    relational: bool = False

    @property
    def values(self) -> int:
        """Numbers in a row."""
        return len(self.attributes) - 1


def read_arff_lines(lines: list[str], mistakes: Mistakes) -> tuple[list[Row], bool]:
    """The rows, and whether the target is a number. What is wrong is added to `mistakes`.

    Raises: `DataError` for a header that cannot be followed.
    """
    header, first = _header(lines, mistakes)
    of_numbers = header.attributes[-1][1].lower() in _NUMERIC
    read, dimensions, rows = _relational_row if header.relational else _plain_row, 0, []
    for line, text in enumerate(lines[first:], start=first + 1):
        if not text.strip() or text.lstrip().startswith("%"):
            continue
        row = read(text.strip(), line, header, mistakes)
        if row is None:
            continue
        dimensions = dimensions or row.values.shape[0]
        if row.values.shape[0] != dimensions:
            mistakes.add(
                line, f"found {row.values.shape[0]} dimensions, expected {dimensions} as in the first row"
            )
        rows.append(row)
    return rows, of_numbers


def _header(lines: list[str], mistakes: Mistakes) -> tuple[_Header, int]:
    header, inside = _Header(), False
    for index, line in enumerate(lines):
        text = line.strip()
        lower = text.lower()
        if not text or text.startswith("%") or lower.startswith("@relation"):
            continue
        if lower.startswith("@data"):
            return _check(header, mistakes), index + 1
        if lower.startswith("@end"):
            inside = False
            continue
        found = _ATTRIBUTE.match(text)
        if not found:
            raise DataError(
                f"{mistakes.source}, line {index + 1}: found '{text[:40]}', expected @attribute NAME TYPE, "
                "or @data."
            )
        if not inside:
            header.attributes.append((found[1].strip("'\""), found[2].strip()))
        inside = inside or found[2].strip().lower() == "relational"
    raise DataError(
        f"{mistakes.source} has no line @data; expected an ARFF file: @relation, @attribute lines, @data, "
        "the rows."
    )


def _check(header: _Header, mistakes: Mistakes) -> _Header:
    if len(header.attributes) < 2:
        raise DataError(
            f"{mistakes.source} has {len(header.attributes)} attributes; expected the values of a series, "
            "then its class."
        )
    header.relational = header.attributes[0][1].lower() == "relational"
    odd = [name for name, kind in header.attributes[:-1] if kind.lower() not in _NUMERIC]
    if odd and not (header.relational and header.values == 1):
        raise DataError(
            f"{mistakes.source}: the attribute '{odd[0]}' is not numeric; expected numbers, one for each "
            "moment, and the class "
            "as the last attribute."
        )
    return header


def _plain_row(text: str, line: int, header: _Header, mistakes: Mistakes) -> Row | None:
    if text.startswith("{"):
        mistakes.add(line, "found a sparse row, expected all values")
        return None
    cells = text.split(",")
    if len(cells) != header.values + 1:
        mistakes.add(line, f"found {len(cells) - 1} values, expected {header.values}, then the class")
        return None
    values = numbers(cells[:-1], line, mistakes)
    return None if values is None else Row(line, values[None], class_name(cells[-1], of_numbers=False))


def _relational_row(text: str, line: int, header: _Header, mistakes: Mistakes) -> Row | None:
    """`'1,2,3\\n4,5,6',class`: a line a dimension, parted by the two signs backslash and n."""
    body, quote, label = text[1:].rpartition(text[0])
    if text[0] not in "'\"" or not quote or not label.startswith(","):
        mistakes.add(
            line, f"found '{text[:20]} …', expected the values in quotes, then a comma and the class"
        )
        return None
    parts = body.split("\\n")
    found = [
        numbers(part.split(","), line, mistakes, where=f" of dimension {i}")
        for i, part in enumerate(parts, start=1)
    ]
    known = [values for values in found if values is not None]
    if len(known) < len(found):
        return None
    lengths = {len(values) for values in known}
    if len(lengths) > 1:
        mistakes.add(
            line, f"found dimensions of {min(lengths)} to {max(lengths)} values, expected them alike"
        )
        return None
    return Row(line, np.stack(known), class_name(label[1:], of_numbers=False))

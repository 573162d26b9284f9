"""Several labels in one cell ('red;blue', 'a|b', "['x', 'y']"): when a column holds such lists, and which."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from handrail.tools.words import list_some

_SEPARATORS = (";", "|", ",", "/", "+", "&")
_CLEAR = (";", "|")  # the others stand within labels, too: 'New York, NY', 'Tech/support'
_AROUND = "[](){} \t"
_MOST_LABELS = 1000  # more different pieces are words of a text


class Lists(NamedTuple):
    """The separator of lists, their labels in order, and how many different cells there are."""

    separator: str
    labels: tuple[str, ...]
    cells: int


def find_lists(values: pl.Series, *, surely: bool = True) -> Lists | None:
    """The lists of a column of texts, by its different values; None where they are none.

    They are lists where the pieces are fewer than the values, recur in several of them, and values differ in
    how many they hold: 'Austin, TX' beside 'Boston, MA' is none, nor is 'low/male' beside 'high/female'. Few
    combinations are lists where pieces recur at several places in them: 'a;b' beside 'b;c', or beside 'b'.

    Arguments:
        surely: false where the user says so: then the separator in most values counts.
    """
    if values.dtype != pl.String:
        return None
    cells = values.drop_nulls().unique()
    for separator in sorted(_SEPARATORS, key=lambda sign: -int(cells.str.contains(sign, literal=True).sum())):
        with_it = int(cells.str.contains(separator, literal=True).sum())
        if not with_it:
            return None
        pieces = [split_cell(cell, separator) for cell in cells.sort().to_list()]
        labels = sorted({piece for cell in pieces for piece in cell})
        if not surely or _are_lists(pieces, labels, separator) or _are_few_lists(pieces, labels, separator):
            return Lists(separator, tuple(labels), len(cells))
    return None


def split_cell(cell: str, separator: str) -> list[str]:
    """The labels of a cell, without brackets and quotes around them."""
    pieces = (piece.strip(_AROUND).strip("'\"").strip() for piece in cell.split(separator))
    return [piece for piece in pieces if piece]


def _are_lists(cells: Sequence[Sequence[str]], labels: Sequence[str], separator: str) -> bool:
    lengths = {len(cell) for cell in cells}
    if len(lengths - {0}) < 2 or not 1 < len(labels) <= min(_MOST_LABELS, len(cells) - 1):
        return False
    if separator == "," and all(label.isdigit() for label in labels) and max(lengths) < 3:  # decimal commas
        return False
    counts = Counter(label for cell in cells for label in {*cell})
    recurring = sum(count > 1 for count in counts.values())
    several = sum(len(cell) > 1 for cell in cells) > 1
    return several and _are_sets(cells) and recurring >= 0.8 * len(labels)


def _are_few_lists(cells: Sequence[Sequence[str]], labels: Sequence[str], separator: str) -> bool:
    """Whether the labels of combinations recur in other cells, and some of them at another place there.

    With a sign that labels may hold as well, four of five recur, none but numbers is no list (fractions,
    dates), and 'a/b' beside 'b/a' is a direction.
    """
    combined = {label for cell in cells if len(cell) > 1 for label in cell}
    if len(cells) < 3 or not combined or len(labels) > _MOST_LABELS or not _are_sets(cells):
        return False
    is_clear = separator in _CLEAR
    directed = len({frozenset(cell) for cell in cells}) < len(cells)
    if not is_clear and (directed or all(label.isdigit() for label in labels)):
        return False
    places: dict[str, list[int]] = {label: [] for label in labels}
    for cell in cells:
        for place, label in enumerate(cell):
            places[label].append(place)
    recurring = sum(len(places[label]) > 1 for label in combined)
    moving = sum(len({*places[label]}) > 1 for label in combined)
    return recurring >= (0.5 if is_clear else 0.8) * len(combined) and 3 * moving >= len(combined)


def _are_sets(cells: Sequence[Sequence[str]]) -> bool:
    return all(len({*cell}) == len(cell) for cell in cells)


def describe_lists(lists: Lists) -> str:
    """A sentence with the setting that takes them as lists."""
    names = list_some((f"'{label}'" for label in lists.labels), most=6)
    return (
        f"They look like lists separated by '{lists.separator}', of {len(lists.labels):,} different labels "
        f"({names}): data.task=multi-label takes each label as a column of 0 and 1."
    )

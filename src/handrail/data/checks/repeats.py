"""Rows that stand in more than one part, or more than once in the training part."""

from dataclasses import dataclass

import numpy as np

from handrail.data.checks.finding import Finding
from handrail.data.checks.wording import make, share
from handrail.data.table import Table
from handrail.tools.words import plural

_MANY = 0.01


@dataclass(frozen=True)
class HashedRows:
    """Rows of a part by their number in the table, with a hash of each."""

    name: str
    rows: np.ndarray
    table: Table
    hashes: np.ndarray


def check_rows(train: HashedRows, validation: HashedRows, *, sealed: np.ndarray) -> list[Finding]:
    """Duplicates across parts and within the training rows; of test rows only their hashes are used."""
    ours, theirs = train.hashes, validation.hashes
    ordered = np.sort(ours)
    return _across(train, validation, theirs, sealed, ordered) + _within(train, ours, ordered)


def _across(
    train: HashedRows, validation: HashedRows, theirs: np.ndarray, sealed: np.ndarray, ordered: np.ndarray
) -> list[Finding]:
    repeats = np.flatnonzero(_among(theirs, ordered))
    hidden = int((_among(sealed, ordered) | _among(sealed, np.sort(theirs))).sum())
    seen = []
    if len(repeats):
        first = int(np.flatnonzero(train.hashes == theirs[repeats[0]])[0])
        example = f"{_row(validation, int(repeats[0]))} is the same as {_row(train, first)}"
        seen.append(
            f"{len(repeats):,} of {plural(len(theirs), 'validation row')} "
            f"({share(len(repeats), len(theirs))}) "
            f"repeat a training row ({example})"
        )
    if hidden:
        seen.append(
            f"{hidden:,} of {plural(len(sealed), 'test row')} ({share(hidden, len(sealed))}) repeat a "
            "training or validation row"
        )
    if not seen:
        return []
    largest = max(len(repeats) / max(len(theirs), 1), hidden / max(len(sealed), 1))
    return [
        make(
            "warning" if largest >= _MANY else "note",
            "duplicates",
            seen="; ".join(seen) + ".",
            why="A network that remembers such rows looks better on them than it will on new ones.",
            action="They stay; data.duplicates=drop leaves them out.",
        )
    ]


def _among(hashes: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Which of the hashes stand in a sorted array; many rows need no more memory than that array."""
    if not len(ordered):
        return np.zeros(len(hashes), dtype=bool)
    return ordered[np.minimum(np.searchsorted(ordered, hashes), len(ordered) - 1)] == hashes


def _within(train: HashedRows, hashes: np.ndarray, ordered: np.ndarray) -> list[Finding]:
    several = ordered[1:][ordered[1:] == ordered[:-1]]
    places = np.flatnonzero(_among(hashes, several))
    _, start, inverse = np.unique(hashes[places], return_index=True, return_inverse=True)
    first = places[start]
    repeats = places[first[inverse] != places]
    if not len(repeats):
        return []
    place = int(repeats[0])
    example = f"{_row(train, place)} is the same as {_row(train, int(first[inverse[np.searchsorted(places, place)]]))}"
    return [
        make(
            "note",
            "repeats",
            seen=f"{len(repeats):,} of {plural(len(hashes), 'training row')} "
            f"({share(len(repeats), len(hashes))}) repeat an "
            f"earlier one ({example}).",
            why="Each repeat counts again in the loss: right where rows are frequent, wrong where they were "
            "copied by mistake.",
            action="They stay; data.duplicates concerns repeats across parts alone, so remove copies from "
            "the source.",
        )
    ]


def _row(part: HashedRows, place: int) -> str:
    name = part.table.row_name(int(part.rows[place]))
    return f"{name} of '{part.table.source}'" if part.name != "train" else name

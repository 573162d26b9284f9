"""Rows that stand in more than one part, or more than once in the training part."""

from typing import TYPE_CHECKING

import numpy as np

from handrail.data._check_wording import count, make, share
from handrail.data.findings import Finding

if TYPE_CHECKING:
    from handrail.data.dataset import Part

_MANY = 0.01


def check_rows(train: "Part", validation: "Part", *, sealed: np.ndarray) -> list[Finding]:
    """Duplicates across parts and within the training rows; of test rows only their hashes are used."""
    ours, theirs = train.hashes, validation.hashes
    return _across(train, validation, ours, theirs, sealed) + _within(train, ours)


def _across(train: "Part", validation: "Part", ours: np.ndarray, theirs: np.ndarray, sealed: np.ndarray) -> list[Finding]:
    repeats = np.flatnonzero(np.isin(theirs, ours))
    hidden = int(np.isin(sealed, np.concatenate([ours, theirs])).sum())
    seen = []
    if len(repeats):
        first = int(np.flatnonzero(ours == theirs[repeats[0]])[0])
        example = f"{_row(validation, int(repeats[0]))} is the same as {_row(train, first)}"
        seen.append(
            f"{len(repeats):,} of {count(len(theirs), 'validation row')} ({share(len(repeats), len(theirs))}) "
            f"repeat a training row ({example})"
        )
    if hidden:
        seen.append(
            f"{hidden:,} of {count(len(sealed), 'test row')} ({share(hidden, len(sealed))}) repeat a training or validation row"
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


def _within(train: "Part", hashes: np.ndarray) -> list[Finding]:
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    repeats = np.flatnonzero(first[inverse] != np.arange(len(hashes)))
    if not len(repeats):
        return []
    place = int(repeats[0])
    example = f"{_row(train, place)} is the same as {_row(train, int(first[inverse[place]]))}"
    return [
        make(
            "note",
            "repeats",
            seen=f"{len(repeats):,} of {count(len(hashes), 'training row')} ({share(len(repeats), len(hashes))}) repeat an "
            f"earlier one ({example}).",
            why="Each repeat counts again in the loss: right where rows are frequent, wrong where they were copied by mistake.",
            action="They stay; data.duplicates concerns repeats across parts alone, so remove copies from the source.",
        )
    ]


def _row(part: "Part", place: int) -> str:
    name = part.table.row_name(int(part.rows[place]))
    return f"{name} of '{part.table.source}'" if part.name != "train" else name

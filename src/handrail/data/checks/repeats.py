"""Rows that stand more than once, in one part or in several."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handrail.data.finding import Finding, share
from handrail.data.table import Table
from handrail.tools.words import list_some, plural

_MANY_REPEATS = 0.01


@dataclass(frozen=True)
class HashedRows:
    """Rows of a part by their number in the table, with a hash of each."""

    name: str
    rows: np.ndarray
    table: Table
    hashes: np.ndarray


def check_repeats(
    train: HashedRows, validation: HashedRows, *, sealed: np.ndarray, ignored: Sequence[str] = ()
) -> list[Finding]:
    """Duplicates across parts and within the training rows; of test rows only their hashes are used.

    Rows that are in each part by decision are no finding, nor are equal steps of a series.
    """
    if train.table.is_series:
        return []
    ordered = np.sort(train.hashes)
    names = list_some(f"'{name}'" for name in ignored)
    but_for = f", not counting {names} (dropped, or a name of each row)" if ignored else ""
    within = _find_repeats_within(train, ordered, but_for)
    if train.table.is_undivided:
        return within
    return [*_find_repeats_across(train, validation, sealed, ordered, but_for), *within]


def _find_repeats_across(
    train: HashedRows, validation: HashedRows, sealed: np.ndarray, ordered: np.ndarray, but_for: str
) -> list[Finding]:
    theirs = validation.hashes
    repeats = np.flatnonzero(_is_among(theirs, ordered))
    hidden = int((_is_among(sealed, ordered) | _is_among(sealed, np.sort(theirs))).sum())
    sentences = []
    if len(repeats):
        first = int(np.flatnonzero(train.hashes == theirs[repeats[0]])[0])
        example = f"{_row(validation, int(repeats[0]))} is the same as {_row(train, first)}"
        sentences.append(
            f"{_count(len(repeats), len(theirs), 'validation row')} repeat a training row ({example})"
        )
    if hidden:
        sentences.append(f"{_count(hidden, len(sealed), 'test row')} repeat a training or validation row")
    if not sentences:
        return []
    largest = max(len(repeats) / max(len(theirs), 1), hidden / max(len(sealed), 1))
    return [
        Finding(
            level="warning" if largest >= _MANY_REPEATS else "note",
            name="duplicates",
            seen="; ".join(sentences) + f"{but_for}.",
            why="A network that remembers such rows looks better on them than it will on new ones.",
            action="They stay; data.duplicates=drop leaves them out.",
        )
    ]


def _is_among(hashes: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Which of the hashes stand in a sorted array; many rows need no more memory than that array."""
    if not len(ordered):
        return np.zeros(len(hashes), dtype=bool)
    return ordered[np.minimum(np.searchsorted(ordered, hashes), len(ordered) - 1)] == hashes


def _find_repeats_within(train: HashedRows, ordered: np.ndarray, but_for: str) -> list[Finding]:
    places = np.flatnonzero(_is_among(train.hashes, ordered[1:][ordered[1:] == ordered[:-1]]))
    _, start, inverse = np.unique(train.hashes[places], return_index=True, return_inverse=True)
    first = places[start][inverse]  # for each of the places, where its row stands first
    repeats = places[first != places]
    if not len(repeats):
        return []
    original = int(first[np.searchsorted(places, repeats[0])])
    example = f"{_row(train, int(repeats[0]))} is the same as {_row(train, original)}"
    return [
        Finding(
            level="note",
            name="repeats",
            seen=f"{_count(len(repeats), len(train.hashes), 'training row')} repeat an earlier one "
            f"({example}){but_for}.",
            why="Each repeat counts again in the loss: right where rows are frequent, wrong where they were "
            "copied by mistake.",
            action="They stay; data.duplicates concerns repeats across parts alone, so remove copies from "
            "the source.",
        )
    ]


def _count(part: int, whole: int, noun: str) -> str:
    return f"{part:,} of {plural(whole, noun)} ({share(part, whole)})"


def _row(part: HashedRows, place: int) -> str:
    name = part.table.row_name(int(part.rows[place]))
    return f"{name} of '{part.table.source}'" if part.name != "train" else name

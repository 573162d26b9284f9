"""Columns that have the name of another: they are numbered, as `name`, `name.1`, `name.2`."""

from collections.abc import Sequence

import polars as pl

from handrail.data.finding import Finding, set_list
from handrail.tools.words import list_some, plural


def number_names(names: Sequence[str]) -> list[str]:
    """The names, each distinct from all others; the first of several equal ones stays as it is."""
    known = set(names)
    if len(known) == len(names):
        return list(names)
    numbers: dict[str, int] = {}
    numbered = []
    for name in names:
        if name not in numbers:
            numbers[name] = 0
            numbered.append(name)
            continue
        new = name
        while new in known:
            numbers[name] += 1
            new = f"{name}.{numbers[name]}"
        known.add(new)
        numbered.append(new)
    return numbered


def report_duplicates(names: Sequence[str], frame: pl.DataFrame, source: str) -> tuple[Finding, ...]:
    """A warning about names that stood twice, and which of their columns are equal in all rows.

    Arguments:
        names: as they stand in the source.
        frame: the columns under their numbered names.
    """
    if len(set(names)) == len(names):
        return ()
    groups: dict[str, list[str]] = {}
    for name, numbered in zip(names, frame.columns, strict=True):
        groups.setdefault(name, []).append(numbered)
    groups = {name: columns for name, columns in groups.items() if len(columns) > 1}
    pairs = [(columns[0], other) for columns in groups.values() for other in columns[1:]]
    equal = [pair for pair in pairs if frame[pair[0]].equals(frame[pair[1]], check_names=False)]
    words = (
        f"'{name}' ({plural(len(columns), 'column')}, now {_quote(columns)})"
        for name, columns in groups.items()
    )
    seen = f"{source}: the header names columns twice: {list_some(words)}; they were numbered."
    if equal:
        copies = list_some(f"'{one}' and '{other}'" for one, other in equal)
        seen += f" Equal in all rows: {copies}."
    drop = [other for _, other in equal] or [other for _, other in pairs]
    what = "the copies" if equal else "those with a number"
    return (
        Finding(
            level="warning",
            name="duplicate-names",
            seen=seen,
            why="One name must mean one column; a copy of the target gives it away.",
            action=f"{set_list('data.drop', drop[:8])} leaves {what} out; data.read.names gives other names.",
            decided=True,
        ),
    )


def _quote(names: Sequence[str]) -> str:
    return list_some((f"'{name}'" for name in names), most=4, last=" and ")

"""The zoo as a table for the terminal."""

from collections.abc import Iterable

from handrail.report.folding import fold
from handrail.report.wording import align
from handrail.zoo.entry import Entry

_HEAD = ("family", "name", "year", "rule", "cells")
_HOW = ("Fit one: handrail zoo NAME", "Its recipe, to start from: handrail zoo NAME --recipe > recipe.yaml")


def overview_text(entries: Iterable[Entry]) -> str:
    """A row for each system, and below it what it is, in one line."""
    listed = list(entries)
    rows = [
        (entry.family, entry.name, str(entry.year), entry.rule, ", ".join(entry.cells)) for entry in listed
    ]
    head, *lines = align([_HEAD, *rows])
    below = [line for row, entry in zip(lines, listed, strict=True) for line in (row, *_about(entry))]
    return "\n".join([head, *below, "", *_HOW])


def _about(entry: Entry) -> list[str]:
    slow = " More than two minutes." if entry.slow else ""
    needs = f" Needs {entry.needs}." if entry.needs else ""
    return fold(f"    {entry.title}: {entry.line}.{slow}{needs}")

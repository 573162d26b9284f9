"""A trace in the terminal: each table with its formula, and what is to be seen in it."""

import io
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from handrail.traces.steps import Steps, TraceData
from handrail.traces.text import cell_text

_WIDTH = 200  # of a text that no terminal folds
_BETWEEN, _EDGE = 3, 1  # places between columns, and at the edge of a table


def as_text(trace: TraceData, *, width: int = _WIDTH) -> str:
    """The trace as plain text."""
    file = io.StringIO()
    console = Console(file=file, width=width, color_system=None, force_terminal=False)
    console.print(renderable(trace, width=width))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def renderable(trace: TraceData, *, width: int) -> RenderableType:
    """What rich prints of a trace; text from data is never taken for markup.

    Arguments:
        width: of the terminal; the columns of a wider table stand in several, each with the first column.
    """
    head = Text(f"{trace.title} — {trace.subject}\n", style="bold")
    tables = [part for steps in trace.steps for part in _tables(steps, width)]
    remarks = [Text(f"• {remark}") for remark in trace.remarks]
    return Group(head, *tables, *remarks, Text(f"Source: {trace.source}", style="dim"))


def _tables(steps: Steps, width: int) -> list[RenderableType]:
    texts = [[cell_text(value) for value in column.values] for column in steps.columns]
    formula = [Text(steps.formula, style="italic")] if steps.formula else []
    note = [Text(f"{steps.note}\n")] if steps.note else []
    wide = [
        max(cell_len(line) for text in (column.name, *own) for line in text.split("\n"))
        for column, own in zip(steps.columns, texts, strict=True)
    ]
    tables = [_table(steps, texts, places) for places in _fitting(wide, width)]
    return [Text(steps.title, style="bold"), *formula, *tables, *note]


def _fitting(wide: Sequence[int], width: int) -> list[list[int]]:
    """The places of columns that fit beside each other, behind the first in each table."""
    first = width - _EDGE - wide[0] - _BETWEEN
    blocks, room = [[0]], first
    for place in range(1, len(wide)):
        needed = wide[place] + _BETWEEN
        if needed > room and len(blocks[-1]) > 1:
            blocks.append([0])
            room = first
        blocks[-1].append(place)
        room -= needed
    return blocks


def _table(steps: Steps, texts: Sequence[Sequence[str]], places: Sequence[int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for column in (steps.columns[place] for place in places):
        look: Any = {"justify": "right", "vertical": "middle", "overflow": "fold"}
        table.add_column(Text(column.name), style="bold" if column.answer else "", **look)
    for line in zip(*(texts[place] for place in places), strict=True):
        table.add_row(*map(Text, line))
    return table

"""A trace in the terminal: each table with its formula, and what is to be seen in it."""

import io

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from handrail.traces.steps import Steps, TraceData
from handrail.traces.text import cell_text

_WIDTH = 200  # of a text that no terminal folds


def as_text(trace: TraceData, *, width: int = _WIDTH) -> str:
    """The trace as plain text."""
    file = io.StringIO()
    Console(file=file, width=width, color_system=None, force_terminal=False).print(renderable(trace))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def renderable(trace: TraceData) -> RenderableType:
    """What rich prints of a trace; text from data is never taken for markup."""
    head = Text(f"{trace.title} — {trace.subject}\n", style="bold")
    tables = [part for steps in trace.steps for part in _table(steps)]
    remarks = [Text(f"• {remark}") for remark in trace.remarks]
    return Group(head, *tables, *remarks, Text(f"Source: {trace.source}", style="dim"))


def _table(steps: Steps) -> list[RenderableType]:
    table = Table(box=box.SIMPLE_HEAD)
    for column in steps.columns:
        table.add_column(
            Text(column.name), justify="right", vertical="middle", style="bold" if column.answer else ""
        )
    for line in zip(*(column.values for column in steps.columns), strict=True):
        table.add_row(*(Text(cell_text(value)) for value in line))
    above = [
        Text(steps.title, style="bold"),
        *([Text(steps.formula, style="italic")] if steps.formula else []),
    ]
    below = [Text(f"{steps.note}\n")] if steps.note else []
    return [*above, table, *below]

"""A trace as a page to be printed, with its answers or with room for them."""

from dataclasses import dataclass

import numpy as np

from handrail.report.figures.named import named_picture
from handrail.report.page import fill_template
from handrail.traces.steps import Steps, TraceData, Value
from handrail.traces.text import cell_text, matrix_text


@dataclass(frozen=True)
class Cell:
    """A value for the template: text, or the lines of a matrix; empty ones are to be filled in."""

    text: str = ""
    matrix: tuple[tuple[str, ...], ...] = ()
    is_blank: bool = False


@dataclass(frozen=True)
class Sheet:
    """A table for the template."""

    title: str
    formula: str
    note: str
    names: tuple[str, ...]
    lines: tuple[tuple[Cell, ...], ...]


def worksheet(trace: TraceData, *, blank: bool = False) -> str:
    """The page as HTML text, of which no part comes from anywhere else.

    Arguments:
        blank: leave the answers out, and the pictures, which would tell them.
    """
    pictures = [] if blank else trace.pictures
    return fill_template(
        "worksheet.html.j2",
        trace=trace,
        blank=blank,
        sheets=[_sheet(steps, blank=blank) for steps in trace.steps],
        figures=[named_picture(picture, f"trace-{place}") for place, picture in enumerate(pictures)],
    )


def _sheet(steps: Steps, *, blank: bool) -> Sheet:
    columns = [
        [
            _cell(value, blank=blank and (column.answer or (column.carried and line > 0)))
            for line, value in enumerate(column.values)
        ]
        for column in steps.columns
    ]
    names = tuple(column.name for column in steps.columns)
    note = "" if blank else steps.note
    return Sheet(steps.title, steps.formula, note, names, tuple(zip(*columns, strict=True)))


def _cell(value: Value, *, blank: bool) -> Cell:
    if isinstance(value, np.ndarray) and value.ndim > 1:
        lines = matrix_text(value)
        return Cell(
            matrix=tuple(tuple("" if blank else text for text in line) for line in lines), is_blank=blank
        )
    return Cell("" if blank else cell_text(value), is_blank=blank)

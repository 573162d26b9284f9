"""Traces: an algorithm step by step, as with pencil and paper, with every number in between.

    handrail.trace("perceptron")                        by the lectures' own numbers
    handrail.trace("backpropagation", run=run, rows="iris.csv")     by a network and a row of one's own

A trace is a function: it works its steps out in plain NumPy, and the tests hold it against what the library
computes itself. What it gives back (`trace.Trace`) is data, which the terminal, a data frame and a worksheet
to be printed show alike.

steps: the data. trace: what is handed over. given: a network and a row of a run. text: numbers as a worksheet
writes them. terminal, worksheet: two ways to show it. lines, layers, alone, generalising: traces. A new one
is a function there with `@component("trace")`. May import everything but `cli`.
"""

from typing import Any

from handrail.components import find, resolve_arguments
from handrail.run import Run
from handrail.traces.given import Given, given_by
from handrail.traces.steps import Column, Steps
from handrail.traces.trace import Trace

__all__ = ["Column", "Given", "Steps", "Trace", "trace"]


def trace(name: str, *, run: Run | None = None, rows: Any = None, row: int = 0, **settings: Any) -> Trace:
    """Follow an algorithm step by step.

    Arguments:
        name: of a trace (`handrail list trace`).
        run: whose network is followed in place of the lectures' example, by traces that can.
        rows: of the run's schema, one of which is followed; by default its validation rows.
        row: which one, from 0.
        settings: those of the trace.

    Raises: `RecipeError` for a trace or a setting that there is not; `DataError` for a row that there is not,
        a network that has nothing of what is to be followed, and values that do not fit together.
    """
    entry = find("trace", name)
    resolved = resolve_arguments(entry, settings, name)
    return entry.target(given_by(run, rows, row), **resolved)

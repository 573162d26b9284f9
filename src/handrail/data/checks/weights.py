"""A column that may hold weights of rows, which are not supported yet: it is said that it is an input."""

import re

import numpy as np

from handrail.data.columns.schema import Column, Schema
from handrail.data.finding import Finding, advise_drop
from handrail.data.part import Part
from handrail.data.task import TaskSpec

_SURELY = re.compile(
    r"(?i)^(sample|case|row|obs|observation|survey|instance|example)[_ .]?(weights?|wt|wgt)$"
)
_MAYBE = re.compile(r"(?i)^(w|wt|wgt|weights?)$")  # or how heavy something is
_FEWEST_ROWS = 50


def check_weights(train: Part, *, schema: Schema, task: TaskSpec) -> list[Finding]:
    """Positive numbers called like weights of rows; where the name may mean how heavy something is, only
    those that hang together with nothing else: neither a number nor the target.
    """
    found = [
        column.name
        for column in schema.of_kind("numeric")
        if _SURELY.match(column.name) or _MAYBE.match(column.name)
        if _is_positive(train.features[column.name].drop_nulls().to_numpy())
        if _SURELY.match(column.name) or _stands_alone(column, train, schema, task)
    ]
    return [
        Finding(
            level="note",
            name="weights",
            column=name,
            seen=f"Column '{name}': positive numbers, called like weights of rows.",
            why="Weights say how much a row counts, and nothing about the row.",
            action=f"Weights of rows are not supported yet: it is an input as others. {advise_drop([name])}",
            decided=True,
        )
        for name in found
    ]


def _is_positive(values: np.ndarray) -> bool:
    return len(values) > 0 and bool((values > 0).all())


def _stands_alone(column: Column, train: Part, schema: Schema, task: TaskSpec) -> bool:
    """Whether no correlation with another number or the target is beyond three standard errors of chance."""
    if len(train) < _FEWEST_ROWS or not task.has_values or task.is_forecast:
        return False
    others = [train.features[other.name].to_numpy() for other in schema.of_kind("numeric") if other != column]
    target = train.target.numpy().reshape(len(train), -1)
    if task.name == "multi-class":
        target = np.eye(len(task.classes))[target[:, 0]]
    values = train.features[column.name].to_numpy()
    return all(_correlation(values, other) < 3 / len(train) ** 0.5 for other in [*others, *target.T])


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    known = np.isfinite(first) & np.isfinite(second)
    first, second = first[known] - first[known].mean(), second[known] - second[known].mean()
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return abs(float((first * second).sum())) / size if size else 0.0

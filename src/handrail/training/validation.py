"""A quick look at rows that are not trained on: loss and the task's main figure."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from handrail.learning.batch import Batch
from handrail.objectives.objective import Objective
from handrail.tasks.scoring import rows_at_once

Credit = Callable[[Any, Any], Mapping[str, tuple[float, float]]]


@torch.inference_mode()
def validate(model: nn.Module, objective: Objective, rows: Batch, credit: Credit) -> dict[str, float]:
    """Mean loss over all rows, by their weights where they have weights, and the figures that `credit` adds
    up.
    """
    model.eval()
    losses: list[float] = []
    weights: list[float] = []
    credits: dict[str, list[tuple[float, float]]] = {}
    size = rows_at_once(rows.inputs)
    for start in range(0, len(rows), size):
        part = rows.cut(start, start + size)
        outputs = model(part.inputs)
        weight = len(part) if part.weights is None else float(part.weights.double().sum())
        losses.append(float(objective.mean(outputs, part.targets, part.weights).double()) * weight)
        weights.append(weight)
        for name, found in credit(outputs, part.targets).items():
            credits.setdefault(name, []).append(found)
    figures = {"loss": math.fsum(losses) / max(math.fsum(weights), 1e-300)}
    for name, found in credits.items():
        total = math.fsum(weight for _, weight in found)
        figures[name] = math.fsum(value for value, _ in found) / total if total else math.nan
    return figures

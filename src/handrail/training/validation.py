"""A quick look at rows that are not trained on: loss and the task's main figure."""

import math

import torch
from torch import Tensor, nn

from handrail.learning.rule import Batch
from handrail.objectives.objective import Objective

_ROWS = 16384  # at once: memory does not grow with the table


@torch.inference_mode()
def validate(model: nn.Module, objective: Objective, rows: Batch, task: str) -> dict[str, float]:
    """Mean loss over all rows, by their weights where they have weights, and accuracy (classes) or R² (values).

    R² is the mean over the outputs of 1 − Σ(t − y)² / Σ(t − t̄)²; it is left out where an output has a single value.
    """
    model.eval()
    losses: list[float] = []
    weights: list[float] = []
    right: list[Tensor] = []
    for start in range(0, len(rows), _ROWS):
        part = rows.cut(start, start + _ROWS)
        outputs = model(part.inputs)
        weight = len(part) if part.weights is None else float(part.weights.double().sum())
        losses.append(float(objective.mean(outputs, part.targets, part.weights).double()) * weight)
        weights.append(weight)
        right.append(_credit(outputs, part.targets, task))
    found = {"loss": math.fsum(losses) / max(math.fsum(weights), 1e-300)}
    total = torch.stack(right).sum(dim=0)
    if task != "regression":
        return {**found, "accuracy": float(total) / len(rows)}
    spread = (rows.targets.double() - rows.targets.double().mean(dim=0)).square().sum(dim=0)
    return {**found, "r2": float((1 - total / spread).mean())} if bool((spread > 0).all()) else found


def _credit(outputs: Tensor, targets: Tensor, task: str) -> Tensor:
    """Right answers, or the squared error of each output, summed over the rows."""
    if task == "regression":
        return (outputs - targets).double().square().sum(dim=0)
    if task == "binary":
        return ((outputs[:, 0] > 0) == (targets > 0)).sum()
    if task == "multi-label":
        return ((outputs > 0) == (targets > 0)).all(dim=1).sum()
    return (outputs.argmax(dim=1) == targets).sum()


@torch.inference_mode()
def outputs_of(model: nn.Module, inputs: Tensor) -> Tensor:
    """The model's raw scores for all rows, computed in parts."""
    model.eval()
    return torch.cat([model(inputs[start : start + _ROWS]) for start in range(0, max(len(inputs), 1), _ROWS)])

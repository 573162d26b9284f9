"""A quick look at rows that are not trained on: loss and the task's main figure."""

import math

import torch
from torch import Tensor, nn

from handrail.learning.rule import Batch
from handrail.objectives.objective import Objective

_ROWS = 16384  # at once: memory does not grow with the table


@torch.inference_mode()
def validate(model: nn.Module, objective: Objective, rows: Batch, task: str) -> dict[str, float]:
    """Mean loss over all rows, and accuracy (classes) or R² (values)."""
    model.eval()
    losses: list[float] = []
    right: list[float] = []
    for start in range(0, len(rows), _ROWS):
        part = rows.cut(start, start + _ROWS)
        outputs = model(part.inputs)
        losses.append(float(objective.mean(outputs, part.targets).double()) * len(part))
        right.append(float(_credit(outputs, part.targets, task)))
    name = "r2" if task == "regression" else "accuracy"
    figure = math.fsum(right)
    if task == "regression":
        centred = (rows.targets - rows.targets.mean(dim=0)).double().square().sum(dim=0).mean()
        figure = 1 - figure / max(float(centred), 1e-300)
    else:
        figure /= len(rows)
    return {"loss": math.fsum(losses) / len(rows), name: figure}


def _credit(outputs: Tensor, targets: Tensor, task: str) -> Tensor:
    """Right answers, or the squared error summed over rows and averaged over outputs."""
    if task == "regression":
        return (outputs - targets).double().square().sum(dim=0).mean()
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

"""Targets in the forms that losses compare with.

The task shows in the shapes: class numbers `[rows]` beside one score a row are binary, beside several
multi-class; real targets have the outputs' own shape.
"""

import torch
from torch import Tensor

from handrail.errors import RecipeError


def are_classes(targets: Tensor) -> bool:
    """Whether these are class numbers `[rows]`: integers, unlike a single real column."""
    return targets.ndim == 1 and not targets.is_floating_point()


def is_binary(outputs: Tensor, targets: Tensor) -> bool:
    """Whether these are single scores `[rows, 1]` with class numbers 0 and 1 `[rows]`."""
    return outputs.ndim == 2 and outputs.shape[1] == 1 and are_classes(targets)


def zero_one(outputs: Tensor, targets: Tensor) -> Tensor:
    """Targets as 0 and 1 in the outputs' shape: `[rows, 1]`, one-hot or `[rows, labels]`."""
    if is_binary(outputs, targets):
        return targets.to(outputs.dtype).unsqueeze(1)
    if are_classes(targets):
        # Compared: torch's own one-hot cannot be stacked.
        classes = torch.arange(outputs.shape[1], device=targets.device)
        return (targets.unsqueeze(1) == classes).to(outputs.dtype)
    return same_shape(outputs, targets)


def same_shape(outputs: Tensor, targets: Tensor) -> Tensor:
    """The targets, as they are.

    Raises: `RecipeError` when shapes differ: torch would stretch `[rows]` to `[rows, rows]` without a word.
    """
    if outputs.shape != targets.shape:
        raise RecipeError(
            f"the model's outputs have shape {list(outputs.shape)} and the targets {list(targets.shape)}; "
            f"this loss needs the same shape. Does the model have one output for each target column?"
        )
    return targets

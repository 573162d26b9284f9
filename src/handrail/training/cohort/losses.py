"""Losses as they stand in a cohort: the same function, in operations that take the rows of all networks at
once.
"""

import copy
import functools

from torch import Tensor

from handrail.objectives import likelihoods
from handrail.objectives.objective import Objective
from handrail.objectives.targets import are_classes, zero_one

_FEW = 16  # classes: with more of them torch's own kernel, which goes row by row, is quick


def stand_in_loss(objective: Objective) -> Objective:
    """The objective, with what stands for its loss in a cohort; itself where nothing does."""
    loss = objective.loss
    if getattr(loss, "func", loss) is not likelihoods.cross_entropy:
        return objective
    other = copy.copy(objective)
    other.loss = functools.partial(cross_entropy, **getattr(loss, "keywords", {}))
    return other


def cross_entropy(
    outputs: likelihoods.Scores, targets: Tensor, *, label_smoothing: float | Tensor = 0.0
) -> likelihoods.Rows:
    """ln Σ exp(zᵢ − max z) − (z_target − max z), for `handrail.objectives.likelihoods.cross_entropy`."""
    if outputs.ndim != 2 or outputs.shape[1] > _FEW or not are_classes(targets):
        return likelihoods.cross_entropy(outputs, targets, label_smoothing=label_smoothing)  # pyright: ignore[reportArgumentType]
    lower = outputs - outputs.amax(dim=1, keepdim=True).detach()
    wanted = zero_one(outputs, targets)
    if isinstance(label_smoothing, Tensor) or label_smoothing > 0:
        wanted = wanted * (1 - label_smoothing) + label_smoothing / outputs.shape[1]
    return lower.exp().sum(dim=1).log() - (lower * wanted).sum(dim=1)

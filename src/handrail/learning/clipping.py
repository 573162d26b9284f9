"""Clipping: gradients kept within bounds before they are used. Changes `.grad` in place."""

from collections.abc import Iterable

from torch import Tensor
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from handrail.components import component
from handrail.components.arguments import Positive


@component("clip")
def by_value(parameters: Iterable[Tensor], *, limit: Positive = 1.0) -> None:
    """Clip each value of the gradient to [−limit, limit]; its direction may change.

    Source: Mikolov 2012
    """
    clip_grad_value_(parameters, limit)


@component("clip")
def by_norm(parameters: Iterable[Tensor], *, limit: Positive = 1.0) -> None:
    """Shorten the whole gradient to the length `limit` where it is longer: g ← g · min(1, limit/‖g‖).

    Source: Pascanu, Mikolov & Bengio 2013
    """
    clip_grad_norm_(parameters, limit)

"""A linear forecast of the distance to the last value."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, Initialisation
from handrail.errors import RecipeError
from handrail.layers.initialisations import initialise
from handrail.shapes import SeriesShape


@component("model", name="nlinear")
class NLinear(nn.Module):
    """Each target from its own past, relative to its last value: ŷ = g·x_L + W·(x − x_L) + b.

    The level of a series drifts away from that of the training rows; the distance to the last value does not.
    One W serves all targets. It begins close to the naive forecast: W small, b = 0, g = 1. Unlike in the
    paper, g (one number an output) is learned, as inputs and targets are standardised apart.

    Arguments:
        inputs: channels and length; the targets are the first channels, the others are not looked at.
        outputs: steps ahead, of all targets one behind the other.
        targets: number of targets.
        initialisation: how W begins.

    Raises: `RecipeError` where `outputs` is no multiple of `targets`, or there are fewer channels.

    Source: Zeng, Chen, Zhang & Xu 2023
    """

    def __init__(
        self,
        inputs: SeriesShape,
        outputs: int,
        *,
        targets: Count = 1,
        initialisation: Initialisation = {"small_random": {"std": 0.001}},  # noqa: B006 - never changed
    ) -> None:
        super().__init__()
        channels, length = inputs
        if outputs % targets or channels < targets:
            raise RecipeError(
                f"model.nlinear.targets: found {targets}, with {outputs} outputs and {channels} channels; "
                "expected the number of columns that are forecast."
            )
        self.targets = targets
        self.head = nn.Linear(length, outputs // targets, bias=False)
        self.gain = nn.Parameter(torch.ones(outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        initialise(self, initialisation)

    def forward(self, x: Float[Tensor, "rows channels length"]) -> Float[Tensor, "rows outputs"]:
        past = x[:, : self.targets]
        last = past[:, :, -1:]  # [rows, targets, 1]
        change = self.head(past - last)  # [rows, targets, horizon]
        return self.gain * last.expand_as(change).flatten(1) + change.flatten(1) + self.bias

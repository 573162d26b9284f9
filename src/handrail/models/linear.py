"""The single layer of neurons."""

from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import Slot, component
from handrail.layers.initialisations import initialise
from handrail.shapes import ImageShape, SeriesShape, VolumeShape, numbers_in


@component("model")
class Linear(nn.Module):
    """One layer of linear units: y = W·x + b.

    With Rosenblatt's rule it is the perceptron, with squared error ADALINE, with cross-entropy logistic
    regression.

    Arguments:
        inputs: number of inputs; images, series and volumes are flattened.
        outputs: number of units.
        initialisation: how the weights begin.

    Source: Rosenblatt 1958; Widrow & Hoff 1960
    """

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: int,
        *,
        initialisation: Annotated[Any, Slot("initialisation")] = "xavier",
    ) -> None:
        super().__init__()
        self.head = nn.Linear(numbers_in(inputs), outputs)
        initialise(self, initialisation, generator=seeded_generator())

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows outputs"]:
        """Raw scores."""
        return self.head(x.flatten(1))


def seeded_generator() -> torch.Generator:
    """A generator of its own that continues from torch's current seed, so that a seeded build repeats."""
    return torch.Generator().manual_seed(int(torch.randint(2**62, ()).item()))

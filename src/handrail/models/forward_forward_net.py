"""A network that is given a label with its inputs, and is the more active the better the two go together."""

from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from handrail.components import build, component
from handrail.components.arguments import Activation, Count, Initialisation, Positive
from handrail.layers.initialisations import initialise
from handrail.shapes import ImageShape, SeriesShape, VolumeShape, numbers_in

_TINY = 1e-6


@component("model")
class ForwardForwardNet(nn.Module):
    """The score of a class is the sum of the layers' goodness where the class is put in as the label.

    Each layer is a⁽ˡ⁾ = f(W⁽ˡ⁾·â⁽ˡ⁻¹⁾ + b⁽ˡ⁾), â = a/√(mean of a²): a layer is given which units below it
    are active, and not how active they are. The inputs are x and the label as one-hot numbers, scaled.
    Goodness is the mean of the squares of a. Of two classes the score is the second's less the first's.

    Arguments:
        inputs: images, series and volumes are flattened.
        outputs: number of classes; 1 for two of them.
        hidden: units of each layer.
        activation: f.
        label: the size of the label beside that of the inputs: 1 is √width, the length of a standardised row.
        initialisation: how the weights begin.

    Source: Hinton 2022
    """

    rules: ClassVar[tuple[str, ...]] = ("forward_forward",)

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: int,
        *,
        hidden: list[Count] = [128, 128],  # noqa: B006 - never changed; shown as the default
        activation: Activation = "relu",
        label: Positive = 1.0,
        initialisation: Initialisation = "he",
    ) -> None:
        super().__init__()
        self.width, self.classes = numbers_in(inputs), max(2, outputs)
        self.size = label * self.width**0.5
        widths = [self.width + self.classes, *hidden]
        self.layers = nn.ModuleList(nn.Linear(before, units) for before, units in pairwise(widths))
        self.activations = nn.ModuleList(build("activation", activation, units) for units in hidden)
        initialise(self, initialisation)

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows outputs"]:
        goodness = torch.stack([goodness_of(active) for active in self.active(x)]).sum(dim=0)
        return goodness if self.classes > 2 else goodness[:, 1:] - goodness[:, :1]

    @property
    def dense(self) -> list[nn.Linear]:
        """The layers, from the inputs on."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def active(self, x: Float[Tensor, "rows ..."]) -> Iterator[Float[Tensor, "rows classes units"]]:
        """What the units of each layer give for each class as the label."""
        first, *others = self.dense
        of_rows, of_labels = first.weight.split([self.width, self.classes], dim=1)
        sums = nn.functional.linear(x.flatten(1), of_rows, first.bias).unsqueeze(1) + self.size * of_labels.T
        for activation, layer in zip(self.activations, [*others, None], strict=True):
            active = activation(sums)
            yield active
            if layer is not None:
                sums = layer(even(active))

    def with_label(
        self, x: Float[Tensor, "rows ..."], labels: Int[Tensor, " rows"]
    ) -> Float[Tensor, "rows width"]:
        """What the first layer is given."""
        one_hot = nn.functional.one_hot(labels, self.classes).to(x.dtype)
        return torch.cat([x.flatten(1), self.size * one_hot], dim=1)


def goodness_of(active: Float[Tensor, "*rows units"]) -> Float[Tensor, "*rows"]:
    """The mean of the squares."""
    return active.square().mean(dim=-1)


def even(active: Float[Tensor, "*rows units"]) -> Float[Tensor, "*rows units"]:
    """Active units with their goodness taken out: which they are, but not how active they are together."""
    return active / (goodness_of(active).sqrt().unsqueeze(-1) + _TINY)

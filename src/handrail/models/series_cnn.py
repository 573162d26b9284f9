"""A residual network for series."""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Activation, Count, Rate
from handrail.errors import RecipeError
from handrail.layers.convolution import ConvAct
from handrail.layers.initialisations import initialise
from handrail.layers.noise import Dropout
from handrail.layers.normalisation import BatchNorm
from handrail.shapes import SeriesShape


@component("model", name="series_cnn")
class SeriesCNN(nn.Module):
    """Residual network of 1-D convolutions: blocks of three with 8, 5 and 3 steps, then the mean over time.

    Each block gives relu(F(x) + shortcut(x)), the shortcut a 1×1 convolution where the channels change.
    Deviation from the paper: kernels of 7 steps in place of 8, which have a middle.

    Arguments:
        widths: channels of each block.
        activation: after each convolution.
        dropout: share of the last channels' means set to zero in training.

    Raises: `RecipeError` for an empty list of widths.

    Source: Wang, Yan & Oates 2017
    """

    def __init__(
        self,
        inputs: SeriesShape,
        outputs: int,
        *,
        widths: list[Count] = [64, 128, 128],  # noqa: B006 - never changed; shown as the default
        activation: Activation = "relu",
        dropout: Rate = 0.0,
    ) -> None:
        super().__init__()
        if not widths:
            raise RecipeError(
                "model.series_cnn.widths: found an empty list; expected the channels of a block."
            )
        channels = inputs[0]
        blocks: list[nn.Module] = []
        for width in widths:
            blocks.append(_Block(channels, width, activation))
            channels = width
        self.features = nn.Sequential(*blocks)
        self.dropout = Dropout(dropout) if dropout else nn.Identity()
        self.head = nn.Linear(channels, outputs)
        initialise(self, "he")

    def forward(self, x: Float[Tensor, "rows channels length"]) -> Float[Tensor, "rows outputs"]:
        return self.head(self.dropout(self.features(x).mean(dim=2)))


class _Block(nn.Module):
    """y = relu(F(x) + shortcut(x)), F three convolutions."""

    def __init__(self, inputs: int, outputs: int, activation: Any) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(inputs, outputs, 7, activation),
            _convolution(outputs, outputs, 5, activation),
            _convolution(outputs, outputs, 3, "linear"),
        )
        if inputs == outputs:
            self.shortcut: nn.Module = nn.Identity()
        else:
            self.shortcut = nn.Sequential(nn.Conv1d(inputs, outputs, 1, bias=False), BatchNorm(outputs))

    def forward(self, x: Float[Tensor, "rows inputs length"]) -> Float[Tensor, "rows outputs length"]:
        return torch.relu(self.body(x) + self.shortcut(x))


def _convolution(inputs: int, outputs: int, kernel: Literal[3, 5, 7], activation: Any) -> ConvAct:
    return ConvAct(inputs, outputs, dimensions=1, kernel=kernel, normalisation="batch", activation=activation)

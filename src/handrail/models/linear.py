"""The single layer of neurons."""

from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Initialisation
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
        initialisation: Initialisation = "xavier",
    ) -> None:
        super().__init__()
        self.head = nn.Linear(numbers_in(inputs), outputs)
        initialise(self, initialisation)

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows outputs"]:
        """Raw scores."""
        return self.head(x.flatten(1))

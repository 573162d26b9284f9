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

    It is the perceptron (Rosenblatt's rule), ADALINE (squared error) or logistic regression (cross-entropy).

    Arguments:
        inputs: images, series and volumes are flattened.
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
        return self.head(x.flatten(1))

"""A network as a list of layers."""

from typing import Annotated, Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from handrail.components import Slot, component
from handrail.components.arguments import Initialisation
from handrail.errors import RecipeError
from handrail.layers.blocks.stack import stack_layers
from handrail.layers.initialisations import initialise
from handrail.layers.residual import HighwayLayer
from handrail.shapes import ImageShape, SeriesShape, TokenShape, VolumeShape, numbers_in

Rows = Float[Tensor, "rows ..."] | Int[Tensor, "rows length"]


@component("model")
class Layers(nn.Module):
    """A list of layers, one after the other, then linear output units on all that is left.

    In a recipe: `model: {layers: [{convolution: {channels: 6, kernel: 5}}, tanh, pool, flatten, tanh]}`. Each
    is a layer or an activation by its name; `handrail list layer` shows them. What the last one gives is
    flattened and connected to as many output units as the task needs.

    Arguments:
        inputs: numbers, images, volumes, series or tokens, as the first layer takes them.
        layers: the layers in order; an empty list for output units alone.
        initialisation: how the weights of dense and convolutional layers begin.

    Raises: `RecipeError` with the place in the list of a layer that does not fit the one before.

    Source: LeCun et al. 1998
    """

    def __init__(
        self,
        inputs: int | ImageShape | VolumeShape | SeriesShape | TokenShape,
        outputs: int,
        *,
        layers: Annotated[Any, Slot("layer", many=True)] = ("flatten", {"dense": {"units": 64}}, "relu"),
        initialisation: Initialisation = "he",
    ) -> None:
        super().__init__()
        modules, shape = stack_layers(layers, inputs, where="model.layers")
        if isinstance(shape, TokenShape):
            raise RecipeError(
                "model.layers: the output units need numbers, found tokens; begin with embedding."
            )
        self.features = nn.Sequential(*modules)
        self.head = nn.Linear(numbers_in(shape), outputs)
        initialise(self, initialisation)
        for module in self.modules():
            if isinstance(module, HighwayLayer):
                module.set_gates()

    def forward(self, x: Rows) -> Float[Tensor, "rows outputs"]:
        return self.head(self.features(x).flatten(1))

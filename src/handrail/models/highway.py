"""Highway networks."""

from typing import Annotated

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from handrail.components import build, component
from handrail.components.arguments import Activation, Count, Finite, Initialisation
from handrail.layers.initialisations import initialise
from handrail.layers.residual import HighwayLayer
from handrail.shapes import ImageShape, numbers_in


@component("model", name="highway")
class Highway(nn.Module):
    """Deep fully connected network whose gates decide how much a layer changes: y = H(x)·T(x) + x·(1 − T(x)).

    The first layer brings the inputs to the width, depth − 2 highway layers follow, and linear output units.

    Arguments:
        depth: layers in all.
        width: units of each hidden layer.
        gate_bias: where the gates' biases begin, below zero so that at first most is carried on; the paper
            takes −1 to −10. Null for the plain twin without gates, which no longer trains at this depth.
        activation: of the hidden layers.
        initialisation: how the weights begin.

    Source: Srivastava, Greff & Schmidhuber 2015
    """

    def __init__(
        self,
        inputs: int | ImageShape,
        outputs: int,
        *,
        depth: Annotated[int, Field(ge=3)] = 50,
        width: Count = 50,
        gate_bias: Finite | None = -4.0,
        activation: Activation = "tanh",
        initialisation: Initialisation = "xavier",
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Linear(numbers_in(inputs), width),
            build("activation", activation, width),
        ]
        for _ in range(depth - 2):
            if gate_bias is None:
                layers += [nn.Linear(width, width), build("activation", activation, width)]
            else:
                layers.append(HighwayLayer(width, activation=activation, gate_bias=gate_bias))
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(width, outputs)
        initialise(self, initialisation)
        for layer in self.features:
            if isinstance(layer, HighwayLayer):
                layer.set_gates()

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows outputs"]:
        return self.head(self.features(x.flatten(1)))

"""The multilayer perceptron."""

from typing import Annotated, Any, Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from handrail.components import Slot, build, component
from handrail.layers.initialisations import initialise
from handrail.layers.noise import GaussianNoise, NoisyLinear
from handrail.models.linear import seeded_generator

Width = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Deviation = Annotated[float, Field(ge=0)]


@component("model", name="mlp")
class MLP(nn.Module):
    """Fully connected layers: a⁽ˡ⁾ = f(W⁽ˡ⁾·a⁽ˡ⁻¹⁾ + b⁽ˡ⁾), with linear output units.

    Each hidden layer is: weights → normalisation → activation → dropout.

    Arguments:
        inputs: number of inputs.
        outputs: number of output units.
        hidden: units of each hidden layer; an empty list gives a single layer.
        activation: of the hidden layers.
        dropout: share of hidden units set to zero in training.
        input_noise: standard deviation of Gaussian noise added to the inputs in training.
        weight_noise: standard deviation of Gaussian noise added to the weights in training.
        normalisation: batch or layer normalisation before each activation.
        initialisation: how the weights begin.

    Source: Rumelhart, Hinton & Williams 1986; dropout: Srivastava 2014; batch normalisation: Ioffe & Szegedy 2015;
    layer normalisation: Ba 2016; noise: Bishop 1995, Graves 2011.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        hidden: list[Width] = [128, 64],  # noqa: B006 - never changed; shown as the default
        activation: Annotated[Any, Slot("activation")] = "relu",
        dropout: Rate = 0.0,
        input_noise: Deviation = 0.0,
        weight_noise: Deviation = 0.0,
        normalisation: Literal["none", "batch", "layer"] = "none",
        initialisation: Annotated[Any, Slot("initialisation")] = "he",
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [GaussianNoise(input_noise)] if input_noise else []
        width = inputs
        for units in hidden:
            layers.append(_dense(width, units, weight_noise))
            if normalisation != "none":
                layers.append(nn.BatchNorm1d(units) if normalisation == "batch" else nn.LayerNorm(units))
            layers.append(build("activation", activation, units))
            if dropout:
                layers.append(nn.Dropout(dropout))
            width = units
        self.features = nn.Sequential(*layers)
        self.head = _dense(width, outputs, weight_noise)
        initialise(self, initialisation, generator=seeded_generator())

    def forward(self, x: Float[Tensor, "rows inputs"]) -> Float[Tensor, "rows outputs"]:
        """Raw scores."""
        return self.head(self.features(x))


def _dense(inputs: int, outputs: int, noise: float) -> nn.Linear:
    return NoisyLinear(inputs, outputs, std=noise) if noise else nn.Linear(inputs, outputs)

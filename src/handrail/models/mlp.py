"""The multilayer perceptron."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import build, component
from handrail.components.arguments import Activation, Count, Initialisation, NonNegative, Rate
from handrail.errors import RecipeError
from handrail.layers.initialisations import initialise
from handrail.layers.noise import Dropout, GaussianNoise, NoisyLinear
from handrail.layers.normalisation import BatchNormRows
from handrail.shapes import ImageShape, SeriesShape, VolumeShape, numbers_in


@component("model", name="mlp")
class MLP(nn.Module):
    """Fully connected layers: a⁽ˡ⁾ = f(W⁽ˡ⁾·a⁽ˡ⁻¹⁾ + b⁽ˡ⁾), with linear output units.

    Each hidden layer is: weights → normalisation → activation → dropout.

    Arguments:
        inputs: images, series and volumes are flattened.
        hidden: units of each hidden layer; an empty list gives a single layer.
        activation: of the hidden layers.
        dropout: share of hidden units set to zero in training.
        input_noise: standard deviation of Gaussian noise added to the inputs in training.
        weight_noise: standard deviation of Gaussian noise added to the weights in training.
        normalisation: batch or layer normalisation before each activation.
        initialisation: how the weights begin.

    Raises: `RecipeError` for settings of hidden layers where there are none.

    Source: Rumelhart, Hinton & Williams 1986; dropout: Srivastava 2014; batch normalisation: Ioffe & Szegedy
    2015; layer normalisation: Ba 2016; noise: Bishop 1995, Graves 2011
    """

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: int,
        *,
        hidden: list[Count] = [128, 64],  # noqa: B006 - never changed; shown as the default
        activation: Activation = "relu",
        dropout: Rate = 0.0,
        input_noise: NonNegative = 0.0,
        weight_noise: NonNegative = 0.0,
        normalisation: Literal["none", "batch", "layer"] = "none",
        initialisation: Initialisation = "he",
    ) -> None:
        super().__init__()
        if not hidden and (dropout or normalisation != "none"):
            name = "dropout" if dropout else "normalisation"
            raise RecipeError(
                f"model.mlp.{name}: has no effect without hidden layers; omit it, or set model.mlp.hidden."
            )
        layers: list[nn.Module] = [GaussianNoise(input_noise)] if input_noise else []
        width = numbers_in(inputs)
        for units in hidden:
            layers.append(_dense(width, units, weight_noise))
            if normalisation != "none":
                layers.append(BatchNormRows(units) if normalisation == "batch" else nn.LayerNorm(units))
            layers.append(build("activation", activation, units))
            if dropout:
                layers.append(Dropout(dropout))
            width = units
        self.features = nn.Sequential(*layers)
        self.head = _dense(width, outputs, weight_noise)
        initialise(self, initialisation)

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows outputs"]:
        return self.head(self.features(x.flatten(1)))


def _dense(inputs: int, outputs: int, noise: float) -> nn.Linear:
    return NoisyLinear(inputs, outputs, std=noise) if noise else nn.Linear(inputs, outputs)

"""LeNet-5."""

from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import build, component
from handrail.components.arguments import Activation, Initialisation, Rate
from handrail.layers.convolution import ConvAct
from handrail.layers.initialisations import initialise
from handrail.layers.noise import Dropout
from handrail.layers.pooling import PoolKind
from handrail.shapes import ImageShape

_DRAWN_FOR = 32  # pixels; MNIST's 28 stand in the middle of them
_SMALLEST = 16  # what leaves one position after both convolutions and poolings
_LAST = 5  # positions a side that reach the fully connected layers


@component("model", name="lenet5")
class LeNet5(nn.Module):
    """LeNet-5: 6 maps by 5×5 convolution, pooling, 16 maps, pooling, then 120, 84 and the output units.

    61,706 parameters for 28×28 or 32×32 grey images and 10 classes. Deviations from the paper: the second
    convolution is connected to all maps, pooling has no weights, the output units are linear. Images below 32
    pixels get a border of zeros (2 pixels, more below 12); of larger ones the last maps are averaged to 5×5.

    Arguments:
        activation: of all hidden layers; the paper's is `tanh`.
        pooling: the paper's is `average`; `stochastic` needs an activation that is not negative.
        dropout: share of the 120 and 84 units set to zero in training.
        initialisation: how the weights begin.

    Source: LeCun, Bottou, Bengio & Haffner 1998
    """

    def __init__(
        self,
        inputs: ImageShape,
        outputs: int,
        *,
        activation: Activation = "relu",
        pooling: PoolKind = "max",
        dropout: Rate = 0.0,
        initialisation: Initialisation = "he",
    ) -> None:
        super().__init__()
        channels, *size = inputs
        border = tuple(_border(side) for side in size)
        self.features = nn.Sequential(
            ConvAct(channels, 6, kernel=5, padding=border, activation=activation, pooling=pooling),
            ConvAct(6, 16, kernel=5, padding=0, activation=activation, pooling=pooling),
        )
        last = [_pool(_pool(side + 2 * extra - 4) - 4) for side, extra in zip(size, border, strict=True)]
        sides = (min(last[0], _LAST), min(last[1], _LAST))
        self.fitted = nn.Identity() if list(sides) == last else nn.AdaptiveAvgPool2d(sides)
        layers: list[nn.Module] = []
        for before, units in ((16 * sides[0] * sides[1], 120), (120, 84)):
            layers += [nn.Linear(before, units), build("activation", activation, units)]
            if dropout:
                layers.append(Dropout(dropout))
        self.dense = nn.Sequential(*layers)
        self.head = nn.Linear(84, outputs)
        initialise(self, initialisation)

    def forward(self, x: Float[Tensor, "rows channels height width"]) -> Float[Tensor, "rows outputs"]:
        return self.head(self.dense(self.fitted(self.features(x)).flatten(1)))


def _border(side: int) -> int:
    return max(2 if side < _DRAWN_FOR else 0, -(-(_SMALLEST - side) // 2))


def _pool(side: int) -> int:
    return -(-side // 2)

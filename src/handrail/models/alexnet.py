"""AlexNet."""

from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, Rate
from handrail.layers.convolution import ConvAct
from handrail.layers.initialisations import initialise
from handrail.layers.noise import Dropout
from handrail.layers.pooling import Pool
from handrail.shapes import ImageShape

_PHOTO = 96  # pixels; smaller images have no room for a first kernel of 11 pixels with stride 4


@component("model", name="alexnet")
class AlexNet(nn.Module):
    """AlexNet in one tower: five convolutions with max pooling, then two hidden layers with dropout.

    61,100,840 parameters for 224×224 or 227×227 colour images and 1000 classes. Images below 96 pixels begin
    with a kernel of 5 pixels and stride 1 in place of 11 and 4; larger last maps are averaged to 6×6.

    Arguments:
        width: maps of the first convolution; the others have 3, 6, 4 and 4 times as many.
        hidden: units of each of the two hidden layers.
        dropout: share of the inputs of the hidden layers set to zero in training.

    Source: Krizhevsky, Sutskever & Hinton 2012; one tower, without response normalisation: Krizhevsky 2014
    """

    def __init__(
        self,
        inputs: ImageShape,
        outputs: int,
        *,
        width: Count = 64,
        hidden: Count = 4096,
        dropout: Rate = 0.5,
    ) -> None:
        super().__init__()
        kernel, stride = (11, 4) if min(inputs[1:]) >= _PHOTO else (5, 1)
        self.features = nn.Sequential(
            ConvAct(
                inputs[0], width, kernel=kernel, stride=stride, padding=2, pooling="max", window=3, step=2
            ),
            ConvAct(width, 3 * width, kernel=5, pooling="max", window=3, step=2),
            ConvAct(3 * width, 6 * width),
            ConvAct(6 * width, 4 * width),
            ConvAct(4 * width, 4 * width, pooling="max", window=3, step=2),
        )
        sides = [-(-(side + 4 - kernel + 1) // stride) for side in inputs[1:]]
        height, wide = (min(_pool_thrice(side), 6) for side in sides)
        self.fitted = nn.AdaptiveAvgPool2d((height, wide))
        self.dense = nn.Sequential(
            Dropout(dropout),
            nn.Linear(4 * width * height * wide, hidden),
            nn.ReLU(),
            Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
        )
        self.head = nn.Linear(hidden, outputs)
        initialise(self, "he")

    def forward(self, x: Float[Tensor, "rows channels height width"]) -> Float[Tensor, "rows outputs"]:
        return self.head(self.dense(self.fitted(self.features(x)).flatten(1)))


def _pool_thrice(side: int) -> int:
    for _ in range(3):
        side = Pool.size_after(side, window=3, stride=2)
    return side

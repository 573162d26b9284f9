"""VGG networks."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, Rate
from handrail.layers.convolution import ConvAct, Normalisation
from handrail.layers.initialisations import initialise
from handrail.layers.noise import Dropout
from handrail.shapes import ImageShape

_CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_LAST = 7  # positions a side that reach the fully connected layers


@component("model", name="vgg")
class VGG(nn.Module):
    """VGG: five stages of 3×3 convolutions that each end in max pooling, then two hidden layers with dropout.

    VGG-16 has 138,357,544 parameters for 224×224 colour images and 1000 classes. A smaller image leaves fewer
    than 7×7 positions, and so fewer inputs, to the first hidden layer; larger last maps are averaged to 7×7.

    Arguments:
        layers: with weights: 11, 13, 16 or 19 (the paper's A, B, D and E).
        width: maps of the first stage; the others have 2, 4, 8 and 8 times as many.
        hidden: units of each of the two hidden layers.
        normalisation: before each activation of the convolutions; the paper has none.
        dropout: share of the hidden units set to zero in training.

    Source: Simonyan & Zisserman 2014
    """

    def __init__(
        self,
        inputs: ImageShape,
        outputs: int,
        *,
        layers: Literal[11, 13, 16, 19] = 16,
        width: Count = 64,
        hidden: Count = 4096,
        normalisation: Normalisation = "none",
        dropout: Rate = 0.5,
    ) -> None:
        super().__init__()
        channels, *size = inputs
        stages: list[nn.Module] = []
        for times, count in zip((1, 2, 4, 8, 8), _CONVOLUTIONS[layers], strict=True):
            for number in range(1, count + 1):
                pooling = "max" if number == count else "none"
                stages.append(ConvAct(channels, times * width, normalisation=normalisation, pooling=pooling))
                channels = times * width
        self.features = nn.Sequential(*stages)
        last = [min(-(-side // 32), _LAST) for side in size]  # halved five times, rounded up
        self.fitted = nn.AdaptiveAvgPool2d((last[0], last[1]))
        self.dense = nn.Sequential(
            nn.Linear(channels * last[0] * last[1], hidden),
            nn.ReLU(),
            Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            Dropout(dropout),
        )
        self.head = nn.Linear(hidden, outputs)
        initialise(self, "he")

    def forward(self, x: Float[Tensor, "rows channels height width"]) -> Float[Tensor, "rows outputs"]:
        return self.head(self.dense(self.fitted(self.features(x)).flatten(1)))

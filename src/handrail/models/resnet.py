"""Residual networks, and their twin without shortcuts."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count
from handrail.layers.convolution import ConvAct
from handrail.layers.initialisations import initialise
from handrail.layers.residual import Bottleneck, ResidualBlock, Shortcut
from handrail.shapes import ImageShape

_PHOTOS: dict[int, tuple[type[ResidualBlock] | type[Bottleneck], tuple[int, ...]]] = {
    18: (ResidualBlock, (2, 2, 2, 2)),
    34: (ResidualBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}
_LARGE = 64  # pixels; smaller images keep their size through the first layer


@component("model", name="resnet")
class ResNet(nn.Module):
    """A residual network: every block adds to what it was given, y = relu(F(x) + x).

    Two forms. Depths 20, 32, 44, 56 and 110 are for small images (CIFAR): three stages of 16, 32 and 64 maps;
    ResNet-20 has 0.27 million parameters. Depths 18, 34 and 50 are for photos (ImageNet): 7×7 convolution and
    pooling, then four stages of 64 to 512 maps (times 4 with 50); images below 64 pixels begin with a 3×3
    convolution in place of both.

    Arguments:
        depth: layers with weights.
        width: maps of the first stage, doubled from stage to stage; by default as in the paper, 16 for small
            images and 64 for photos.
        shortcut: where a stage begins: `zeros` (option A, no parameters) or `projection` (option B); by
            default as in the paper, zeros for small images and projections for photos.

    Source: He, Zhang, Ren & Sun 2016 (Deep Residual Learning)
    """

    def __init__(
        self,
        inputs: ImageShape,
        outputs: int,
        *,
        depth: Literal[18, 20, 32, 34, 44, 50, 56, 110] = 20,
        width: Count | None = None,
        shortcut: Literal["zeros", "projection"] | None = None,
    ) -> None:
        super().__init__()
        if depth in _PHOTOS:
            self.features, channels = _for_photos(inputs, depth, width or 64, shortcut or "projection")
        else:
            self.features, channels = _for_small_images(inputs, depth, width or 16, shortcut or "zeros")
        self.head = nn.Linear(channels, outputs)
        initialise(self, "he")

    def forward(self, x: Float[Tensor, "rows channels height width"]) -> Float[Tensor, "rows outputs"]:
        return self.head(self.features(x).mean(dim=(2, 3)))


@component("model", name="plain_net")
class PlainNet(nn.Module):
    """The residual network for small images without its shortcuts: y = relu(F(x)).

    For comparison: with 20 layers it learns about as well as its residual twin, with 56 clearly worse.

    Arguments:
        depth: layers with weights.
        width: maps of the first stage, doubled from stage to stage.

    Source: He, Zhang, Ren & Sun 2016 (Deep Residual Learning)
    """

    def __init__(
        self,
        inputs: ImageShape,
        outputs: int,
        *,
        depth: Literal[20, 32, 44, 56, 110] = 20,
        width: Count = 16,
    ) -> None:
        super().__init__()
        self.features, channels = _for_small_images(inputs, depth, width, "none")
        self.head = nn.Linear(channels, outputs)
        initialise(self, "he")

    def forward(self, x: Float[Tensor, "rows channels height width"]) -> Float[Tensor, "rows outputs"]:
        return self.head(self.features(x).mean(dim=(2, 3)))


def _for_small_images(
    inputs: ImageShape, depth: int, width: int, shortcut: Shortcut
) -> tuple[nn.Sequential, int]:
    """The paper's network for CIFAR, 6n + 2 layers deep, without its output layer, and its last width."""
    layers: list[nn.Module] = [ConvAct(inputs[0], width, normalisation="batch")]
    channels = width
    for stage in range(3):
        for number in range((depth - 2) // 6):
            stride = 2 if number == 0 and stage > 0 else 1
            layers.append(ResidualBlock(channels, width * 2**stage, stride=stride, shortcut=shortcut))
            channels = width * 2**stage
    return nn.Sequential(*layers), channels


def _for_photos(inputs: ImageShape, depth: int, width: int, shortcut: Shortcut) -> tuple[nn.Sequential, int]:
    block, counts = _PHOTOS[depth]
    if min(inputs[1:]) < _LARGE:
        layers: list[nn.Module] = [ConvAct(inputs[0], width, normalisation="batch")]
    else:
        layers = [
            ConvAct(inputs[0], width, kernel=7, stride=2, normalisation="batch"),
            nn.MaxPool2d(3, stride=2, padding=1),
        ]
    channels = width
    for stage, count in enumerate(counts):
        wide = width * 2**stage * (4 if block is Bottleneck else 1)
        for number in range(count):
            stride = 2 if number == 0 and stage > 0 else 1
            layers.append(block(channels, wide, stride=stride, shortcut=shortcut))
            channels = wide
    return nn.Sequential(*layers), channels

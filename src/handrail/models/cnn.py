"""Plain convolutional networks for images and volumes of any size."""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Activation, Count, Initialisation, Rate
from handrail.errors import RecipeError
from handrail.layers.convolution import ConvAct, Normalisation, usual_widths
from handrail.layers.initialisations import initialise
from handrail.layers.noise import Dropout
from handrail.layers.pooling import PoolKind
from handrail.shapes import ImageShape, VolumeShape


class _Stages(nn.Module):
    """Stages of convolutions, the mean of every map, and linear output units."""

    def __init__(
        self, layers: list[nn.Module], channels: int, outputs: int, dropout: float, initialisation: Any
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(*layers)
        self.dropout = Dropout(dropout) if dropout else nn.Identity()
        self.head = nn.Linear(channels, outputs)
        initialise(self, initialisation)

    def _scores(self, x: Tensor) -> Tensor:
        maps = self.features(x)
        return self.head(self.dropout(maps.mean(dim=tuple(range(2, maps.ndim)))))


@component("model", name="cnn")
class CNN(_Stages):
    """Stages of convolutions that each end in pooling, then the mean of every map, and linear output units.

    As it ends in the mean of each map, it takes any image size.

    Arguments:
        widths: maps of each stage; by default 32, 64, 128, …, until the image is halved to about 4 pixels.
        convolutions: of each stage.
        kernel: side of the kernels, in pixels, an odd number.
        dilation: distance of the pixels that a kernel sees, 1 for neighbours.
        depthwise: split all but the first convolution into one for each map and a 1×1 one across the maps.
        activation: after every convolution.
        normalisation: before each activation.
        pooling: at the end of each stage; stochastic after activations that are not negative.
        dropout: share of the last maps' means set to zero in training.
        initialisation: how the weights begin.

    Raises: `RecipeError` for a kernel of even size, an empty list of widths, or stochastic pooling after
    activations that can be negative.

    Source: LeCun et al. 1998; 3×3 stages: Simonyan & Zisserman 2014; global average: Lin, Chen & Yan 2013;
    depthwise: Chollet 2017; dilation: Yu & Koltun 2016;
    stochastic pooling: Zeiler & Fergus 2013
    """

    def __init__(
        self,
        inputs: ImageShape,
        outputs: int,
        *,
        widths: list[Count] | None = None,
        convolutions: Count = 2,
        kernel: Count = 3,
        dilation: Count = 1,
        depthwise: bool = False,
        activation: Activation = "relu",
        normalisation: Normalisation = "batch",
        pooling: PoolKind = "max",
        dropout: Rate = 0.0,
        initialisation: Initialisation = "he",
    ) -> None:
        _check("cnn", widths, kernel)
        channels, *size = inputs
        layers: list[nn.Module] = []
        for width in usual_widths(min(size)) if widths is None else widths:
            for number in range(1, convolutions + 1):
                side, distance = kernel, dilation
                if depthwise and layers:
                    layers.append(_depthwise(channels, kernel, dilation))
                    side, distance = 1, 1
                options = {"kernel": side, "dilation": distance, "activation": activation}
                last = pooling if number == convolutions else "none"
                layers.append(ConvAct(channels, width, normalisation=normalisation, pooling=last, **options))
                channels = width
        super().__init__(layers, channels, outputs, dropout, initialisation)

    def forward(self, x: Float[Tensor, "rows channels height width"]) -> Float[Tensor, "rows outputs"]:
        return self._scores(x)


@component("model", name="volume_cnn")
class VolumeCNN(_Stages):
    """Stages of 3-D convolutions that each end in pooling, then the mean of every map, and linear outputs.

    Arguments:
        widths: maps of each stage; by default 16, 32, 64, …, until height and width are about 4 voxels.
        convolutions, activation, normalisation, dropout, initialisation: as for `cnn`.
        kernel: side of the kernels, in voxels, an odd number.
        pooling: as for `cnn`; a side of one voxel stays one.

    Raises: `RecipeError` for a kernel of even size, an empty list of widths, or stochastic pooling after
    activations that can be negative.

    Source: Ji et al. 2010; Tran et al. 2015
    """

    def __init__(
        self,
        inputs: VolumeShape,
        outputs: int,
        *,
        widths: list[Count] | None = None,
        convolutions: Count = 1,
        kernel: Count = 3,
        activation: Activation = "relu",
        normalisation: Normalisation = "batch",
        pooling: PoolKind = "max",
        dropout: Rate = 0.0,
        initialisation: Initialisation = "he",
    ) -> None:
        _check("volume_cnn", widths, kernel)
        channels = inputs[0]
        layers: list[nn.Module] = []
        for width in usual_widths(min(inputs[2:]), first=16) if widths is None else widths:
            for number in range(1, convolutions + 1):
                options = {"dimensions": 3, "kernel": kernel, "activation": activation}
                last = pooling if number == convolutions else "none"
                layers.append(ConvAct(channels, width, normalisation=normalisation, pooling=last, **options))
                channels = width
        super().__init__(layers, channels, outputs, dropout, initialisation)

    def forward(self, x: Float[Tensor, "rows channels depth height width"]) -> Float[Tensor, "rows outputs"]:
        return self._scores(x)


def _depthwise(channels: int, kernel: int, dilation: int) -> ConvAct:
    return ConvAct(channels, channels, kernel=kernel, dilation=dilation, groups=channels, activation="linear")


def _check(name: str, widths: list[int] | None, kernel: int) -> None:
    problems = []
    if widths == []:
        problems.append(f"model.{name}.widths: found an empty list; expected widths, such as [32, 64].")
    if kernel % 2 == 0:
        problems.append(
            f"model.{name}.kernel: found {kernel}; expected an odd number, such as {kernel + 1}, "
            "so that the kernel has a middle."
        )
    if problems:
        raise RecipeError(problems)

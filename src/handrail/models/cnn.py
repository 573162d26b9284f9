"""A plain convolutional network for images of any size."""

from typing import Annotated, Any, Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from handrail.components import Slot, component
from handrail.errors import RecipeError
from handrail.layers.convolution import ConvAct, Normalisation
from handrail.layers.dropout import Dropout
from handrail.layers.initialisations import initialise
from handrail.models.linear import seeded_generator
from handrail.models.mlp import Rate, Width
from handrail.shapes import ImageShape

Count = Annotated[int, Field(ge=1)]
_WIDEST, _MOST_STAGES, _LAST = 256, 6, 4


@component("model", name="cnn")
class CNN(nn.Module):
    """Stages of convolutions that each end in pooling, then the mean of every map, and linear output units.

    As it ends in the mean of each map, it takes any image size.

    Arguments:
        widths: maps of each stage; by default 32, 64, 128, 256, …, as many stages as halve the image to about
            4 pixels.
        convolutions: of each stage.
        kernel: side of the kernels, in pixels, an odd number.
        dilation: distance of the pixels that a kernel sees, 1 for neighbours.
        depthwise: whether all but the first convolution are split into one for each map and a 1×1 convolution
            across the maps: fewer parameters.
        activation: after every convolution.
        normalisation: before each activation.
        pooling: at the end of each stage.
        dropout: share of the last maps' means set to zero in training.
        initialisation: how the weights begin.

    Raises: `RecipeError` for a kernel of even size or an empty list of widths.

    Source: LeCun et al. 1998; 3×3 stages: Simonyan & Zisserman 2014; global average: Lin, Chen & Yan 2013;
    depthwise: Chollet 2017; dilation: Yu & Koltun 2016
    """

    def __init__(
        self,
        inputs: ImageShape,
        outputs: int,
        *,
        widths: list[Width] | None = None,
        convolutions: Count = 2,
        kernel: Count = 3,
        dilation: Count = 1,
        depthwise: bool = False,
        activation: Annotated[Any, Slot("activation")] = "relu",
        normalisation: Normalisation = "batch",
        pooling: Literal["max", "average"] = "max",
        dropout: Rate = 0.0,
        initialisation: Annotated[Any, Slot("initialisation")] = "he",
    ) -> None:
        super().__init__()
        check("cnn", widths, kernel)
        channels, *size = inputs
        layers: list[nn.Module] = []
        for width in usual_widths(min(size)) if widths is None else widths:
            for number in range(1, convolutions + 1):
                last = pooling if number == convolutions else "none"
                if depthwise and layers:
                    layers.append(
                        ConvAct(
                            channels,
                            channels,
                            kernel=kernel,
                            dilation=dilation,
                            groups=channels,
                            activation="linear",
                        )
                    )
                side, spread = (1, 1) if depthwise and layers else (kernel, dilation)
                layers.append(
                    ConvAct(
                        channels,
                        width,
                        kernel=side,
                        dilation=spread,
                        activation=activation,
                        normalisation=normalisation,
                        pooling=last,
                    )
                )
                channels = width
        self.features = nn.Sequential(*layers)
        self.dropout = Dropout(dropout) if dropout else nn.Identity()
        self.head = nn.Linear(channels, outputs)
        initialise(self, initialisation, generator=seeded_generator())

    def forward(self, x: Float[Tensor, "rows channels height width"]) -> Float[Tensor, "rows outputs"]:
        """Raw scores."""
        return self.head(self.dropout(self.features(x).mean(dim=(2, 3))))


def usual_widths(side: int, *, first: int = 32) -> list[int]:
    """Twice the maps at each stage, and a stage for each halving of the side down to about 4 positions, two
    at least.
    """
    stages = 2
    while side / 2**stages > _LAST and stages < _MOST_STAGES:
        stages += 1
    return [min(first * 2**stage, _WIDEST) for stage in range(stages)]


def check(name: str, widths: list[int] | None, kernel: int) -> None:
    """Refuse what makes no network.

    Raises: `RecipeError` with everything that is wrong.
    """
    problems = []
    if widths == []:
        problems.append(
            f"model.{name}.widths: found an empty list; expected the width of at least one stage, such as [32, 64]."
        )
    if kernel % 2 == 0:
        problems.append(
            f"model.{name}.kernel: found {kernel}; expected an odd number, such as {kernel + 1}, so that the kernel has a middle."
        )
    if problems:
        raise RecipeError(problems)

"""A plain convolutional network for volumes: video, scans."""

from typing import Annotated, Any, Literal

from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import Slot, component
from handrail.layers.convolution import ConvAct, Normalisation
from handrail.layers.dropout import Dropout
from handrail.layers.initialisations import initialise
from handrail.models.cnn import Count, check, usual_widths
from handrail.models.linear import seeded_generator
from handrail.models.mlp import Rate, Width
from handrail.shapes import VolumeShape


@component("model", name="volume_cnn")
class VolumeCNN(nn.Module):
    """Stages of 3-D convolutions that each end in pooling, then the mean of every map, and linear output
    units.

    Arguments:
        widths: maps of each stage; by default 16, 32, 64, …, as many stages as halve the smaller of height
            and width to about 4 voxels.
        convolutions: of each stage.
        kernel: side of the kernels, in voxels, an odd number.
        activation: after every convolution.
        normalisation: before each activation.
        pooling: at the end of each stage; a side of one voxel stays one.
        dropout: share of the last maps' means set to zero in training.
        initialisation: how the weights begin.

    Raises: `RecipeError` for a kernel of even size or an empty list of widths.

    Source: Ji et al. 2010; Tran et al. 2015
    """

    def __init__(
        self,
        inputs: VolumeShape,
        outputs: int,
        *,
        widths: list[Width] | None = None,
        convolutions: Count = 1,
        kernel: Count = 3,
        activation: Annotated[Any, Slot("activation")] = "relu",
        normalisation: Normalisation = "batch",
        pooling: Literal["max", "average"] = "max",
        dropout: Rate = 0.0,
        initialisation: Annotated[Any, Slot("initialisation")] = "he",
    ) -> None:
        super().__init__()
        check("volume_cnn", widths, kernel)
        channels = inputs[0]
        layers: list[nn.Module] = []
        for width in usual_widths(min(inputs[2:]), first=16) if widths is None else widths:
            for number in range(1, convolutions + 1):
                layers.append(
                    ConvAct(
                        channels,
                        width,
                        dimensions=3,
                        kernel=kernel,
                        activation=activation,
                        normalisation=normalisation,
                        pooling=pooling if number == convolutions else "none",
                    )
                )
                channels = width
        self.features = nn.Sequential(*layers)
        self.dropout = Dropout(dropout) if dropout else nn.Identity()
        self.head = nn.Linear(channels, outputs)
        initialise(self, initialisation, generator=seeded_generator())

    def forward(self, x: Float[Tensor, "rows channels depth height width"]) -> Float[Tensor, "rows outputs"]:
        """Raw scores."""
        return self.head(self.dropout(self.features(x).mean(dim=(2, 3, 4))))

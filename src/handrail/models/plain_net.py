"""The twin of a residual network without its shortcuts."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.layers.initialisations import initialise
from handrail.models.linear import seeded_generator
from handrail.models.resnet import for_small_images
from handrail.shapes import ImageShape


@component("model", name="plain_net")
class PlainNet(nn.Module):
    """The residual network for small images without its shortcuts: y = relu(F(x)).

    It is there for comparison: with 20 layers it learns about as well as its residual twin, with 56 clearly
    worse.

    Arguments:
        depth: layers with weights.

    Source: He, Zhang, Ren & Sun 2016 (Deep Residual Learning)
    """

    def __init__(self, inputs: ImageShape, outputs: int, *, depth: Literal[20, 32, 44, 56, 110] = 20) -> None:
        super().__init__()
        self.features, channels = for_small_images(inputs, depth, "none")
        self.head = nn.Linear(channels, outputs)
        initialise(self, "he", generator=seeded_generator())

    def forward(self, x: Float[Tensor, "rows channels height width"]) -> Float[Tensor, "rows outputs"]:
        """Raw scores."""
        return self.head(self.features(x).mean(dim=(2, 3)))

"""A network whose units see a part of the image and share no weights."""

from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Activation, Count, Rate
from handrail.errors import RecipeError
from handrail.layers.convolution import LocallyConnected, activation_of_channels
from handrail.layers.initialisations import initialise
from handrail.layers.noise import Dropout
from handrail.shapes import ImageShape


@component("model", name="local_net")
class LocalNet(nn.Module):
    """Two or more locally connected layers with stride 2, then linear output units on all that is left.

    Arguments:
        widths: units at each position, of each layer.
        kernel: side of the windows, in positions; the next window begins two further on.
        activation: after every layer.
        dropout: share of the last layer's units set to zero in training.

    Raises: `RecipeError` for an empty list of widths or a kernel that is even.

    Source: LeCun 1989 (Generalization and network design strategies)
    """

    def __init__(
        self,
        inputs: ImageShape,
        outputs: int,
        *,
        widths: list[Count] = [8, 16],  # noqa: B006 - never changed; shown as the default
        kernel: Count = 3,
        activation: Activation = "relu",
        dropout: Rate = 0.0,
    ) -> None:
        super().__init__()
        if not widths:
            raise RecipeError("model.local_net.widths: found an empty list; expected a layer.")
        if kernel % 2 == 0:
            raise RecipeError(f"model.local_net.kernel: found {kernel}; expected an odd number.")
        channels, size = inputs[0], (inputs[1], inputs[2])
        layers: list[nn.Module] = []
        for width in widths:
            layer = LocallyConnected(channels, width, size=size, kernel=kernel, stride=2, padding=kernel // 2)
            layers += [layer, activation_of_channels(activation, width)]
            channels, size = width, layer.size
        self.features = nn.Sequential(*layers)
        self.dropout = Dropout(dropout) if dropout else nn.Identity()
        self.head = nn.Linear(channels * size[0] * size[1], outputs)
        initialise(self.head, "he")

    def forward(self, x: Float[Tensor, "rows channels height width"]) -> Float[Tensor, "rows outputs"]:
        return self.head(self.dropout(self.features(x).flatten(1)))

"""The autoencoder: a code between a row and its reconstruction."""

import copy
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Activation, Count, Initialisation, Rate
from handrail.errors import RecipeError
from handrail.layers.coding import Codes, activated, coding_layers, decoding_layers
from handrail.layers.initialisations import initialise
from handrail.layers.transposed import TransposedLinear
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, NoTarget, SeriesShape, VolumeShape, numbers_in

_USUAL_CODE = 32  # numbers, at most


@component("model")
class Autoencoder(Codes):
    """x̂ = g(f(x)): an encoder f makes a code of a row, and a decoder g the row of its code.

    The decoder is the encoder's mirror image. Code and reconstruction are linear, so that without hidden
    layers the best code spans the plane of the main components (Baldi & Hornik 1989).

    Arguments:
        inputs: images and series are flattened, unless there are `channels`; volumes are.
        code: numbers in the code; None is a quarter of those in a row, at most 32.
        hidden: units of each hidden layer of the encoder; the decoder has the same in reverse.
        channels: of convolutions before the hidden layers, each of which halves the size of images or
            series; the decoder has as many that double it.
        activation: of the hidden layers.
        tied: whether the decoder's weights are the encoder's, transposed.
        dropout: share of hidden units set to zero in training.
        initialisation: how the weights begin.

    Raises: `RecipeError` for dropout where there are no hidden layers, tied weights of convolutions, and more
    of these than the rows have room for.

    Source: Rumelhart, Hinton & Williams 1986; Baldi & Hornik 1989; Hinton & Salakhutdinov 2006
    """

    alone: ClassVar[Alone] = Alone("reconstruction", epochs=200, patience=20)
    name: ClassVar[str] = "autoencoder"

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        code: Count | None = None,
        hidden: list[Count] = [128],  # noqa: B006 - never changed; shown as the default
        channels: list[Count] = [],  # noqa: B006
        activation: Activation = "relu",
        tied: bool = False,
        dropout: Rate = 0.0,
        initialisation: Initialisation = "xavier",
    ) -> None:
        super().__init__()
        where = f"model.{self.name}"
        if dropout and not hidden:
            text = f"has no effect without hidden layers; omit it, or set {where}.hidden."
            raise RecipeError(f"{where}.dropout: {text}")
        if tied and channels:
            raise RecipeError(f"{where}.tied: ties dense layers alone; leave it or {where}.channels out.")
        width = numbers_in(inputs)
        self.code = max(1, min(_USUAL_CODE, width // 4)) if code is None else code
        how: Any = {"channels": channels, "hidden": hidden, "activation": activation, "dropout": dropout}
        how["where"] = f"{where}.channels"
        self.encoder = coding_layers(inputs, self.code, **how)
        if tied:
            steps = [layer for layer in self.encoder if isinstance(layer, nn.Linear)]
            back = [TransposedLinear(step) for step in reversed(steps)]
            self.decoder = nn.Sequential(*activated(back, hidden[::-1], activation, dropout))
        else:
            self.decoder = decoding_layers(inputs, self.code, **how)
        initialise(self, initialisation)

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows width"]:
        return self.reconstruct(x)

    def encode(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows code"]:
        """The code of each row."""
        return self.encoder(x)

    def decode(self, code: Float[Tensor, "rows code"]) -> Float[Tensor, "rows width"]:
        """The row of each code, flat, in encoded units."""
        return self.decoder(code)

    def coding_layers(self) -> nn.Sequential:
        """The encoder, with weights of its own."""
        return copy.deepcopy(self.encoder)

    def decoding_layers(self) -> nn.Sequential:
        """The decoder, with weights of its own, tied or not."""
        return nn.Sequential(
            *(
                layer.untied() if isinstance(layer, TransposedLinear) else copy.deepcopy(layer)
                for layer in self.decoder
            )
        )

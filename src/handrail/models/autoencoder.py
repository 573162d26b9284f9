"""The autoencoder: a code between a row and its reconstruction."""

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import build, component
from handrail.components.arguments import Activation, Count, Initialisation, Rate
from handrail.errors import RecipeError
from handrail.layers.initialisations import initialise
from handrail.layers.noise import Dropout
from handrail.layers.transposed import TransposedLinear
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, NoTarget, SeriesShape, VolumeShape, numbers_in

_USUAL_CODE = 32  # numbers, at most


@component("model")
class Autoencoder(nn.Module):
    """x̂ = g(f(x)): an encoder f makes a code of a row, and a decoder g the row of its code.

    The decoder is the encoder's mirror image. Code and reconstruction are linear, so that without hidden
    layers the best code spans the plane of the main components (Baldi & Hornik 1989).

    Arguments:
        inputs: images, series and volumes are flattened.
        code: numbers in the code; None is a quarter of those in a row, at most 32.
        hidden: units of each hidden layer of the encoder; the decoder has the same in reverse.
        activation: of the hidden layers.
        tied: whether the decoder's weights are the encoder's, transposed.
        dropout: share of hidden units set to zero in training.
        initialisation: how the weights begin.

    Raises: `RecipeError` for dropout where there are no hidden layers.

    Source: Rumelhart, Hinton & Williams 1986; Baldi & Hornik 1989; Hinton & Salakhutdinov 2006
    """

    alone: ClassVar[Alone] = Alone("reconstruction", epochs=200, patience=20)

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        code: Count | None = None,
        hidden: list[Count] = [128],  # noqa: B006 - never changed; shown as the default
        activation: Activation = "relu",
        tied: bool = False,
        dropout: Rate = 0.0,
        initialisation: Initialisation = "xavier",
    ) -> None:
        super().__init__()
        if dropout and not hidden:
            raise RecipeError(
                "model.autoencoder.dropout: has no effect without hidden layers; omit it, or set "
                "model.autoencoder.hidden."
            )
        width = numbers_in(inputs)
        self.code = max(1, min(_USUAL_CODE, width // 4)) if code is None else code
        widths = [width, *hidden, self.code]
        steps = [nn.Linear(before, units) for before, units in pairwise(widths)]
        back: list[nn.Module] = [
            TransposedLinear(step) if tied else nn.Linear(step.out_features, step.in_features)
            for step in reversed(steps)
        ]
        self.encoder = _stack(steps, hidden, activation, dropout)
        self.decoder = _stack(back, hidden[::-1], activation, dropout)
        initialise(self, initialisation)

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows width"]:
        return self.reconstruct(x)

    def encode(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows code"]:
        """The code of each row."""
        return self.encoder(x.flatten(1))

    def decode(self, code: Float[Tensor, "rows code"]) -> Float[Tensor, "rows width"]:
        """The row of each code, flat, in encoded units."""
        return self.decoder(code)

    def reconstruct(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows width"]:
        """Each row, encoded and decoded."""
        return self.decode(self.encode(x))

    def coding_layers(self) -> nn.Sequential:
        """The encoder, with weights of its own."""
        return nn.Sequential(nn.Flatten(), *copy.deepcopy(self.encoder))

    def decoding_layers(self) -> nn.Sequential:
        """The decoder, with weights of its own, tied or not."""
        return nn.Sequential(
            *(
                layer.untied() if isinstance(layer, TransposedLinear) else copy.deepcopy(layer)
                for layer in self.decoder
            )
        )


def _stack(
    steps: Sequence[nn.Module], hidden: Sequence[int], activation: object, dropout: float
) -> nn.Sequential:
    """Weights, each but the last followed by its activation and, perhaps, dropout."""
    layers: list[nn.Module] = []
    for step, units in zip(steps, hidden, strict=False):
        layers += [step, build("activation", activation, units)]
        layers += [Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers, steps[-1])

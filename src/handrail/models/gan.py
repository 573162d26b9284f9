"""The generative adversarial network: a generator and a critic that learn from each other."""

from typing import Any, ClassVar, Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from handrail.components import component
from handrail.components.arguments import Count
from handrail.errors import RecipeError
from handrail.layers.adversaries import Adversaries
from handrail.layers.conditional import Conditional
from handrail.layers.dense_or_deep import pictures_of
from handrail.layers.initialisations import initialise
from handrail.layers.players import (
    WithinRange,
    dense_critic,
    dense_generator,
    picture_critic,
    picture_generator,
)
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, NoTarget, SeriesShape, VolumeShape, numbers_in
from handrail.tools.interface import argument

_HIDDEN, _MAPS = (128, 128), 32
_MOST_CLASSES = 100


@component("model", name="gan")
class GAN(Adversaries):
    """G makes rows of latent numbers z ~ N(0, I); the critic D gives a row one score, high for real ones.

    Of pictures both are convolutional: G doubles the sides from about 4 pixels, by nearest neighbours, each
    followed by a 3×3 convolution, layer normalisation and ReLU, and its pixels keep to the range of training
    rows; D halves them by strides. Sides that two does not divide are rounded up on the way down, and met
    exactly on the way up. Of other rows both are dense.

    Arguments:
        inputs: series and volumes are flattened, and images where the network is dense.
        latent: numbers in z.
        convolutional: `auto` is for images.
        hidden: units of each hidden layer of dense players; None is 128 and 128.
        maps: feature maps at the full size of a picture, doubled with each halving; None is 32.
        spectral: whether each layer of the critic is divided by its largest singular value.
        conditional: whether both players are told the class of each row, which is the label's; of a
            convolutional critic each class is a constant map.

    Raises: `RecipeError` for convolutions without pictures, for settings of the other kind of players, and
        for a condition without a label of at most 100 classes.

    Source: Goodfellow et al. 2014; Radford, Metz & Chintala 2016 (convolutional, there with batch
    normalisation, which makes the rows of a batch depend on each other); Miyato et al. 2018
    (spectral normalisation); Mirza & Osindero 2014 (conditional)
    """

    alone: ClassVar[Alone] = Alone("generation", epochs=200, batch_size=64, patience=None)
    rules: ClassVar[tuple[str, ...]] = ("adversarial",)

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        latent: Count = 16,
        convolutional: bool | Literal["auto"] = "auto",
        hidden: list[Count] | None = None,
        maps: Count | None = None,
        spectral: bool = False,
        conditional: bool = False,
    ) -> None:
        super().__init__(latent, _condition(outputs) if conditional else None)
        told = outputs.classes if conditional else 0
        own: Any = {"dense": {"hidden": hidden}, "deep": {"maps": maps}, "what": "{} players"}
        pictures = pictures_of(inputs, "model.gan", convolutional, **own)
        if pictures is not None:
            maps = _MAPS if maps is None else maps
            players = picture_generator(pictures, latent + told, maps), picture_critic(pictures, maps, told)
        else:
            width, hidden = numbers_in(inputs), list(_HIDDEN) if hidden is None else hidden
            generator = dense_generator(width, latent + told, hidden)
            players = generator, dense_critic(width + told, hidden[::-1])
        for player in players:
            initialise(player, "he")
        if spectral:
            for layer in [each for each in players[1].modules() if isinstance(each, nn.Linear | nn.Conv2d)]:
                spectral_norm(layer)
        self.play(*players)

    def set_range(self, rows: Float[Tensor, "rows width"]) -> None:
        for player in (self.generator, self.average):
            for layer in player.modules():
                if isinstance(layer, WithinRange):
                    layer.set_range(rows)


def _condition(outputs: NoTarget) -> Conditional:
    if not 0 < outputs.classes <= _MOST_CLASSES:
        raise RecipeError(
            f"model.gan.conditional: found {outputs.classes or 'no'} classes to be told, expected from 1 to "
            f"{_MOST_CLASSES}; name the column that has them, of a table that is read whole, with "
            f"{argument('label', 'COLUMN')} (data.label), or leave conditional out."
        )
    return Conditional(outputs.classes)

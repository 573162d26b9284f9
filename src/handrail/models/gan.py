"""The generative adversarial network: a generator and a critic that learn from each other."""

from itertools import pairwise
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from handrail.components import component
from handrail.components.arguments import Count
from handrail.errors import RecipeError
from handrail.layers.adversaries import Adversaries
from handrail.layers.coding import dense_layers
from handrail.layers.conditional import ClassMaps, Conditional
from handrail.layers.initialisations import initialise
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, NoTarget, SeriesShape, VolumeShape, numbers_in
from handrail.tools.interface import argument

_HIDDEN, _MAPS = (128, 128), 32
_SMALLEST = 4  # pixels a side that a generator of pictures begins with, at most twice as many less one
_SLOPE = 0.2
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
        is_image = isinstance(inputs, ImageShape)
        deep = is_image if convolutional == "auto" else convolutional
        if deep and not is_image:
            raise RecipeError("model.gan.convolutional: the rows are no pictures; leave it out.")
        idle, other = ("hidden", hidden) if deep else ("maps", maps)
        if other is not None:
            kind = "convolutional" if deep else "dense"
            raise RecipeError(f"model.gan.{idle}: has no effect on {kind} players; leave it out.")
        if deep:
            assert isinstance(inputs, ImageShape)
            players = _pictures(inputs, latent, _MAPS if maps is None else maps, told)
        else:
            players = _dense(numbers_in(inputs), latent, list(_HIDDEN) if hidden is None else hidden, told)
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


class WithinRange(nn.Module):
    """low + (high − low)·σ(x), with the least and the greatest value of each channel in the training rows."""

    low: Tensor
    high: Tensor

    def __init__(self, shape: ImageShape) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("low", torch.full((shape.channels, 1, 1), -1.0))
        self.register_buffer("high", torch.full((shape.channels, 1, 1), 1.0))

    def set_range(self, rows: Float[Tensor, "rows width"]) -> None:
        """Take the range from rows as the model is given them."""
        values = rows.reshape(-1, *self.shape)
        self.low.copy_(values.amin(dim=(0, 2, 3)).view_as(self.low))
        self.high.copy_(values.amax(dim=(0, 2, 3)).view_as(self.high))

    def forward(self, x: Float[Tensor, "rows channels height width"]) -> Tensor:
        return self.low + (self.high - self.low) * x.sigmoid()


def _condition(outputs: NoTarget) -> Conditional:
    if not 0 < outputs.classes <= _MOST_CLASSES:
        raise RecipeError(
            f"model.gan.conditional: found {outputs.classes or 'no'} classes to be told, expected from 1 to "
            f"{_MOST_CLASSES}; name the column that has them, of a table that is read whole, with "
            f"{argument('label', 'COLUMN')} (data.label), or leave conditional out."
        )
    return Conditional(outputs.classes)


def _dense(width: int, latent: int, hidden: list[int], told: int) -> tuple[nn.Module, nn.Module]:
    made = dense_layers([latent + told, *hidden, width], "relu")
    score = dense_layers([width + told, *hidden[::-1], 1], {"leaky_relu": {"negative_slope": _SLOPE}})
    return nn.Sequential(*made), nn.Sequential(nn.Flatten(), *score)


def _pictures(shape: ImageShape, latent: int, maps: int, told: int) -> tuple[nn.Module, nn.Module]:
    """Generator and critic that pass the same sizes in opposite directions; `told` are classes."""
    sizes = [(shape.height, shape.width)]
    while max(sizes[-1]) >= 2 * _SMALLEST:
        height, width = sizes[-1]
        sizes.append((-(-height // 2), -(-width // 2)))
    widths = [maps * 2**level for level in range(len(sizes))]
    first = widths[-1] * sizes[-1][0] * sizes[-1][1]
    up: list[nn.Module] = [nn.Linear(latent + told, first), nn.Unflatten(1, (widths[-1], *sizes[-1]))]
    up += [nn.GroupNorm(1, widths[-1]), nn.ReLU()]
    for level in reversed(range(len(sizes) - 1)):
        up += [nn.Upsample(size=sizes[level]), nn.Conv2d(widths[level + 1], widths[level], 3, padding=1)]
        up += [nn.GroupNorm(1, widths[level]), nn.ReLU()]
    up += [nn.Conv2d(maps, shape.channels, 3, padding=1), WithinRange(shape)]
    down: list[nn.Module] = [ClassMaps(shape) if told else nn.Unflatten(1, tuple(shape))]
    for level, (before, after) in enumerate(pairwise([shape.channels + told, *widths])):
        down += [nn.Conv2d(before, after, 3, stride=2 if level else 1, padding=1), nn.LeakyReLU(_SLOPE)]
    down += [nn.Flatten(), nn.Linear(first, 1)]
    return nn.Sequential(*up), nn.Sequential(nn.Flatten(), *down)

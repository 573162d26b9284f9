"""CycleGAN: rows of one domain into rows of another, learned without pairs."""

from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count
from handrail.errors import RecipeError
from handrail.layers.coding import dense_layers
from handrail.layers.dense_or_deep import pictures_of
from handrail.layers.initialisations import initialise
from handrail.layers.players import WithinRange, dense_critic, picture_critic
from handrail.layers.translators import DOMAINS, Translators
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, NoTarget, SeriesShape, VolumeShape, numbers_in

_HIDDEN, _MAPS, _BLOCKS = (64, 64), 16, 2


@component("model", name="cyclegan")
class CycleGAN(Translators):
    """G makes rows of domain A into rows of B, F those of B into rows of A, and F(G(a)) ≈ a, G(F(b)) ≈ b.

    Of pictures all four players are convolutional: a generator halves the sides once, changes the maps by
    residual blocks, doubles the sides again, and its pixels keep to the range of training rows; a critic
    halves the sides by strides. Of other rows they are dense, and a generator adds what its layers give to a
    linear map of the row; it begins as the identity, so that the way to the other domain is a short one.

    Arguments:
        inputs: series and volumes are flattened, and images where the network is dense.
        convolutional: `auto` is for images.
        hidden: units of each hidden layer of dense players; None is 64 and 64.
        maps: feature maps at the full size of a picture, doubled with each halving; None is 16.
        blocks: residual blocks of a convolutional generator; None is 2.

    Raises: `RecipeError` for convolutions without pictures or on pictures of 2 × 2 pixels or fewer, and for
    settings of the other kind of players.

    Source: Zhu, Park, Isola & Efros 2017; there with nine blocks, and critics of overlapping patches
    """

    alone: ClassVar[Alone] = Alone("translation", epochs=200, batch_size=64, patience=None)
    rules: ClassVar[tuple[str, ...]] = ("cycle",)

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        convolutional: bool | Literal["auto"] = "auto",
        hidden: list[Count] | None = None,
        maps: Count | None = None,
        blocks: Count | None = None,
    ) -> None:
        super().__init__(numbers_in(inputs))
        own: Any = {"dense": {"hidden": hidden}, "deep": {"maps": maps, "blocks": blocks}}
        pictures = pictures_of(inputs, "model.cyclegan", convolutional, **own, what="{} players")
        if pictures is not None:
            _refuse_tiny(pictures)
            maps, blocks = _MAPS if maps is None else maps, _BLOCKS if blocks is None else blocks
            generators = [_picture_generator(pictures, maps, blocks) for _ in range(DOMAINS)]
            critics = [picture_critic(pictures, maps) for _ in range(DOMAINS)]
        else:
            width, hidden = numbers_in(inputs), list(_HIDDEN) if hidden is None else hidden
            generators = [_dense_generator(width, hidden) for _ in range(DOMAINS)]
            critics = [dense_critic(width, hidden[::-1]) for _ in range(DOMAINS)]
        for player in (*generators, *critics):
            initialise(player, "he")
        for layer in nn.ModuleList(generators).modules():
            if isinstance(layer, FromIdentity):
                layer.reset()
        self.play(generators, critics)

    def set_range(self, rows: Float[Tensor, "rows width"]) -> None:
        for layer in self.modules():
            if isinstance(layer, WithinRange):
                layer.set_range(rows)


class Added(nn.Module):
    """x + f(x). Source: He et al. 2016"""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows ..."]:
        return x + self.layers(x)


class FromIdentity(nn.Module):
    """W·x + b + f(x) with dense layers f, which begins at x.

    Source: Goyal et al. 2017 (a residual block that begins as the identity)
    """

    def __init__(self, width: int, hidden: list[int]) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.layers = nn.Sequential(*dense_layers([width, *hidden, width], "relu"))

    @torch.no_grad()
    def reset(self) -> None:
        """W = I, b = 0, and zeros in the last layer of f."""
        last = [layer for layer in self.layers if isinstance(layer, nn.Linear)][-1]
        nn.init.eye_(self.linear.weight)
        for zeros in (self.linear.bias, last.weight, last.bias):
            nn.init.zeros_(zeros)

    def forward(self, x: Float[Tensor, "rows width"]) -> Float[Tensor, "rows width"]:
        return self.linear(x) + self.layers(x)


def _refuse_tiny(shape: ImageShape) -> None:
    """Raises: `RecipeError` for pictures of which one position is left when their sides are halved."""
    if max(shape.height, shape.width) <= 2:
        raise RecipeError(
            f"model.cyclegan: found pictures of {shape.height}×{shape.width} pixels, of which one position "
            "is left when their sides are halved; set model.cyclegan.convolutional to false."
        )


def _dense_generator(width: int, hidden: list[int]) -> nn.Module:
    return nn.Sequential(nn.Flatten(), FromIdentity(width, hidden))


def _picture_generator(shape: ImageShape, maps: int, blocks: int) -> nn.Module:
    """Down by a stride, residual blocks, and up to the size of the picture."""
    wide = 2 * maps
    down = [*_convolution(shape.channels, maps), *_convolution(maps, wide, stride=2)]
    middle = [
        Added(*_convolution(wide, wide), nn.Conv2d(wide, wide, 3, padding=1), nn.InstanceNorm2d(wide))
        for _ in range(blocks)
    ]
    up = [nn.Upsample(size=(shape.height, shape.width)), *_convolution(wide, maps)]
    last = nn.Conv2d(maps, shape.channels, 3, padding=1)
    return nn.Sequential(nn.Unflatten(1, tuple(shape)), *down, *middle, *up, last, WithinRange(shape))


def _convolution(inputs: int, outputs: int, *, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1),
        nn.InstanceNorm2d(outputs),
        nn.ReLU(),
    ]

"""The players of adversarial games: generators and critics of flat rows, and of pictures."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.layers.coding import dense_layers
from handrail.layers.conditional import ClassMaps
from handrail.shapes import ImageShape

_SMALLEST = 4  # pixels a side that a generator of pictures begins with, at most twice as many less one
_SLOPE = 0.2


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


def dense_generator(width: int, latent: int, hidden: list[int]) -> nn.Module:
    """Dense layers with ReLU, from latent numbers to a row."""
    return nn.Sequential(*dense_layers([latent, *hidden, width], "relu"))


def dense_critic(width: int, hidden: list[int]) -> nn.Module:
    """Dense layers with leaky ReLU, from a row to a score."""
    layers = dense_layers([width, *hidden, 1], {"leaky_relu": {"negative_slope": _SLOPE}})
    return nn.Sequential(nn.Flatten(), *layers)


def picture_sizes(shape: ImageShape) -> list[tuple[int, int]]:
    """Height and width, halved and rounded up until both sides are below 8 pixels."""
    sizes = [(shape.height, shape.width)]
    while max(sizes[-1]) >= 2 * _SMALLEST:
        height, width = sizes[-1]
        sizes.append((-(-height // 2), -(-width // 2)))
    return sizes


def picture_generator(shape: ImageShape, latent: int, maps: int) -> nn.Module:
    """From latent numbers to about 4 pixels a side, doubled until the picture is met exactly."""
    sizes = picture_sizes(shape)
    widths = [maps * 2**level for level in range(len(sizes))]
    first = widths[-1] * sizes[-1][0] * sizes[-1][1]
    up: list[nn.Module] = [nn.Linear(latent, first), nn.Unflatten(1, (widths[-1], *sizes[-1]))]
    up += [nn.GroupNorm(1, widths[-1]), nn.ReLU()]
    for level in reversed(range(len(sizes) - 1)):
        up += [nn.Upsample(size=sizes[level]), nn.Conv2d(widths[level + 1], widths[level], 3, padding=1)]
        up += [nn.GroupNorm(1, widths[level]), nn.ReLU()]
    return nn.Sequential(*up, nn.Conv2d(maps, shape.channels, 3, padding=1), WithinRange(shape))


def picture_critic(shape: ImageShape, maps: int, classes: int = 0) -> nn.Module:
    """Halves a picture by strides, and gives a score; each class that is told is a constant map beside."""
    sizes = picture_sizes(shape)
    widths = [maps * 2**level for level in range(len(sizes))]
    down: list[nn.Module] = [ClassMaps(shape) if classes else nn.Unflatten(1, tuple(shape))]
    for level, (before, after) in enumerate(pairwise([shape.channels + classes, *widths])):
        down += [nn.Conv2d(before, after, 3, stride=2 if level else 1, padding=1), nn.LeakyReLU(_SLOPE)]
    score = nn.Linear(widths[-1] * sizes[-1][0] * sizes[-1][1], 1)
    return nn.Sequential(nn.Flatten(), *down, nn.Flatten(), score)

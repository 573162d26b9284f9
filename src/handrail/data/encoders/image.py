"""Pictures to the numbers that a network takes; learned from training rows only.

bytes [rows, channels, height, width] → ToUnit: 0 … 1, float32 → (augmentation) → StandardisePixels
"""

import math
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from handrail.data.encoders.column import ColumnEncoder, Decoded
from handrail.data.rows import Stored
from handrail.data.stores.images import ImageStore
from handrail.data.stores.store import Store
from handrail.errors import DataError
from handrail.recipe.sections import Images
from handrail.shapes import ImageShape

_AS_IT_IS = 256  # pixels a side
_PHOTO = 128
_SIMPLE = 1000
_CHUNK = 2**24  # bytes at once


class ToUnit(nn.Module):
    """Bytes 0 … 255 to x / 255, float32."""

    def forward(
        self, pixels: UInt8[Tensor, "rows channels height width"]
    ) -> Float[Tensor, "rows channels height width"]:
        return pixels / 255


class StandardisePixels(nn.Module):
    """(x − mean) / deviation for each channel; channels last in memory, with which convolutions are quicker.

    Arguments:
        mean: of each channel, of values from 0 to 1.
        deviation: standard deviations; a channel without spread is only shifted.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: list[float], deviation: list[float]) -> None:
        super().__init__()
        spread = [value if value > 1e-6 else 1.0 for value in deviation]
        scale = torch.tensor([1 / value for value in spread])
        shift = torch.tensor([-middle / value for middle, value in zip(mean, spread, strict=True)])
        self.register_buffer("scale", scale.view(-1, 1, 1), persistent=False)
        self.register_buffer("shift", shift.view(-1, 1, 1), persistent=False)

    def forward(
        self, pixels: Float[Tensor, "rows channels height width"]
    ) -> Float[Tensor, "rows channels height width"]:
        # Reordered at the end: loops over three channels are slow.
        scaled = pixels.mul(self.scale).add_(self.shift)
        return scaled.contiguous(memory_format=torch.channels_last)


class ImageEncoder(ColumnEncoder):
    """Pictures in one size, as bytes; the front scales them by what the training pixels were.

    size: height and width. channels: 1 or 3. mean, deviation: of each channel, of values from 0 to 1. why:
    how size and channels were chosen.
    """

    kind: ClassVar[str] = "image"
    learned = ("name", "size", "channels", "mean", "deviation", "why")

    def __init__(
        self,
        name: str,
        *,
        size: tuple[int, int],
        channels: int,
        mean: list[float],
        deviation: list[float],
        why: str = "",
    ) -> None:
        super().__init__()
        self.name, self.size, self.channels = name, (size[0], size[1]), channels
        self.mean, self.deviation, self.why = mean, deviation, why

    @classmethod
    def fit(cls, column: pl.Series, store: Store | None, settings: Images) -> Self:
        """Learn size and channels, where they are not set, and the mean and deviation of all pixels.

        Raises: `DataError` for rows without a picture.
        """
        images = _images(store)
        places = _places(column, images)
        size, why_size = _size(images.sizes[places.numpy()], settings)
        channels, why_channels = _channels(images.grey[places.numpy()], settings)
        if settings.scaling == "unit":
            mean, deviation = [0.0] * channels, [1.0] * channels
        else:
            mean, deviation = _pixel_statistics(images.stored(size, channels, places))
        why = f"{why_size}; {why_channels}"
        return cls(column.name, size=size, channels=channels, mean=mean, deviation=deviation, why=why)

    @property
    def shape(self) -> ImageShape:
        return ImageShape(self.channels, *self.size)

    def rows(self, column: pl.Series, store: Store | None) -> Stored:
        """Bytes `[channels, height, width]` a row, where the store keeps them.

        Raises: `DataError` for rows without a picture.
        """
        images = _images(store)
        return images.stored(self.size, self.channels, _places(column, images))

    def front(self) -> nn.Sequential:
        """`ToUnit`, then `StandardisePixels`; augmentation stands between them."""
        return nn.Sequential(ToUnit(), StandardisePixels(self.mean, self.deviation))

    def decode(self, points: Float[Tensor, "rows width"]) -> Decoded:
        """Pictures, channels last, and what they are called in a column."""
        pixels = points.reshape(len(points), self.channels, *self.size)
        mean, spread = torch.tensor(self.mean).view(-1, 1, 1), torch.tensor(self.deviation).view(-1, 1, 1)
        units = pixels * torch.where(spread > 1e-6, spread, 1.0) + mean
        pictures = units.mul(255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
        return pl.DataFrame({self.name: [f"{row + 1}.png" for row in range(len(points))]}), list(pictures)

    def simple(self, rows: Tensor) -> Float[Tensor, "rows width"]:
        """Standardised means over areas, at most 1,000 numbers a row."""
        values = self.front()(rows)
        height, width = self.size
        if height * width * self.channels > _SIMPLE:
            share = math.sqrt(_SIMPLE / (height * width * self.channels))
            high = max(1, min(height, math.floor(height * share)))
            wide = max(1, min(width, _SIMPLE // self.channels // high, math.ceil(width * share)))
            values = functional.adaptive_avg_pool2d(values, (high, wide))
        return values.reshape(len(values), -1)

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "size": list(self.size)}


def _images(store: Store | None) -> ImageStore:
    assert isinstance(store, ImageStore), f"an image column needs an ImageStore, not {type(store).__name__}"
    return store


def _places(column: pl.Series, store: ImageStore) -> Tensor:
    """Where the rows' pictures are. Raises: `DataError` for rows without one."""
    missing = np.flatnonzero(column.is_null().to_numpy())
    if len(missing):
        known = [store.name(place) for place in column.drop_nulls().head(1).to_list()]
        after = f" (one that has: {known[0]})" if known else ""
        rows = f"{len(missing):,} of {len(column):,} rows"
        raise DataError(
            f"column '{column.name}': {rows} have no picture{after}, the first "
            f"of them at position {missing[0] + 1}. Name a picture in each row, or leave these rows out."
        )
    return torch.from_numpy(column.to_numpy().astype(np.int64, copy=True))


def _size(sizes: np.ndarray, settings: Images) -> tuple[tuple[int, int], str]:
    """Height and width, and why."""
    if isinstance(settings.size, int):
        return (settings.size, settings.size), "size as set"
    if not isinstance(settings.size, str):
        return settings.size, "size as set"
    height, width = (int(side) for side in np.median(sizes, axis=0))
    if (sizes == sizes[0]).all():
        height, width = (int(side) for side in sizes[0])
        if max(height, width) <= _AS_IT_IS:
            return (height, width), f"all training pictures are {width} × {height}"
        share = _AS_IT_IS / max(height, width)
        new = (_round_side(height * share), _round_side(width * share))
        return new, (
            f"all training pictures are {width} × {height}; scaled to {new[1]} × {new[0]}, so that an epoch "
            "does not take long and sides halve evenly (data.images.size sets another)"
        )
    side = min(_round_side(min(height, width)), _PHOTO)
    return (side, side), (
        f"training pictures have many sizes (in the middle {width} × {height}); scaled and cut at the centre "
        f"to {side} × {side}, which shows what a photograph is of and trains quickly (data.images.size sets "
        "another)"
    )


def _round_side(side: float) -> int:
    """To a multiple of 16, which can be halved four times; small ones as they are."""
    if side < 32:
        return max(4, round(side))
    return int(side / 16 + (0.5 if side > _PHOTO else 0)) * 16


def _channels(grey: np.ndarray, settings: Images) -> tuple[int, str]:
    """1 or 3, and why."""
    if settings.channels != "auto":
        return {"grey": 1, "colour": 3}[settings.channels], f"{settings.channels} as set"
    if grey.all():
        return 1, "all of them are grey"
    if not grey.any():
        return 3, "all of them are in colour"
    return 3, f"{(~grey).sum():,} of {len(grey):,} are in colour"


def _pixel_statistics(rows: Stored) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, of values from 0 to 1, exactly: the bytes are counted."""
    channels = rows.data.shape[1]
    counts = torch.zeros(channels, 256, dtype=torch.int64)
    step = max(1, _CHUNK // rows.data[0].numel())
    for start in range(0, len(rows), step):
        part = rows.take(torch.arange(start, min(start + step, len(rows))))
        for channel in range(channels):
            counts[channel] += torch.bincount(part[:, channel].reshape(-1), minlength=256)
    values = torch.arange(256, dtype=torch.float64) / 255
    weights = counts.double() / counts.sum(dim=1, keepdim=True)
    mean = weights @ values
    deviation = (weights @ values.square() - mean.square()).clamp(min=0).sqrt()
    return mean.tolist(), deviation.tolist()

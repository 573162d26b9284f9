"""What an encoder of one column promises (images, series, audio and text each have one), and statistics."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.data.encoders.impute_and_scale import LARGEST, usable_spread
from handrail.data.rows import Stored, Windows
from handrail.data.stores.store import Store
from handrail.errors import DataError
from handrail.shapes import InputShape

Decoded = tuple[pl.DataFrame, list[Any]]
"A table, and beside it what no cell can hold: pixels of pictures, or a `Sound` a row."
"A table, and pictures beside its rows."
_ROUNDING = 1e-3  # of a channel's deviation
_COUNTS = ("channels", "hop", "length", "mels", "rate", "samples", "size", "window")


class ColumnEncoder(nn.Module):
    """From one column to the rows that a network is trained on; learned by `fit` from training rows only.

    `rows` is done once, before training, and should leave things small (bytes, codes). `front` is what is
    left to be done on the device, batch by batch, as the first layer of the network.
    """

    kind: ClassVar[str]
    "The kind of column that it encodes."
    learned: ClassVar[tuple[str, ...]]
    "The arguments, and attributes, that make it again."
    name: str
    "The column."

    @classmethod
    def fit(cls, column: pl.Series, store: Store | None, settings: Any) -> Self:
        """Learn from training rows: sizes, means, vocabularies.

        Arguments:
            column: cells; places in the store, where there is one.
            settings: the section of the recipe for this kind, such as `handrail.recipe.sections.Images`.
        """
        raise NotImplementedError

    @property
    def shape(self) -> InputShape:
        """What the network gets from `front`."""
        raise NotImplementedError

    def rows(self, column: pl.Series, store: Store | None) -> Tensor | Stored | Windows:
        """Encoded rows, on the CPU. They must not depend on the rows beside them."""
        raise NotImplementedError

    def front(self) -> nn.Module:
        """Encoded rows to what the network takes. Its numbers come from `facts`: no buffer is persistent."""
        return nn.Identity()

    def simple(self, rows: Tensor) -> Float[Tensor, "rows width"]:
        """A few hundred finite numbers a row (at most about 1,000), for the linear baseline."""
        raise NotImplementedError

    def decode(self, points: Float[Tensor, "rows width"]) -> Decoded:
        """Rows as a model was given them, as the data had them. Raises: `DataError` where there is no way."""
        raise DataError(
            f"column '{self.name}': {self.kind} has no way back from the numbers that a network is given; "
            "rows of numbers, words and dates, pictures, series and sounds have one."
        )

    def unseen(self, column: pl.Series, store: Store | None) -> np.ndarray:
        """Rows that hold what training did not have and the network cannot know."""
        return np.zeros(0, dtype=np.int64)

    def facts(self) -> dict[str, Any]:
        """Plain data from which `from_facts` makes this encoder again, to the bit."""
        return {name: getattr(self, name) for name in self.learned}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Self:
        """The encoder that these facts are of. Raises: `ValueError` for a size that is no whole number."""
        for name in set(cls.learned).intersection(_COUNTS):
            values = facts[name] if isinstance(facts[name], list | tuple) else [facts[name]]
            if not all(type(value) is int and value >= 1 for value in values):
                raise ValueError(f"{name} is {facts[name]!r}; expected whole numbers from 1 on")
        return cls(**{name: facts[name] for name in cls.learned})


class Standardise(nn.Module):
    """y = (x − mean) / deviation along one axis; numbers beyond ±10¹⁸ count as that, before and after.

    Arguments:
        mean, deviation: one a channel.
        axes: how many axes of x follow the channels.
    """

    mean: Tensor
    deviation: Tensor
    exact_mean: Tensor
    exact_deviation: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float], *, axes: int) -> None:
        super().__init__()
        shape = (-1, *(1 for _ in range(axes)))
        for name, values in (("mean", mean), ("deviation", deviation)):
            numbers = torch.tensor(values, dtype=torch.float64).reshape(shape)
            self.register_buffer(name, numbers.float(), persistent=False)
            self.register_buffer(f"exact_{name}", numbers, persistent=False)

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows ..."]:
        """Standardised rows."""
        if x.dtype == torch.float64:
            scaled = (x.clamp(-LARGEST, LARGEST) - self.exact_mean) / self.exact_deviation
            return scaled.clamp(-LARGEST, LARGEST).to(self.mean.dtype)
        return ((x.float().clamp(-LARGEST, LARGEST) - self.mean) / self.deviation).clamp(-LARGEST, LARGEST)


def fits_single(mean: Sequence[float], deviation: Sequence[float]) -> bool:
    """Whether single precision tells the numbers of each channel apart to a thousandth of their deviation."""
    eps = float(torch.finfo(torch.float32).eps)
    return all(abs(m) * eps <= _ROUNDING * d for m, d in zip(mean, deviation, strict=True))


class ChannelStatistics:
    """Mean and deviation of channels, gathered from parts of the rows, so that not all are needed at once."""

    def __init__(self, channels: int) -> None:
        self.count = torch.zeros(channels, dtype=torch.float64)
        self.mean = torch.zeros(channels, dtype=torch.float64)
        self.squares = torch.zeros(channels, dtype=torch.float64)
        self.size = torch.zeros(channels, dtype=torch.float64)
        self.exact = True

    def add(self, values: Float[Tensor, "n channels"]) -> None:
        """Take in values; NaN is left out.

        Source: Chan, Golub & LeVeque 1979
        """
        known = ~torch.isnan(values)
        self.exact &= values.dtype == torch.float64
        exact = torch.nan_to_num(values.double()).clamp(-LARGEST, LARGEST)
        count = known.sum(dim=0).double()
        mean = exact.sum(dim=0) / count.clamp(min=1)
        squares = (((exact - mean) ** 2) * known).sum(dim=0)
        total = (self.count + count).clamp(min=1)
        shift = mean - self.mean
        self.squares += squares + shift**2 * self.count * count / total
        self.mean += shift * count / total
        self.count += count
        self.size = torch.maximum(self.size, exact.abs().amax(dim=0)) if len(values) else self.size

    def result(self) -> tuple[list[float], list[float]]:
        """Means, and deviations (dividing by n; 1 where there is none)."""
        deviation = (self.squares / self.count.clamp(min=1)).sqrt()
        coarser = 1.0 if self.exact else torch.finfo(torch.float32).eps / torch.finfo(torch.float64).eps
        return self.mean.tolist(), usable_spread(deviation, self.size * coarser).tolist()

"""The encoder of series: their length, and the mean and deviation of each channel."""

import math
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.data.encoders.column import (
    ChannelStatistics,
    ColumnEncoder,
    Decoded,
    Standardise,
    fits_single,
)
from handrail.data.forecast.plan import WindowPlan
from handrail.data.rows import Windows
from handrail.data.stores.series import SeriesStore, WindowStore
from handrail.data.stores.store import Store
from handrail.errors import DataError, RecipeError
from handrail.recipe.sections import Series
from handrail.shapes import SeriesShape

_SIMPLE = 1000
_NUMBERS_AT_ONCE = 2**22


class SeriesEncoder(ColumnEncoder):
    """Series cut or padded to one length, then standardised by channel.

    Missing values lie on the straight line between their neighbours; at the ends they are as the nearest
    value. Where training series differ in length, one more channel comes last: 1 where the series is, 0
    behind its end. Behind its end all other channels are at their mean, and so 0 for the network; so is a
    channel of which nothing is known.

    Arguments:
        name: the column.
        channels: of the series, without the added one.
        length: values that the network sees.
        marked: whether the channel that marks the series' end is added.
        mean, deviation: of each channel, over the training values that are there.
        scaling: `standard`, or `none` to leave the values as they are.
        plan: how windows are made of a table, also of new rows, where the series are such windows.
    """

    kind: ClassVar[str] = "series"
    learned = ("name", "channels", "length", "marked", "mean", "deviation", "scaling", "plan")

    def __init__(
        self,
        name: str,
        *,
        channels: int,
        length: int,
        marked: bool,
        mean: list[float],
        deviation: list[float],
        scaling: str,
        plan: WindowPlan | None = None,
    ) -> None:
        super().__init__()
        self.name, self.channels, self.length, self.marked = name, channels, length, marked
        self.mean, self.deviation, self.scaling, self.plan = mean, deviation, scaling, plan

    @classmethod
    def fit(cls, column: pl.Series, store: Store | None, settings: Series) -> Self:
        """Learn the length and the scale of each channel from training rows.

        The length `auto` is that of the longest, or what the source says that its series may have.

        Raises: `RecipeError` for a length where a forecast's history gives it.
        """
        assert isinstance(store, SeriesStore | WindowStore)
        places = column.to_numpy()
        if isinstance(store, WindowStore) and settings.length != "auto":
            raise RecipeError(
                "data.series.length: has no effect on a forecast; data.forecast.history says how much is "
                "seen."
            )
        lengths = store.lengths[places]
        length = max(int(lengths.max()), store.longest) if settings.length == "auto" else settings.length
        statistics = ChannelStatistics(store.channels)
        if isinstance(store, WindowStore):
            statistics = _window_statistics(store, places)
        else:
            step = max(1, _NUMBERS_AT_ONCE // (store.channels * length))
            for start in range(0, len(places), step):
                chunk = places[start : start + step]
                present = _mark_present(store.lengths[chunk], length)
                statistics.add(store.values(chunk, length).transpose(1, 2)[present])
        mean, deviation = statistics.result()
        known = np.append(lengths, store.longest) if store.longest else lengths
        marked = len(np.unique(np.minimum(known, length))) > 1
        return cls(
            column.name,
            channels=store.channels,
            length=length,
            marked=marked,
            mean=mean,
            deviation=deviation,
            scaling=settings.scaling,
            plan=store.plan if isinstance(store, WindowStore) else None,
        )

    @property
    def shape(self) -> SeriesShape:
        return SeriesShape(self.channels + self.marked, self.length)

    def rows(self, column: pl.Series, store: Store | None) -> Tensor | Windows:
        """Series `[rows, channels, length]` without gaps; windows stay where they are.

        Raises: `DataError` for series of other channels than the training rows had.
        """
        assert isinstance(store, SeriesStore | WindowStore)
        if store.channels != self.channels:
            raise DataError(
                f"column '{self.name}': found series of {store.channels} channels, expected {self.channels}, "
                "as in training."
            )
        places = column.to_numpy()
        if isinstance(store, WindowStore):
            exact = self.scaling != "none" and not fits_single(self.mean, self.deviation)
            return store.windows(places, exact=exact)
        values = store.values(places, self.length)
        present = _mark_present(store.lengths[places], self.length)
        _fill_gaps(values, present)
        fill = torch.tensor(self.mean, dtype=torch.float32)[:, None]
        values = torch.where(torch.isnan(values) | ~present[:, None], fill, values)
        return torch.cat([values, present[:, None].float()], dim=1) if self.marked else values

    def front(self) -> nn.Module:
        if self.scaling == "none":
            return nn.Identity()
        added = [0.0] if self.marked else []
        return Standardise(self.mean + added, self.deviation + [1.0 for _ in added], axes=1)

    def simple(self, rows: Float[Tensor, "rows channels length"]) -> Float[Tensor, "rows width"]:
        """Standardised values, averaged over neighbours where there are more than about 1,000."""
        steps = max(1, min(self.length, _SIMPLE // self.shape.channels))
        return functional.adaptive_avg_pool1d(self.front()(rows), steps).flatten(1)

    def decode(self, points: Float[Tensor, "rows width"]) -> Decoded:
        """A column a value (`load_1`, of several channels `load_1_1`) in the units of the data.

        It is missing behind the end of a series.
        """
        values = points.double().reshape(-1, *self.shape)
        present = values[:, -1] > (0.5 if self.marked else -math.inf)
        values = values[:, : self.channels]
        if self.scaling != "none":
            mean, deviation = (torch.tensor(each).double()[:, None] for each in (self.mean, self.deviation))
            values = values * deviation + mean
        columns = {}
        for channel, step in np.ndindex(self.channels, self.length):
            of_channel = f"{self.name}_{channel + 1}" if self.channels > 1 else self.name
            known = torch.where(present[:, step], values[:, channel, step], math.nan)
            columns[f"{of_channel}_{step + 1}"] = pl.Series(known.numpy()).fill_nan(None)
        return pl.DataFrame(columns), []

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "plan": None if self.plan is None else self.plan.model_dump()}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Self:
        plan = None if facts["plan"] is None else WindowPlan.model_validate(facts["plan"])
        return super().from_facts({**facts, "plan": plan})


def _window_statistics(store: WindowStore, places: np.ndarray) -> ChannelStatistics:
    """Of the rows in these windows, in the precision in which the network is given them."""
    rows = store.covered_rows(places)
    for values in (rows, rows.float()):
        statistics = ChannelStatistics(store.channels)
        statistics.add(values)
        if not fits_single(*statistics.result()):
            break
    return statistics


def _mark_present(lengths: np.ndarray, length: int) -> Tensor:
    """Where a series has not ended yet, `[rows, length]`."""
    return torch.arange(length) < torch.tensor(lengths)[:, None]


def _fill_gaps(values: Float[Tensor, "rows channels length"], present: Tensor) -> None:
    """Missing values by linear interpolation within a series, in place; channels without any value stay."""
    missing = torch.isnan(values) & present[:, None]
    for row, channel in torch.nonzero(missing.any(dim=2)).tolist():
        line, gaps = values[row, channel].numpy(), missing[row, channel].numpy()
        known = np.flatnonzero(present[row].numpy() & ~gaps)
        if len(known):
            line[gaps] = np.interp(np.flatnonzero(gaps), known, line[known])

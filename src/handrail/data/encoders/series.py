"""The encoder of series: their length, and the mean and deviation of each channel."""

from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.data.encoders.column import ColumnEncoder
from handrail.data.encoders.standardise import Moments, Standardise
from handrail.data.forecast.plan import WindowPlan
from handrail.data.rows import Windows
from handrail.data.stores.series import SeriesStore
from handrail.data.stores.store import Store
from handrail.data.stores.windows import WindowStore
from handrail.errors import DataError, RecipeError
from handrail.recipe.encoding import Series
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
        plan: how windows are made of a table, where the series are such; new rows are made into windows by
            it.
    """

    kind: ClassVar[str] = "series"

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
        """Learn the length (auto: of the longest) and the scale of each channel from training rows.

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
        length = int(lengths.max()) if settings.length == "auto" else settings.length
        moments = Moments(store.channels)
        if isinstance(store, WindowStore):
            moments.add(store.seen(places))
        else:
            step = max(1, _NUMBERS_AT_ONCE // (store.channels * length))
            for start in range(0, len(places), step):
                some = places[start : start + step]
                values = store.values(some, length)
                there = _there(store.lengths[some], length)
                moments.add(values.transpose(1, 2)[there])
        mean, deviation = moments.found()
        marked = len(np.unique(np.minimum(lengths, length))) > 1
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
        """Channels, the added one included, and length."""
        return SeriesShape(self.channels + self.marked, self.length)

    def rows(self, column: pl.Series, store: Store | None) -> Tensor | Windows:
        """Series `[rows, channels, length]` without gaps; windows on one long table stay where they are.

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
            return store.windows(places)
        values, there = store.values(places, self.length), _there(store.lengths[places], self.length)
        _fill_gaps(values, there)
        fill = torch.tensor(self.mean, dtype=torch.float32)[:, None]
        values = torch.where(torch.isnan(values) | ~there[:, None], fill, values)
        return torch.cat([values, there[:, None].float()], dim=1) if self.marked else values

    def front(self) -> nn.Module:
        """Standardisation, where it is asked for."""
        if self.scaling == "none":
            return nn.Identity()
        added = [0.0] if self.marked else []
        return Standardise(self.mean + added, self.deviation + [1.0 for _ in added], axes=1)

    def simple(self, rows: Float[Tensor, "rows channels length"]) -> Float[Tensor, "rows width"]:
        """Standardised values, averaged over neighbours where there are more than about 1,000."""
        steps = max(1, min(self.length, _SIMPLE // self.shape.channels))
        return functional.adaptive_avg_pool1d(self.front()(rows), steps).flatten(1)

    def facts(self) -> dict[str, Any]:
        """What makes this encoder again."""
        names = ("name", "channels", "length", "marked", "mean", "deviation", "scaling")
        plan = None if self.plan is None else self.plan.model_dump()
        return {**{name: getattr(self, name) for name in names}, "plan": plan}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Self:
        """The way back."""
        plan = None if facts["plan"] is None else WindowPlan.model_validate(facts["plan"])
        return cls(**{**facts, "plan": plan})


def _there(lengths: np.ndarray, length: int) -> Tensor:
    """Where a series has not ended yet, `[rows, length]`."""
    return torch.arange(length) < torch.tensor(lengths)[:, None]


def _fill_gaps(values: Float[Tensor, "rows channels length"], there: Tensor) -> None:
    """Missing values by linear interpolation within a series, in place; a channel without any value stays as
    it is.
    """
    missing = torch.isnan(values) & there[:, None]
    for row, channel in torch.nonzero(missing.any(dim=2)).tolist():
        line, gaps = values[row, channel].numpy(), missing[row, channel].numpy()
        known = np.flatnonzero(there[row].numpy() & ~gaps)
        if len(known):
            line[gaps] = np.interp(np.flatnonzero(gaps), known, line[known])

"""Spike trains whose class is a pattern in time."""

from typing import Annotated

import numpy as np
import polars as pl
from jaxtyping import Float, Int
from pydantic import Field

from handrail.components import component
from handrail.components.arguments import Rate
from handrail.data.sources.toys.toy import Rows, Seed, Size, Toy, classes_in_turn
from handrail.data.stores.store import place_column

_SPIKES = 3  # of a channel in a pattern


@component("toy")
def spike_patterns(
    *,
    rows: Rows = 2000,
    classes: Annotated[int, Field(ge=2, le=100)] = 4,
    channels: Annotated[int, Field(ge=1, le=100)] = 8,
    steps: Annotated[int, Field(ge=10, le=10_000)] = 100,
    length: Annotated[int, Field(ge=5, le=10_000)] = 30,
    jitter: Size = 1.0,
    noise: Rate = 0.01,
    seed: Seed = 0,
) -> Toy:
    """Spike trains of several channels, 1 at a spike and else 0; the pattern of a class begins anywhere.

    A pattern holds three spikes a channel, at random steps of its length. Classes differ in no channel's
    number of spikes, only in what comes after what.

    Arguments:
        classes: patterns.
        steps: of a row.
        length: of a pattern in steps; at most `steps`.
        jitter: the standard deviation, in steps, by which each spike comes early or late.
        noise: the chance of a spike more at each step of each channel.

    Source: Maass, Natschläger & Markram 2002
    """
    from handrail.data.stores.series import SeriesStore  # with torch

    generator = np.random.default_rng(seed)
    length = min(length, steps)
    patterns = generator.integers(0, length, (classes, channels, _SPIKES))
    drawn = classes_in_turn(rows, classes, generator)
    starts = generator.integers(0, steps - length + 1, (rows, 1, 1))
    moved = np.rint(patterns[drawn] + starts + jitter * generator.standard_normal((rows, channels, _SPIKES)))
    trains = _trains(moved.clip(0, steps - 1).astype(np.int64), steps)
    trains[generator.random(trains.shape) < noise] = 1
    names = [f"spikes {number}" for number in range(1, rows + 1)]
    store = SeriesStore.of_arrays(list(trains), names)
    frame = pl.DataFrame([place_column("spikes", rows), pl.Series("pattern", drawn)])
    return Toy(frame, "pattern", stores={"spikes": store})


def _trains(
    at: Int[np.ndarray, "rows channels spikes"], steps: int
) -> Float[np.ndarray, "rows channels steps"]:
    trains = np.zeros((*at.shape[:2], steps), dtype=np.float32)
    np.put_along_axis(trains, at, 1, axis=2)
    return trains

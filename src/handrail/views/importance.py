"""Which columns the answers hang on: what is lost where one of them is shuffled."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Lines
from handrail.data.part import Part
from handrail.training.seeds import derive
from handrail.views.seen import Seen
from handrail.views.view import ViewData

_SEED = 23


@component("view")
def importance(seen: Seen, *, repeats: Count = 5, rows: Count = 2000) -> ViewData:
    """By how much the mean error of validation rows grows where one column is shuffled among them.

    A column that others repeat seems to matter little, since they stand in for it; and rows that were
    shuffled may be such as there are none. The error of a row is the one by which reports call rows hard.

    Arguments:
        repeats: how often each column is shuffled; `deviation` is over these.
        rows: validation rows, at most.

    Raises: `DataError` for fewer than two columns.

    Source: Breiman 2001; Fisher, Rudin & Dominici 2019
    """
    part = seen.some(seen.validation, rows)
    columns = [column.name for column in seen.pipeline.encoder.schema.used]
    if len(columns) < 2 or not set(columns) <= set(part.features.columns):
        raise seen.refuse("importance", "two columns or more")
    rng = np.random.default_rng(derive(_SEED, "views", "importance"))
    before = _mean_error(seen, part)
    lost = np.array(
        [[_mean_error(seen, _shuffled(part, name, rng)) - before for _ in range(repeats)] for name in columns]
    )
    order = np.argsort(-lost.mean(axis=1), kind="stable")
    table = pl.DataFrame(
        {
            "column": [columns[place] for place in order],
            "error added": lost.mean(axis=1)[order],
            "deviation": lost.std(axis=1, ddof=1 if repeats > 1 else 0)[order],
        }
    )
    place = np.arange(1, len(columns) + 1, dtype=np.float64)
    note = f"Each of {len(columns)} columns was shuffled {repeats} times among {len(part):,} validation rows."
    picture = Lines(
        "Error added by shuffling a column",
        place,
        {"error added": lost.mean(axis=1)[order]},
        "Columns in the order of the table.",
        ("column", "error added"),
    )
    arrays = {"lost": lost[order], "error": np.array(before)}
    return ViewData(
        title="Importance", arrays=arrays, table=table, pictures=(picture,), note=note, source="Breiman 2001"
    )


def _mean_error(seen: Seen, part: Part) -> float:
    task: Any = seen.pipeline.decoder
    return float(np.mean(task.outcome(seen.network, seen.encode(part), part).errors()))


def _shuffled(part: Part, name: str, rng: np.random.Generator) -> Part:
    values = part.features[name][rng.permutation(len(part))]
    return replace(part, features=part.features.with_columns(values.alias(name)))

"""How the answers change with one column, all else as it is."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Lines
from handrail.data.part import Part
from handrail.errors import DataError, did_you_mean
from handrail.tasks.scoring import all_scores
from handrail.views.seen import Seen
from handrail.views.view import ViewData

_ENDS = (0.05, 0.95)
_MOST_CURVES = 8


@component("view")
def dependence(seen: Seen, *, column: str | None = None, places: Count = 25, rows: Count = 500) -> ViewData:
    """The mean answer to validation rows if one numeric column had the same value in all of them.

    From the 5 % to the 95 % quantile of the column. Where columns hang together, some of these rows are such
    as there are none.

    Arguments:
        column: a numeric one; by default the first.
        places: values that are tried.
        rows: validation rows, at most.

    Raises: `DataError` for tables without a numeric column, another column, and tasks with neither classes
        nor values.

    Source: Friedman 2001
    """
    task: Any = seen.pipeline.decoder
    numeric = [each.name for each in seen.pipeline.encoder.schema.of_kind("numeric")]
    if not numeric or seen.pipeline.task.name not in ("binary", "multi-class", "regression"):
        raise seen.refuse("dependence", "a numeric column, and classes or values to predict")
    name = column or numeric[0]
    if name not in numeric:
        raise DataError(f"dependence: there is no numeric column '{name}'.{did_you_mean(name, numeric)}")
    part = seen.some(seen.validation, rows)
    known = part.features[name].drop_nulls().to_numpy()
    if not len(known):
        raise seen.refuse("dependence", f"validation rows with a value of '{name}'")
    low, high = np.quantile(known, _ENDS)
    tried = np.linspace(low, high, places)
    answers = np.stack([_mean_answer(seen, part, name, value) for value in tried])
    names = [str(each) for each in getattr(task.spec, "classes", ())] or list(task.spec.targets)
    curves = {each: answers[:, place] for place, each in enumerate(names[:_MOST_CURVES])}
    what = "probability" if task.spec.is_classification else "value"
    note = f"The mean over {len(part):,} validation rows."
    picture = Lines(
        f"Mean {what} by one column", tried, curves, note, ("value of the column", f"mean {what}")
    )
    table = pl.DataFrame({name: tried} | {f"mean {what}: {each}": curve for each, curve in curves.items()})
    arrays = {"values": tried, "answers": answers}
    return ViewData(
        title="Dependence",
        arrays=arrays,
        table=table,
        pictures=(picture,),
        note=f"{note} The column: {name}.",
        source="Friedman 2001",
    )


def _mean_answer(seen: Seen, part: Part, name: str, value: float) -> Float[np.ndarray, " answers"]:
    """The mean probabilities, or values, of the rows with this value in the column."""
    same = pl.lit(value).cast(part.features.schema[name]).alias(name)
    rows = seen.encode(replace(part, features=part.features.with_columns(same)))
    return seen.pipeline.decoder(all_scores(seen.network, rows)).double().mean(dim=0).cpu().numpy()

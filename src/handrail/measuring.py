"""Measured on rows that were not trained on, beside simple rivals, and written into the run folder."""

from typing import Any

import polars as pl

from handrail.data.dataset import Part
from handrail.evaluation.assess import compare, figures
from handrail.evaluation.outcome import Outcome
from handrail.files import write_atomically
from handrail.folder import Folder
from handrail.pipeline import Pipeline
from handrail.recipe import Recipe


def measure_beside(
    recipe: Recipe, pipeline: Pipeline, outcome: Outcome, *, train: Part, part: Part
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures of the network, and beside them those of the baselines, made from the same training rows."""
    others = pipeline.decoder.baselines(train, part, pipeline.encoder)
    measured = {name: figures(other, recipe.evaluation) for name, other in others.items()}
    metric = pipeline.decoder.fair_metric or outcome.names()[0]
    return figures(outcome, recipe.evaluation), {
        "baselines": measured,
        "comparison": compare(outcome, others, recipe.evaluation, metric=metric),
    }


def write_predictions(folder: Folder, name: str, outcome: Outcome, part: Part) -> None:
    """Row, truth and answers, for the report and for whoever wants to look."""
    rows = part.rows + 1 if outcome.rows == len(part) else range(1, outcome.rows + 1)  # windows of a text are not its rows
    path = folder.predictions(name)
    path.parent.mkdir(exist_ok=True)
    with write_atomically(path) as temporary:
        pl.DataFrame({"row": rows, **outcome.columns()}).write_parquet(temporary)

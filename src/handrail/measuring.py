"""Decided and measured on rows that were not trained on, and written into the run folder."""

from typing import Any

import polars as pl

from handrail.data.dataset import Part
from handrail.data.encoder import TableEncoder
from handrail.data.encoding import Encoding
from handrail.evaluation.assess import baselines_of, compare, figures
from handrail.evaluation.metrics import Predictions
from handrail.files import write_atomically
from handrail.folder import Folder
from handrail.pipeline import Pipeline, ValueDecoder
from handrail.recipe import Recipe


def decisions(pipeline: Pipeline) -> dict[str, float]:
    """What was chosen on validation rows."""
    if isinstance(pipeline.decoder, ValueDecoder):
        return {}
    found = {"temperature": float(pipeline.decoder.temperature)}
    return {**found, "threshold": float(pipeline.decoder.threshold)} if pipeline.task.name == "binary" else found


def measure_beside(
    recipe: Recipe, pipeline: Pipeline, predictions: Predictions, *, train: Part, part: Part
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures of the network, and beside them those of the baselines, fitted on the same training rows."""
    encoder = pipeline.encoder
    if encoder.embedded:  # a linear model needs a column a level
        encoding = Encoding(**{**recipe.data.encoding.model_dump(), "categories": "onehot"})
        encoder = TableEncoder.fit(train.features, encoder.schema, encoding)
    rows = [encoder.encode(some.features).cpu().numpy() for some in (train, part)]
    baselines = baselines_of(pipeline.task, rows[0], train.target.numpy())
    others = {name: baseline.predictions(rows[1], predictions.truth) for name, baseline in baselines.items()}
    measured = {name: figures(other, recipe.evaluation) for name, other in others.items()}
    return figures(predictions, recipe.evaluation), {
        "baselines": measured,
        "comparison": compare(predictions, others, recipe.evaluation),
    }


def write_predictions(folder: Folder, name: str, predictions: Predictions, part: Part) -> None:
    """Row, truth and answers, for the report and for whoever wants to look."""
    columns: dict[str, Any] = {"row": part.rows + 1}
    several = predictions.truth.ndim == 2
    for index, target in enumerate(
        predictions.classes if predictions.task == "multi-label" else range(predictions.truth.shape[1]) if several else [0]
    ):
        suffix = f"_{target}" if several else ""
        columns[f"truth{suffix}"] = predictions.truth[:, index] if several else predictions.truth
        if predictions.labels is not None:
            columns[f"label{suffix}"] = predictions.labels[:, index] if several else predictions.labels
        if predictions.values is not None:
            columns[f"value{suffix}"] = predictions.values[:, index]
    if predictions.probabilities is not None:
        columns |= {f"p_{name}": predictions.probabilities[:, index] for index, name in enumerate(predictions.classes)}
    path = folder.predictions(name)
    path.parent.mkdir(exist_ok=True)
    with write_atomically(path) as temporary:
        pl.DataFrame(columns).write_parquet(temporary)

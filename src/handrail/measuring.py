"""Decided and measured on rows that were not trained on, and written into the run folder."""

from typing import Any, Literal

import numpy as np
import polars as pl
from scipy.special import expit

from handrail.data.dataset import Part
from handrail.data.encoder import TableEncoder
from handrail.data.encoding import Encoding
from handrail.evaluation.assess import baselines_of, compare, figures
from handrail.evaluation.calibration import fit_temperature
from handrail.evaluation.metrics import Predictions, main_metric
from handrail.evaluation.thresholds import choose_threshold
from handrail.files import write_atomically
from handrail.folder import Folder
from handrail.pipeline import Pipeline, ValueDecoder
from handrail.recipe import EvaluationRecipe, Recipe

_RARE = 0.2  # below this share of the rarer class, accuracy at one half says little


def decide(pipeline: Pipeline, scores: np.ndarray, truth: np.ndarray, settings: EvaluationRecipe) -> None:
    """Set the decoder's temperature and threshold from validation rows; regression has neither."""
    task, decoder = pipeline.task.name, pipeline.decoder
    if isinstance(decoder, ValueDecoder):
        return
    scores = scores.astype(np.float64)  # as the decoder computes
    if settings.calibrate:
        decoder.temperature.fill_(fit_temperature(scores, truth, task))
    if task == "binary":
        positive = expit(scores[:, 0] / float(decoder.temperature))
        decoder.threshold.fill_(_threshold(positive, truth, settings.threshold))


def _threshold(
    positive: np.ndarray, truth: np.ndarray, wish: float | Literal["auto", "accuracy", "f1", "balanced_accuracy"]
) -> float:
    if isinstance(wish, float | int):
        return wish
    share = float(truth.mean())
    if wish == "auto" and min(share, 1 - share) >= _RARE:
        return 0.5
    return choose_threshold(positive, truth, metric="f1" if wish == "auto" else wish)


def predictions_of(pipeline: Pipeline, part: Part) -> Predictions:
    """The pipeline's answers for a part."""
    task, truth = pipeline.task, part.target.numpy()
    answers = pipeline.answers(part.features)
    if task.name == "regression":
        return Predictions(task.name, truth, values=answers)
    return Predictions(task.name, truth, probabilities=answers, labels=pipeline.decide(answers), classes=task.classes)


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
        "comparison": compare(predictions, others, recipe.evaluation, metric=_fair_metric(pipeline)),
    }


def _fair_metric(pipeline: Pipeline) -> str:
    """The task's main metric; with a threshold of the network's own choice one that no threshold touches."""
    tuned = decisions(pipeline).get("threshold", 0.5) != 0.5
    return "roc_auc" if tuned else main_metric(pipeline.task.name)


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

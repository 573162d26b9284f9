"""Predictions beside the truth: figures with intervals, the baselines, the hardest rows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from handrail.data.dataset import Dataset
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.finding import Finding
from handrail.data.part import Part
from handrail.data.task import TaskSpec
from handrail.evaluation.bootstrap import Interval, difference, measure_with_intervals
from handrail.evaluation.metric_names import higher_is_better
from handrail.evaluation.metrics import rounding_of
from handrail.evaluation.outcomes import Outcome
from handrail.pipeline import Pipeline
from handrail.pipeline.ensemble import first_of
from handrail.recipe import Recipe
from handrail.recipe.sections import EvaluationRecipe
from handrail.runs.assembly import count_parameters
from handrail.runs.folder import Folder
from handrail.runs.replicas import Replica, best_of, spread
from handrail.tasks.baselines import nominal_seconds
from handrail.tasks.scoring import remark_on
from handrail.tasks.task import Choice
from handrail.tools.files import write_atomically

Figures = dict[str, dict[str, Any]]
_HARDEST = 8
_WHOLE = "the rows are all that there can be"
_MOST_READABLE = 100  # columns whose values are kept of such a row


def figures(
    predictions: Outcome, settings: EvaluationRecipe, seed: int = 0, *, whole: bool = False
) -> Figures:
    """Every metric with its interval, as JSON holds it: not-a-number becomes null.

    Arguments:
        whole: whether these are all rows that there can be; then no others could give other figures.
    """
    if whole:
        values = predictions.measure().items()
        return {name: plain_interval(Interval(value, math.nan, math.nan, _WHOLE)) for name, value in values}
    resamples, confidence = settings.resamples, settings.confidence
    intervals = measure_with_intervals(predictions, resamples=resamples, confidence=confidence, seed=seed)
    return {name: plain_interval(interval) for name, interval in intervals.items()}


def plain_interval(interval: Interval) -> dict[str, Any]:
    """An interval as JSON holds it: null for what is unknown, and `reason` only where it says something."""
    ends = {"value": interval.value, "low": interval.low, "high": interval.high}
    plain: dict[str, Any] = {key: value if math.isfinite(value) else None for key, value in ends.items()}
    return plain | ({"reason": interval.reason} if interval.reason else {})


def compare(
    network: Outcome,
    baselines: Mapping[str, Outcome],
    settings: EvaluationRecipe,
    *,
    metric: str,
    whole: bool = False,
) -> dict[str, Any]:
    """Compare the network with all baselines by one metric, on the same resampled rows.

    It is better if it is better than each of them beyond noise: whichever is truly the best is among them. It
    is worse if one of k beats it by an interval of confidence 1 − (1 − c) / k: the best of k equal baselines
    looks better than it is. The difference shown is that from the baseline with the best metric, or from one
    that is not clearly beaten although the best one is.

    Arguments:
        whole: whether these are all rows that there can be; then any difference beyond rounding is clear.

    Returns: metric, baseline, difference (positive where the network is better), a verdict (better, worse, no
    clear difference, or not comparable), and the reason where the two cannot be compared.

    Source: Berger 1982 (intersection-union tests); Bonferroni 1936
    """
    sign, own = (1 if higher_is_better(metric) else -1), network.measure()[metric]
    values = {name: sign * other.measure()[metric] for name, other in baselines.items()}
    # What has no such metric (a constant has no ranking of rows) takes no part, unless none has it.
    known = [name for name in values if math.isfinite(values[name])] or list(values)
    ranked = sorted(known, key=lambda name: -_value_or_worst(values[name]))  # stable
    gaps: dict[str, _Gap] = {}
    for name in ranked:
        behind = not values[name] < sign * own
        # Of a baseline that looks better only one thing can be said: that it is, though chosen from several.
        confidence = 1 - (1 - settings.confidence) / len(ranked) if behind else settings.confidence
        resampling = {"resamples": settings.resamples, "confidence": confidence}
        gap = difference(network, baselines[name], metric, **resampling)
        gap = Interval(gap.value, gap.value, gap.value) if whole else gap
        gaps[name] = _Gap.of(gap, sign, rounding_of(own, values[name]))
        if gaps[name].verdict == "no clear difference" and not behind:
            break  # those that follow look worse still, and the network is not better than this one
    order = ("worse", "no clear difference", "not comparable", "better")
    shown = min(gaps, key=lambda name: order.index(gaps[name].verdict))
    gap = gaps[shown]
    bounds = (math.nan, math.nan) if whole else (gap.low, gap.high)
    return {
        "metric": metric,
        "baseline": shown,
        "difference": plain_interval(Interval(gap.value, *bounds)),
        "verdict": gap.verdict,
        **({"reason": gap.reason} if gap.verdict == "not comparable" else {}),
    }


@dataclass(frozen=True)
class _Gap:
    """How much better the network is than a baseline; the bounds are not numbers where there are none.

    The interval decides, and where there is none the difference itself, once they are beyond `rounding`.
    """

    value: float
    low: float
    high: float
    reason: str
    rounding: Any

    @classmethod
    def of(cls, interval: Interval, sign: int, rounding: Any) -> "_Gap":
        low, high = sorted((sign * interval.low, sign * interval.high))
        reason = interval.reason or "the rows do not define the difference"
        return cls(sign * interval.value, low, high, reason, rounding)

    @property
    def verdict(self) -> str:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            return "not comparable"
        if self.low > self.rounding:
            return "better"
        return "worse" if self.high < -self.rounding else "no clear difference"


def _value_or_worst(value: float) -> float:
    return value if math.isfinite(value) else -math.inf


def hardest(outcome: Outcome, part: Part, features: list[str]) -> list[dict[str, Any]]:
    """The rows with the greatest error: number, truth, answer and values as read, of the first columns."""
    error, rows = outcome.errors(), []
    features, more = features[:_MOST_READABLE], len(features[_MOST_READABLE:])
    one_each = len(error) == len(part)  # windows on a long text are no rows of the table
    for row in np.argsort(-error, kind="stable")[:_HARDEST]:
        values = part.readable(int(row), features) if one_each else {}
        rows.append(
            {
                "row": part.table.row_name(int(part.rows[row])) if one_each else f"window {row + 1}",
                "place": int(row),
                "truth": outcome.describe(int(row), truth=True),
                "answer": outcome.describe(int(row), truth=False),
                "error": float(error[row]) if math.isfinite(error[row]) else None,
                "values": values,
                **({"more": more} if more else {}),
            }
        )
    return rows


def measure_beside(
    recipe: Recipe,
    pipeline: Pipeline,
    outcome: Outcome,
    *,
    train: Part,
    part: Part,
    choice: Choice | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures of the network, and those of the baselines made from the same training rows.

    Arguments:
        choice: what baselines choose by, as the network did.
    """
    task, encoder, network = pipeline.decoder, pipeline.encoder, pipeline.network
    outcome = task.judge(outcome, network, train=train, part=part, encoder=encoder)
    others = task.baselines(train, part, encoder, choice)
    whole, settings = part.table.is_undivided, recipe.evaluation
    measured = {name: figures(other, settings, whole=whole) for name, other in others.items()}
    told = outcome.names()
    measured = {name: each for name, each in measured.items() if any(map(_is_known, map(each.get, told)))}
    metric = task.fair_metric or outcome.names()[0]
    return figures(outcome, settings, whole=whole), {
        "remark": " ".join(filter(None, (outcome.remark, remark_on(network, lambda: pipeline.rows(part))))),
        "baselines": measured,
        "baseline_remarks": others.remarks,
        "comparison": compare(outcome, others.rivals, settings, metric=metric, whole=whole),
    }


def _is_known(figure: Mapping[str, Any] | None) -> bool:
    return figure is not None and figure["value"] is not None


def make_choice(
    recipe: Recipe,
    encoder: RowEncoder,
    *,
    train: Part,
    validation: Part,
    training: Mapping[str, Any],
) -> Choice:
    """What baselines choose by in a fit and its test.

    Arguments:
        training: epochs and parameters of the network, which bound the work of its baselines.
    """
    epochs, parameters = training["epochs"], training["parameters"]
    seconds = nominal_seconds(rows=len(train), epochs=epochs, parameters=parameters)
    return Choice(train, validation, encoder, recipe.evaluation, seconds=seconds)


def write_predictions(folder: Folder, name: str, outcome: Outcome, part: Part, task: TaskSpec) -> None:
    """Write row, truth and answers of a part, classes as the data writes them."""
    # Windows of a text are not its rows.
    rows = part.rows + 1 if outcome.rows == len(part) else range(1, outcome.rows + 1)
    columns = outcome.columns()
    for label, suffix in enumerate([""] if task.is_classification else task.classes):
        for column in ("truth", "label") if task.has_values else ():
            key = f"{column}_{suffix}" if suffix else column
            columns[key] = task.decode(columns[key], label)
    path = folder.predictions(name)
    path.parent.mkdir(exist_ok=True)
    with write_atomically(path) as temporary:
        pl.DataFrame({"row": rows, **columns}).write_parquet(temporary)


def summarise(
    recipe: Recipe,
    data: Dataset,
    pipeline: Pipeline,
    outcome: Outcome,
    replicas: Sequence[Replica],
    *,
    reasons: Sequence[str],
    findings: Sequence[Finding],
) -> dict[str, Any]:
    """What `validation.json` says: the data, how training went, and figures on validation rows."""
    best, shape = best_of(replicas), pipeline.encoder.shape
    training = {"epochs": best.epochs, "parameters": count_parameters(first_of(pipeline.network))}
    train, part = data.train, data.validation
    choice = make_choice(recipe, pipeline.encoder, train=train, validation=part, training=training)
    metrics, beside = measure_beside(recipe, pipeline, outcome, train=train, part=part, choice=choice)
    columns = data.schema.columns
    return {
        "source": data.source,
        "task": data.task.model_dump(),
        "positive": data.task.positive,
        "rows": {"train": len(data.train), "validation": len(data.validation), "test": data.sealed.rows},
        "columns": [column.model_dump() for column in columns],
        "notes": list(data.notes),
        "findings": [finding.model_dump() for finding in findings],
        "training": {
            **training,
            "best_epoch": best.best_epoch,
            "stopped": best.stopped,
            "seconds": sum(replica.seconds for replica in replicas),
            "inputs": list(shape) if isinstance(shape, tuple) else shape,
            "why": list(reasons),
        },
        "decisions": pipeline.decoder.decisions,
        "reasons": pipeline.decoder.reasons,
        "hardest": hardest(outcome, data.validation, [column.name for column in columns]),
        "metrics": metrics,
        "replicas": spread(pipeline, replicas, data.validation) if len(replicas) > 1 else None,
        **beside,
    }

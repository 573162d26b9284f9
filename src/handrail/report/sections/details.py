"""The predictions for a part in detail: pictures, figures, tables, the hardest rows."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from handrail.data.task import TaskSpec
from handrail.errors import RunError
from handrail.evaluation.metrics import Predictions
from handrail.recipe.alone import LONE_TASKS
from handrail.report import wording
from handrail.report.figures.calibration import reliability_plot
from handrail.report.figures.confusion import Confusion, LabelRow, confusion, label_table
from handrail.report.figures.histogram import histogram_plot
from handrail.report.figures.rankings import ranking_curves
from handrail.report.figures.residuals import regression_plots
from handrail.report.figures.style import FigureView
from handrail.report.figures.texts import excerpt
from handrail.report.samples import read_samples
from handrail.report.sections.pictures import answer_pictures, thumbnails
from handrail.runs.record import RunRecord
from handrail.tools.arrow_files import DamageError, parquet_frame

_MOST_VALUES = 40
_LONGEST_VALUE, _LONGEST_ANSWER = 80, 200
_ITEMS = ("mask", "boxes", "bit-sequence", "next-token", "sequence", "text-to-image", *LONE_TASKS)
# Column, title, axis, what the rows are, and whether the values are counts.
_HISTOGRAMS = {
    "mask": ("dice", "Dice of each image", "Dice", "images", False),
    "bit-sequence": ("bit_error_rate", "Wrong bits of each answer", "share of wrong bits", "series", False),
    "next-token": ("nats", "Loss of each window", "nats a token", "windows", False),
    "sequence": ("edits", "Edits of each answer", "letters changed", "texts", True),
    "text-to-image": ("bits_per_dim", "Bits of each picture", "bits a value", "pictures", False),
    "clusters": ("silhouette", "Silhouette of each row", "silhouette", "rows", False),
    "map": ("distance", "Distance of each row to its prototype", "distance", "rows", False),
    "memory": ("right", "Right units of each recall", "share of right units", "cues", False),
    "density": ("log_density", "Log-density of each row", "nats", "rows", False),
    "generation": ("energy_score", "Energy score of each row", "energy score", "rows", False),
    "reconstruction": ("reconstruction_error", "Error of each row", "mean squared error", "rows", False),
    "translation": ("energy_score", "Energy score of each row", "energy score", "rows", False),
}
_ERRORS = {
    "binary": "Probability given to the truth",
    "multi-class": "Probability given to the truth",
    "regression": "Error",
    "multi-label": "Largest error",
    "mask": "1 − Dice",
    "boxes": "1 − F1",
    "bit-sequence": "Share of wrong bits",
    "next-token": "Nats a token",
    "sequence": "Edits a letter",
    "text-to-image": "Bits a value",
    "clusters": "Squared distance to the centre",
    "map": "Distance to the nearest prototype",
    "memory": "Units kept by an update",
    "density": "−log density in nats",
    "generation": "Energy score",
    "reconstruction": "Mean squared error",
    "translation": "Distance from the partner, or energy score",
}


def part_view(
    run: RunRecord, part: str, summary: Mapping[str, Any], results: Mapping[str, Any]
) -> dict[str, Any]:
    """What the template shows of a part, `validation` or `test`; `results` is the part's own file.

    Raises: `RunError` when files of the run are missing or damaged.
    """
    task, marked = summary["task"], bool(results.get("again"))
    sections = read_samples(run.folder, part)
    matrix: Confusion | None = None
    labels: list[LabelRow] = []
    if task["name"] in _ITEMS:
        columns = read_columns(run.folder.predictions(part))
        rows, figures = len(columns["row"]), _item_figures(columns, task["name"], part, marked=marked)
    else:
        answers = read_answers(run.folder.predictions(part), task)
        rows = answers.rows
        if task["name"] == "regression":
            figures = _value_figures(answers, task, part, marked=marked)
        else:
            matrix = confusion(answers) if task["name"] != "multi-label" else None
            labels = label_table(answers) if task["name"] == "multi-label" else []
            figures = _score_figures(answers, part, summary["decisions"], marked=marked)
    pictures = answer_pictures(sections, part, marked=marked)
    return {
        "name": part,
        "rows": rows,
        "unit": "windows" if task["name"] == "next-token" else f"{wording.row_word(task)}s",
        "marked": marked,
        "pictures": pictures,
        "figures": [*pictures.figures, *figures],
        "confusion": matrix,
        "decision": wording.decision(task, {**{"decisions": summary["decisions"]}, **results}),
        "labels": labels,
        "error_label": _ERRORS[task["name"]],
        "hardest": _hardest(results["hardest"], task["name"], thumbnails(sections, part)),
    }


def _value_figures(
    answers: Predictions, task: Mapping[str, Any], part: str, *, marked: bool
) -> list[FigureView]:
    """Regression plots; of a forecast, the first and the last step of the first series."""
    targets = task["targets"]
    if task.get("horizon"):
        places = sorted({0, task["horizon"] - 1})
        assert answers.values is not None
        answers = replace(answers, truth=answers.truth[:, places], values=answers.values[:, places])
        targets = [targets[place] for place in places]
    return regression_plots(answers, targets, part, marked=marked)


def _score_figures(
    answers: Predictions, part: str, chosen: Mapping[str, float], *, marked: bool
) -> list[FigureView]:
    if answers.probabilities is None or not np.isfinite(answers.probabilities).all():
        return []
    temperature = chosen.get("temperature")
    note = "" if temperature is None else f"Temperature {temperature:.3g}, chosen on validation rows."
    reliability = reliability_plot(answers, part, note, marked=marked)
    return [*ranking_curves(answers, part, marked=marked), reliability]


def _item_figures(
    columns: Mapping[str, np.ndarray], task: str, part: str, *, marked: bool
) -> list[FigureView]:
    if task == "boxes":
        boxes = columns["objects"] + columns["found"]
        f1 = np.divide(2 * columns["matched"], boxes, out=np.ones(len(boxes)), where=boxes > 0)
        surplus = (columns["found"] - columns["objects"]).astype(np.float64)
        plots = [
            ("spread", f1, "F1 of each image", "F1 at an overlap of one half", "images", False),
            ("count", surplus, "Objects found too many or too few", "found − there", "images", True),
        ]
    else:
        column, title, axis, rows, whole = _HISTOGRAMS[task]
        values = columns[column].astype(np.float64) if whole else columns[column]
        plots = [("spread", values, title, axis, rows, whole)]
    views = []
    for name, values, title, axis, rows, whole in plots:
        words = {"title": title, "axis": axis, "rows": rows, "name": f"{name}-{part}"}
        views += histogram_plot(values, **words, whole=whole, marked=marked)
    return views


def _hardest(rows: list[Mapping[str, Any]], task: str, pictures: list[Any]) -> dict[str, Any]:
    shown = [_hard(row, task) for row in rows]
    for row, picture in zip(shown, pictures, strict=False):
        row["thumbnail"] = picture
    return {
        "rows": shown,
        "thumbnails": bool(pictures),
        "values": any(row["values"] for row in shown),
        "texts": task in ("next-token", "sequence"),
    }


def _hard(row: Mapping[str, Any], task: str) -> dict[str, Any]:
    """A hard row; for classes, with the probability given to the truth instead of the error."""
    one_class = task in ("binary", "multi-class")
    values = [(name, value) for name, value in row["values"].items() if value != row["row"]]
    longest = 3 * _LONGEST_VALUE if len(values) == 1 else _LONGEST_VALUE
    error = math.nan if row["error"] is None else row["error"]
    error = wording.metric_value("probability", 1 - error) if one_class else wording.number(error)
    return {
        **row,
        "truth": excerpt(row["truth"], _LONGEST_ANSWER),
        "answer": excerpt(row["answer"], _LONGEST_ANSWER),
        "error": error,
        "values": [(name, _short(value, longest)) for name, value in values[:_MOST_VALUES]],
        "more": max(0, len(values) - _MOST_VALUES) + row.get("more", 0),
        "thumbnail": None,
    }


def _short(value: str | None, longest: int) -> str | None:
    return value if value is None or len(value) <= longest else f"{value[: longest - 1]}…"


def read_answers(path: Path, task: Mapping[str, Any]) -> Predictions:
    """The predictions in `predictions/<part>.parquet`.

    Raises: `RunError` when the file is missing or damaged.
    """
    classes = tuple(task["classes"])
    try:
        frame = parquet_frame(path)
        if task["name"] == "regression":
            truth, values = (
                _columns(frame, kind, range(len(task["targets"]))) for kind in ("truth", "value")
            )
            return Predictions("regression", truth, values=values)
        scores = [f"p_{name}" for name in classes]
        probabilities = frame.select(scores).to_numpy() if scores[0] in frame.columns else None
        spec = TaskSpec.model_validate(task)
        if task["name"] == "multi-label":
            truth, labels = (_labels(frame, kind, spec) for kind in ("truth", "label"))
        else:
            truth, labels = spec.codes(frame["truth"]), spec.codes(frame["label"])
        return Predictions(task["name"], truth, probabilities=probabilities, labels=labels, classes=classes)
    except (DamageError, pl.exceptions.PolarsError) as error:
        raise _damage(path, error) from error


def _labels(frame: pl.DataFrame, kind: str, spec: TaskSpec) -> np.ndarray:
    columns = [spec.codes(frame[f"{kind}_{name}"], label) for label, name in enumerate(spec.classes)]
    return np.stack(columns, axis=1)


def read_columns(path: Path) -> dict[str, np.ndarray]:
    """The predictions of tasks without classes or values, such as masks: a number or text per row.

    Raises: `RunError` when the file is missing or damaged.
    """
    try:
        return {column.name: column.to_numpy() for column in parquet_frame(path)}
    except (DamageError, pl.exceptions.PolarsError) as error:
        raise _damage(path, error) from error


def _damage(path: Path, error: Exception) -> RunError:
    return RunError(f"'{path}' is missing or damaged ({str(error).splitlines()[0]}); fit again.")


def _columns(frame: pl.DataFrame, kind: str, names: Any) -> np.ndarray:
    return frame.select(f"{kind}_{name}" for name in names).to_numpy()

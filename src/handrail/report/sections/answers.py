"""Reads the predictions that a run has written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from handrail.errors import RunError
from handrail.evaluation.predictions import Predictions


def read_answers(path: Path, task: Mapping[str, Any]) -> Predictions:
    """The predictions in `predictions/<part>.parquet`.

    Raises: `RunError` when the file is missing or damaged.
    """
    classes = tuple(task["classes"])
    try:
        frame = pl.read_parquet(path)
        if task["name"] == "regression":
            outputs = range(len(task["targets"]))
            return Predictions(
                "regression", _columns(frame, "truth", outputs), values=_columns(frame, "value", outputs)
            )
        scores = [f"p_{name}" for name in classes]
        probabilities = frame.select(scores).to_numpy() if scores[0] in frame.columns else None
        if task["name"] == "multi-label":
            truth, labels = (_columns(frame, kind, classes) for kind in ("truth", "label"))
        else:
            truth, labels = frame["truth"].to_numpy(), frame["label"].to_numpy()
        return Predictions(task["name"], truth, probabilities=probabilities, labels=labels, classes=classes)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _damage(path, error) from error


def read_columns(path: Path) -> dict[str, np.ndarray]:
    """The predictions of tasks without classes or values, such as masks: a number or text per row.

    Raises: `RunError` when the file is missing or damaged.
    """
    try:
        return {column.name: column.to_numpy() for column in pl.read_parquet(path)}
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _damage(path, error) from error


def _damage(path: Path, error: Exception) -> RunError:
    return RunError(f"'{path}' is missing or damaged ({str(error).splitlines()[0]}); fit again.")


def _columns(frame: pl.DataFrame, kind: str, names: Any) -> np.ndarray:
    return frame.select(f"{kind}_{name}" for name in names).to_numpy()


def has_probabilities(predictions: Predictions) -> bool:
    """Whether there are probabilities to draw curves from."""
    return predictions.probabilities is not None and bool(np.isfinite(predictions.probabilities).all())

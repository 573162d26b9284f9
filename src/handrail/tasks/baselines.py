"""The simple rivals of a network that answers with classes or values: majority or mean, linear, and last
season.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int

from handrail.data.rows import Rows, count, take
from handrail.data.stores.windows import WindowStore
from handrail.data.task import Task
from handrail.evaluation.baselines import Baseline, Forecast, fit_baselines, fitting_rows
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.predictions import Predictions
from handrail.tasks.scoring import rows_at_once

if TYPE_CHECKING:
    from handrail.data.dataset import Part
    from handrail.data.encoders.row_encoder import RowEncoder


def simple_rivals(task: Task, train: "Part", part: "Part", encoder: "RowEncoder") -> dict[str, Outcome]:
    """Majority or mean, and linear, fitted on the rows that the network was trained on.

    Simple numbers are made of the rows that "linear" is fitted on alone, and chunk by chunk of those asked,
    so that many pictures do not fill the memory.
    """
    rows, target = train.encoded(encoder), train.target.numpy()
    chosen = fitting_rows(
        task.name, target, task.classes, width=_simple(encoder, rows, np.arange(1)).shape[1]
    )
    fitted = fit_baselines(task.name, _simple(encoder, rows, chosen), target, task.classes, rows=chosen)
    said = _said(fitted, encoder, part.encoded(encoder))
    scale, truth = naive_errors(task, part), part.target.numpy()
    return {
        name: Predictions(
            task.name, truth, one.probabilities, one.values, one.labels, task.classes, scale, blocks(task)
        )
        for name, one in said.items()
    }


def _said(fitted: dict[str, Baseline], encoder: "RowEncoder", rows: Rows) -> dict[str, Forecast]:
    """What each baseline says of all rows."""
    parts: dict[str, list[Forecast]] = {name: [] for name in fitted}
    size = rows_at_once(rows)
    for start in range(0, count(rows), size):
        features = _simple(encoder, rows, np.arange(start, min(start + size, count(rows))))
        for name, baseline in fitted.items():
            parts[name].append(baseline.predict(features))
    return {name: Forecast.joined(some) for name, some in parts.items()}


@torch.inference_mode()
def _simple(encoder: "RowEncoder", rows: Rows, places: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n width"]:
    """The simple numbers of the rows at these places."""
    size, found = rows_at_once(rows), np.empty((0, 0), dtype=np.float32)
    for start in range(0, len(places), size):
        part = encoder.simple(take(rows, torch.from_numpy(places[start : start + size]))).cpu().numpy()
        if not start:
            found = np.empty((len(places), part.shape[1]), dtype=part.dtype)
        found[start : start + len(part)] = part
    return found


def blocks(task: Task) -> int:
    """How many neighbouring rows hang together: windows of a forecast share the values that they foretell."""
    return max(task.horizon, 1)


def naive_errors(task: Task, part: "Part") -> np.ndarray | None:
    """What the mean absolute errors of a forecast are divided by: those of the seasonal naive forecast on
    training rows.
    """
    if not task.is_forecast:
        return None
    return _windows(part)[1].naive_errors(task)


def seasonal_rival(task: Task, part: "Part") -> dict[str, Outcome]:
    """The forecast that repeats the last season.

    Source: Hyndman & Koehler 2006
    """
    name, store = _windows(part)
    values = store.last_season(task, part.raw[name].to_numpy())
    found = Predictions(
        "regression", part.target.numpy(), values=values, scale=naive_errors(task, part), block=blocks(task)
    )
    return {"seasonal naive": found}


def _windows(part: "Part") -> tuple[str, WindowStore]:
    """The column of a forecast's windows, and their store."""
    return next((name, store) for name, store in part.stores.items() if isinstance(store, WindowStore))

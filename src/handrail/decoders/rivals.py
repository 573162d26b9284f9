"""The simple rivals of a network that answers with classes or values: majority or mean, linear, and last season."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from handrail.data.rows import Rows, count, cut
from handrail.data.series.window_store import WindowStore
from handrail.data.task import Task
from handrail.evaluation.baselines import fit_baselines
from handrail.evaluation.outcome import Outcome
from handrail.evaluation.predictions import Predictions

if TYPE_CHECKING:
    from handrail.data.dataset import Part
    from handrail.data.encoders.rows import RowEncoder

_ROWS = 1024  # at once


def simple_rivals(task: Task, train: "Part", part: "Part", encoder: "RowEncoder") -> dict[str, Outcome]:
    """Majority or mean, and linear, fitted on the rows that the network was trained on."""
    seen, asked = (_simple(encoder, encoder.rows(some.features, some.stores)) for some in (train, part))
    fitted = fit_baselines(task.name, seen, train.target.numpy(), task.classes)
    scale = naive_errors(task, part)
    found: dict[str, Outcome] = {}
    for name, baseline in fitted.items():
        said = baseline.predict(asked)
        truth = part.target.numpy()
        found[name] = Predictions(task.name, truth, said.probabilities, said.values, said.labels, task.classes, scale, blocks(task))
    return found


@torch.inference_mode()
def _simple(encoder: "RowEncoder", rows: Rows) -> np.ndarray:
    parts = [encoder.simple(cut(rows, start, start + _ROWS)).cpu() for start in range(0, max(count(rows), 1), _ROWS)]
    return torch.cat(parts).numpy()


def blocks(task: Task) -> int:
    """How many neighbouring rows hang together: windows of a forecast share the values that they foretell."""
    return max(task.horizon, 1)


def naive_errors(task: Task, part: "Part") -> np.ndarray | None:
    """What the mean absolute errors of a forecast are divided by: those of the seasonal naive forecast on training rows."""
    if not task.is_forecast:
        return None
    return _windows(part)[1].naive_errors(task)


def seasonal_rival(task: Task, part: "Part") -> dict[str, Outcome]:
    """The forecast that repeats the last season.

    Source: Hyndman & Koehler 2006
    """
    name, store = _windows(part)
    values = store.last_season(task, part.raw[name].to_numpy())
    found = Predictions("regression", part.target.numpy(), values=values, scale=naive_errors(task, part), block=blocks(task))
    return {"seasonal naive": found}


def _windows(part: "Part") -> tuple[str, WindowStore]:
    """The column of a forecast's windows, and their store."""
    return next((name, store) for name, store in part.stores.items() if isinstance(store, WindowStore))

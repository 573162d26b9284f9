"""Predictions beside the truth for some rows of a part."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from handrail.data.part import Part
from handrail.data.stores.windows import WindowStore
from handrail.evaluation.outcome import Outcome
from handrail.evaluation.outcomes.table import TableOutcome
from handrail.pipeline import Pipeline
from handrail.report.samples.items import LARGE, ItemColumn, encode, items, smaller, smaller_codes
from handrail.tasks.boxes import BoxTask
from handrail.tasks.masks import MaskTask
from handrail.tasks.scoring import scores_of

_MISTAKES = 16
_HARDEST = 8
_TEXTS = 6
_PICTURES = 3
_FORECASTS = 6
_THUMB = 64


def mistake_section(
    pipeline: Pipeline, shown: ItemColumn, part: Part, outcome: TableOutcome
) -> dict[str, Any]:
    """Misclassified rows, the most confident prediction first."""
    wrong = np.flatnonzero(outcome.label_codes != outcome.truth)
    if outcome.probabilities is None:
        return {}
    sure = outcome.probabilities[np.arange(outcome.rows), outcome.label_codes]
    chosen = wrong[np.argsort(-sure[wrong], kind="stable")][: _TEXTS if shown.kind == "text" else _MISTAKES]
    section: dict[str, Any] = {"kind": shown.kind}
    if len(chosen):
        section = items(pipeline, shown, part.pick(chosen))
    return {
        **section,
        "total": len(wrong),
        "rows": [part.table.row_name(int(part.rows[row])) for row in chosen],
        "truths": [outcome.describe(int(row), truth=True) for row in chosen],
        "answers": [outcome.describe(int(row), truth=False) for row in chosen],
        "sure": [round(float(sure[row]), 6) for row in chosen],
    }


def hardest_section(pipeline: Pipeline, shown: ItemColumn, part: Part, outcome: Outcome) -> dict[str, Any]:
    """Thumbnails of the hardest rows."""
    order = np.argsort(-outcome.errors(), kind="stable")[:_HARDEST]
    section = items(pipeline, shown, part.pick(order), side=_THUMB)
    return section if "items" in section else {}


def _hard_to_easy(outcome: Outcome) -> np.ndarray:
    """Row numbers spread from the hardest to the easiest."""
    order = np.argsort(-outcome.errors(), kind="stable")
    return order[np.linspace(0, len(order) - 1, min(_PICTURES, len(order))).round().astype(np.int64)]


def _scores(pipeline: Pipeline, part: Part) -> Tensor:
    return torch.cat(list(scores_of(pipeline.network, pipeline.rows(part))))


def mask_section(pipeline: Pipeline, task: MaskTask, part: Part, outcome: Outcome) -> dict[str, Any]:
    """Images with true and predicted masks, from the hardest to the easiest."""
    rows = part.pick(_hard_to_easy(outcome))
    images, truths = encode(pipeline, rows), task.targets(rows).numpy()
    assert isinstance(images, Tensor)
    answers = task.masks(task(_scores(pipeline, rows))).cpu().numpy()
    known = np.where(truths < len(pipeline.task.classes), truths, 0)
    return {
        "images": smaller(images.numpy(), LARGE),
        "truths": smaller_codes(known.astype(np.uint8), LARGE),
        "answers": smaller_codes(answers, LARGE),
        "classes": list(pipeline.task.classes),
    }


def box_section(pipeline: Pipeline, task: BoxTask, part: Part, outcome: Outcome) -> dict[str, Any]:
    """Images, true boxes `[rows, most, 5]` and predicted ones `[rows, most, 6]`, padded with class −1.

    Coordinates are shares of the image's width and height.
    """
    rows = part.pick(_hard_to_easy(outcome))
    images = encode(pipeline, rows)
    assert isinstance(images, Tensor)
    boxes = task(_scores(pipeline, rows)).cpu().numpy()
    boxes[boxes[..., 1] < float(task.threshold), 0] = -1
    return {
        "images": smaller(images.numpy(), LARGE),
        "truths": task.targets(rows).numpy(),
        "found": boxes.astype(np.float32),
        "classes": list(pipeline.task.classes),
    }


def forecast_section(pipeline: Pipeline, part: Part, outcome: TableOutcome) -> dict[str, Any]:
    """Some windows `[windows, steps, series]`, and the mean absolute error of each step over all windows."""
    name, store = next(iter(part.stores.items()))
    assert isinstance(store, WindowStore)
    assert outcome.values is not None
    task, places = pipeline.task, part.raw[name].to_numpy()
    targets = task.outputs // task.horizon
    naive = store.last_season(task, places)
    chosen = _apart(len(part), max(1, _FORECASTS // 2 // min(targets, _FORECASTS)))

    def by_series(values: np.ndarray) -> np.ndarray:
        return values.reshape(*values.shape[:-1], targets, task.horizon)

    def stack(values: np.ndarray) -> np.ndarray:
        return by_series(values[chosen]).transpose(0, 2, 1).astype(np.float32)

    seen = store.values(places[chosen], store.length)[:, :targets, -4 * max(task.horizon, 8) :]
    return {
        "history": seen.numpy().transpose(0, 2, 1),
        "truth": stack(outcome.truth),
        "answer": stack(outcome.values),
        "naive": stack(naive),
        "network_error": np.abs(by_series(outcome.values - outcome.truth)).mean(axis=0).astype(np.float32),
        "naive_error": np.abs(by_series(naive - outcome.truth)).mean(axis=0).astype(np.float32),
        "names": list(store.plan.targets),
        "windows": [store.name(int(places[row])) for row in chosen],
    }


def _apart(rows: int, most: int) -> np.ndarray:
    """The middles of `most` equal stretches of the rows."""
    number = min(most, rows)
    return ((np.arange(number) + 0.5) * rows / number).astype(np.int64)

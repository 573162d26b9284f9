"""Answers beside the truth for some rows of a part, as pictures show them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from handrail.data.part import Part
from handrail.data.stores.windows import WindowStore
from handrail.evaluation.outcome import Outcome
from handrail.evaluation.outcomes.table import TableOutcome
from handrail.pipeline import Pipeline
from handrail.report.samples.items import LARGE, ItemColumn, encode, items, picked, smaller, smaller_codes
from handrail.tasks.boxes import BoxTask
from handrail.tasks.masks import MaskTask
from handrail.tasks.scoring import scores_of

_MISTAKES = 16
_HARDEST = 8
_TEXTS = 6
_PICTURES = 3
_FORECASTS = 6
_THUMB = 64


def mistake_section(pipeline: Pipeline, shown: ItemColumn, part: Part, outcome: TableOutcome) -> dict[str, Any]:
    """Rows that were taken for another class, the surest answer first."""
    wrong = np.flatnonzero(outcome.label_codes != outcome.truth)
    if outcome.probabilities is None:
        return {}
    sure = outcome.probabilities[np.arange(outcome.rows), outcome.label_codes]
    chosen = wrong[np.argsort(-sure[wrong], kind="stable")][: _TEXTS if shown.kind == "text" else _MISTAKES]
    some = picked(part, chosen)
    found: dict[str, Any] = items(pipeline, shown, some) if len(chosen) else {"kind": shown.kind}
    return {
        **found,
        "total": len(wrong),
        "rows": [part.table.row_name(int(part.rows[row])) for row in chosen],
        "truths": [outcome.describe(int(row), truth=True) for row in chosen],
        "answers": [outcome.describe(int(row), truth=False) for row in chosen],
        "sure": [round(float(sure[row]), 6) for row in chosen],
    }


def hardest_section(pipeline: Pipeline, shown: ItemColumn, part: Part, outcome: Outcome) -> dict[str, Any]:
    """The items of the hardest rows, very small, for their table."""
    order = np.argsort(-outcome.errors(), kind="stable")[:_HARDEST]
    found = items(pipeline, shown, picked(part, order), side=_THUMB)
    return found if "items" in found else {}


def _spread(outcome: Outcome) -> np.ndarray:
    """Some rows from the hardest to the easiest."""
    order = np.argsort(-outcome.errors(), kind="stable")
    return order[np.linspace(0, len(order) - 1, min(_PICTURES, len(order))).round().astype(np.int64)]


def _scores(pipeline: Pipeline, part: Part) -> Tensor:
    return torch.cat(list(scores_of(pipeline.network, pipeline.rows(part))))


def mask_section(pipeline: Pipeline, decoder: MaskTask, part: Part, outcome: Outcome) -> dict[str, Any]:
    """Images, true masks and answers, from the hardest to the easiest."""
    some = picked(part, _spread(outcome))
    images, truths = encode(pipeline, some), decoder.targets(some).numpy()
    assert isinstance(images, Tensor)
    answers = decoder.masks(decoder(_scores(pipeline, some))).cpu().numpy()
    known = np.where(truths < len(pipeline.task.classes), truths, 0)
    return {
        "images": smaller(images.numpy(), LARGE),
        "truths": smaller_codes(known.astype(np.uint8), LARGE),
        "answers": smaller_codes(answers, LARGE),
        "classes": list(pipeline.task.classes),
    }


def box_section(pipeline: Pipeline, decoder: BoxTask, part: Part, outcome: Outcome) -> dict[str, Any]:
    """Images, true boxes `[rows, most, 5]` and answers `[rows, most, 6]` in shares of the image; class −1
    where there is none.
    """
    some = picked(part, _spread(outcome))
    images = encode(pipeline, some)
    assert isinstance(images, Tensor)
    found = decoder(_scores(pipeline, some)).cpu().numpy()
    found[found[..., 1] < float(decoder.threshold), 0] = -1
    return {
        "images": smaller(images.numpy(), LARGE),
        "truths": decoder.targets(some).numpy(),
        "found": found.astype(np.float32),
        "classes": list(pipeline.task.classes),
    }


def forecast_section(pipeline: Pipeline, part: Part, outcome: TableOutcome) -> dict[str, Any]:
    """Some windows spread over the part, `[windows, steps, series]`, and the mean absolute error of each step
    of all.
    """
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
    """The middles of so many equal stretches."""
    number = min(most, rows)
    return ((np.arange(number) + 0.5) * rows / number).astype(np.int64)

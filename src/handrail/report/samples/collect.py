"""Collect the samples of a part, section by section, and write them into the run folder."""

from collections.abc import Sequence
from functools import partial
from itertools import compress
from typing import Any

import numpy as np
import torch
from torch import Tensor

from handrail.components.pictures import Picture, to_plain
from handrail.data.encoders.series import SeriesEncoder
from handrail.data.part import Part
from handrail.data.rows import to_device
from handrail.data.stores.series import WindowStore
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.table import TableOutcome
from handrail.layers.feature_projection import feature_pictures
from handrail.network import Network, model_in, model_inputs
from handrail.objectives.maps import IGNORED
from handrail.pipeline import Pipeline
from handrail.pipeline.ensemble import first_of
from handrail.report.samples.archive import Sections, samples_path, save_sections
from handrail.report.samples.inside import (
    attention_section,
    course_pictures,
    filter_section,
    generation_section,
)
from handrail.report.samples.items import (
    LARGE,
    ItemColumn,
    display,
    encode,
    find_item_column,
    items,
    smaller,
    smaller_codes,
)
from handrail.runs.folder import Folder
from handrail.shapes import ImageShape
from handrail.tasks.boxes import BoxTask
from handrail.tasks.masks import MaskTask
from handrail.tasks.scoring import scores_of
from handrail.tasks.task import Answered
from handrail.training.course import read_course
from handrail.training.seeds import fix_seed

_SAMPLES, _SMALL = {"image": 24, "audio": 18, "text": 6}, 40
_AUGMENTED, _VERSIONS = 4, 4
_MISTAKES, _HARDEST, _TEXTS, _PICTURES, _FORECASTS = 16, 8, 6, 3, 6
_THUMBNAIL = 64
_WATCHED = 3


def write_samples(
    folder: Folder, pipeline: Pipeline, train: Part, validation: Part, outcome: Outcome
) -> None:
    """Write the samples of a fit: training rows, predictions for validation rows, filters and attention.

    Augmentation and text generation have a seed of their own; torch's generator is left as it was. `outcome`:
    the predictions for all validation rows. Raises: `HandrailError` when the file cannot be written.
    """
    shown = find_item_column(pipeline)
    with fix_seed(0, "showcase"), torch.no_grad():
        sections = {
            "samples": _samples(pipeline, shown, train),
            "augmented": _augmentation(pipeline, shown, train),
            "filters": filter_section(pipeline),
            "generated": generation_section(pipeline, validation),
            **_numbered("course", course_pictures(read_course(folder.course), pipeline.decoder.shape)),
            "attention": attention_section(pipeline, shown, validation),
            **_numbered("inside", _network_pictures(pipeline, validation)),
            **_answers(pipeline, shown, validation, outcome, train=train),
        }
    save_sections(samples_path(folder, "validation"), sections)


def write_test_samples(folder: Folder, pipeline: Pipeline, train: Part, part: Part, outcome: Outcome) -> None:
    """Write samples of the predictions for test rows, once their seal is open. Raises: `HandrailError`."""
    with torch.no_grad():
        sections = _answers(pipeline, find_item_column(pipeline), part, outcome, train=train)
    save_sections(samples_path(folder, "test"), sections)


def _answers(
    pipeline: Pipeline, shown: ItemColumn | None, part: Part, outcome: Outcome, *, train: Part
) -> Sections:
    pipeline.eval()
    network, rows = pipeline.network, pipeline.rows(part)
    answered = Answered(network, rows, part, outcome, train, pipeline.encoder)
    sections = _numbered("picture", pipeline.decoder.pictures(answered))
    if isinstance(outcome, TableOutcome) and pipeline.task.is_forecast:
        return {"forecast": _forecast(pipeline, part, outcome)}
    if isinstance(pipeline.decoder, MaskTask):
        sections["masks"] = _masks(pipeline, pipeline.decoder, part, outcome)
    if isinstance(pipeline.decoder, BoxTask):
        sections["boxes"] = _boxes(pipeline, pipeline.decoder, part, outcome)
    if shown and isinstance(outcome, TableOutcome) and pipeline.task.is_classification:
        sections["mistakes"] = _mistakes(pipeline, shown, part, outcome)
    if shown and shown.kind in ("image", "series", "audio"):
        sections["hardest"] = _hardest(pipeline, shown, part, outcome)
    return sections


def _network_pictures(pipeline: Pipeline, part: Part) -> list[Picture]:
    """Those of the network, and of what its model does in some rows, by a method `activity(rows)`, or else of
    what its features stand for, where it has convolutions over pictures.

    Of replicas, those of the first that answers.
    """
    network = first_of(pipeline.network)
    shown = pipeline.decoder.network_pictures(network, pipeline.encoder)
    model: Any = model_in(network)
    watched = getattr(model, "activity", None)
    if watched is None and isinstance(pipeline.encoder.shape, ImageShape):
        watched = partial(feature_pictures, model)
    if watched is None:
        return shown
    rows = encode(pipeline, part.pick(np.arange(min(len(part), _WATCHED))))
    return [*shown, *watched(model_inputs(network, to_device(rows, pipeline.device)))]


def _numbered(name: str, pictures: Sequence[Picture]) -> Sections:
    return {f"{name}-{place}": to_plain(picture) for place, picture in enumerate(pictures)}


def _samples(pipeline: Pipeline, shown: ItemColumn | None, train: Part) -> dict[str, Any]:
    if shown is None or shown.kind in ("stream", "symbols"):
        return {}
    part = train.pick(_in_turn(pipeline, train, _how_many(shown)))
    section = items(pipeline, shown, part)
    if section["kind"] == "windows":
        return {}
    # The size of an item as the network gets it, however small the picture is.
    shape = [int(size) for size in shown.column.shape]  # pyright: ignore[reportGeneralTypeIssues]
    return {**section, "shape": shape, "titles": _titles(pipeline, part)}


def _how_many(shown: ItemColumn) -> int:
    """How many items fill two or three rows of a wide picture."""
    shape = shown.column.shape
    if isinstance(shape, ImageShape) and shown.kind == "image" and max(shape.height, shape.width) <= _SMALL:
        return 36
    return _SAMPLES.get(shown.kind, 12)


def _in_turn(pipeline: Pipeline, train: Part, most: int) -> np.ndarray:
    """Row numbers from the classes in turn, sorted by class; without classes, spread evenly over the part."""
    rows = len(train)
    if not pipeline.task.is_classification:
        return np.linspace(0, rows - 1, min(most, rows)).round().astype(np.int64)
    codes = train.target.numpy()
    order = np.argsort(codes, kind="stable")
    turn = np.empty(rows, dtype=np.int64)
    # For each row, how many rows of its class come before it.
    turn[order] = np.arange(rows) - np.searchsorted(codes[order], codes[order])
    chosen = np.lexsort((codes, turn))[:most]
    return chosen[np.argsort(codes[chosen], kind="stable")]


def _titles(pipeline: Pipeline, part: Part) -> list[str]:
    task, target = pipeline.task, part.target
    if task.is_classification:
        return [task.classes[code] for code in target.tolist()]
    if task.name == "multi-label":
        labels = [compress(task.classes, row) for row in target.tolist()]
        return [", ".join(names) or "none" for names in labels]
    return [f"{row[0]:.4g}" for row in target.tolist()] if task.name == "regression" else []


def _augmentation(pipeline: Pipeline, shown: ItemColumn | None, train: Part) -> dict[str, Any]:
    """Training rows as they are, and as the network sees them in some epochs."""
    network = first_of(pipeline.network)
    if shown is None or pipeline.task.is_forecast:
        return {}
    if not isinstance(network, Network) or not len(network.augment):
        return {}
    rows = encode(pipeline, train.pick(_in_turn(pipeline, train, _AUGMENTED)))
    if not isinstance(rows, Tensor):
        return {}
    before = network.front(rows.to(pipeline.device))
    network.augment.train()
    changed = [_display(network.augment(before), shown) for _ in range(_VERSIONS)]
    network.augment.eval()
    return {"kind": shown.kind, "originals": _display(before, shown), "changed": np.stack(changed, axis=1)}


def _display(values: Tensor, shown: ItemColumn) -> np.ndarray:
    """Model inputs as pictures: images scaled from [0, 1], series without the channel that marks the end."""
    if shown.kind == "image":
        values = values.float().mul(255).round().clamp(0, 255).to(torch.uint8)
    if isinstance(shown.column, SeriesEncoder):
        values = values[:, : shown.column.channels]
    return display(values, shown.kind)


def _mistakes(pipeline: Pipeline, shown: ItemColumn, part: Part, outcome: TableOutcome) -> dict[str, Any]:
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


def _hardest(pipeline: Pipeline, shown: ItemColumn, part: Part, outcome: Outcome) -> dict[str, Any]:
    order = np.argsort(-outcome.errors(), kind="stable")[:_HARDEST]
    section = items(pipeline, shown, part.pick(order), side=_THUMBNAIL)
    return section if "items" in section else {}


def _hard_to_easy(outcome: Outcome) -> np.ndarray:
    order = np.argsort(-outcome.errors(), kind="stable")
    return order[np.linspace(0, len(order) - 1, min(_PICTURES, len(order))).round().astype(np.int64)]


def _scores(pipeline: Pipeline, part: Part) -> Tensor:
    return torch.cat(list(scores_of(pipeline.network, pipeline.rows(part))))


def _masks(pipeline: Pipeline, task: MaskTask, part: Part, outcome: Outcome) -> dict[str, Any]:
    """Images with true and predicted masks, from the hardest to the easiest."""
    rows = part.pick(_hard_to_easy(outcome))
    images, truths = encode(pipeline, rows), task.targets(rows).numpy()
    assert isinstance(images, Tensor)
    answers = task.masks(task(_scores(pipeline, rows))).cpu().numpy()
    known = np.where((truths < len(pipeline.task.classes)) | (truths == IGNORED), truths, 0)
    return {
        "images": smaller(images.numpy(), LARGE),
        "truths": smaller_codes(known.astype(np.uint8), LARGE),
        "answers": smaller_codes(answers, LARGE),
        "classes": list(pipeline.task.classes),
    }


def _boxes(pipeline: Pipeline, task: BoxTask, part: Part, outcome: Outcome) -> dict[str, Any]:
    """Images, true boxes `[rows, most, 5]` and predicted ones `[rows, most, 6]`, padded with class −1.

    Coordinates are shares of the image's width and height.
    """
    rows = part.pick(_hard_to_easy(outcome))
    images = encode(pipeline, rows)
    assert isinstance(images, Tensor)
    boxes = task(_scores(pipeline, rows)).cpu().numpy()
    boxes[boxes[..., 1] <= float(task.threshold), 0] = -1
    return {
        "images": smaller(images.numpy(), LARGE),
        "truths": task.targets(rows).numpy(),
        "found": boxes.astype(np.float32),
        "classes": list(pipeline.task.classes),
    }


def _forecast(pipeline: Pipeline, part: Part, outcome: TableOutcome) -> dict[str, Any]:
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
        "kind": "free run" if task.free_run else "forecast",
        "windows": [store.name(int(places[row])) for row in chosen],
    }


def _apart(rows: int, most: int) -> np.ndarray:
    """The middles of `most` equal stretches of the rows."""
    number = min(most, rows)
    return ((np.arange(number) + 0.5) * rows / number).astype(np.int64)

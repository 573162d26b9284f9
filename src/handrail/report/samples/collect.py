"""Collects the samples of a part, section by section, and writes them into the run folder."""

from typing import Any

import numpy as np
import torch

from handrail.data.encoders.series import SeriesEncoder
from handrail.data.part import Part
from handrail.evaluation.outcome import Outcome
from handrail.evaluation.outcomes.table import TableOutcome
from handrail.network import Network
from handrail.pipeline import Pipeline
from handrail.pipeline.ensemble import first_of
from handrail.report.samples.answers import (
    box_section,
    forecast_section,
    hardest_section,
    mask_section,
    mistake_section,
)
from handrail.report.samples.archive import Sections, samples_path, save_sections
from handrail.report.samples.inside import attention_section, filter_section, generation_section
from handrail.report.samples.items import ItemColumn, display, encode, find_item_column, items
from handrail.runs.folder import Folder
from handrail.shapes import ImageShape
from handrail.tasks.boxes import BoxTask
from handrail.tasks.masks import MaskTask
from handrail.training.seeds import fix_seed

_SAMPLES, _SMALL = {"image": 24, "audio": 18, "text": 6}, 40
_AUGMENTED, _VERSIONS = 4, 4


def write_samples(
    folder: Folder, pipeline: Pipeline, train: Part, validation: Part, outcome: Outcome
) -> None:
    """Write the samples of a fit: training rows, predictions for validation rows, filters and attention.

    Augmentation and text generation have a seed of their own; torch's generator is left as it was.

    Arguments:
        outcome: the predictions for all validation rows.

    Raises: `HandrailError` when the file cannot be written.
    """
    shown = find_item_column(pipeline)
    with fix_seed(0, "showcase"), torch.no_grad():
        sections = _without_empty(
            samples=_samples(pipeline, shown, train),
            augmented=_augmentation(pipeline, shown, train),
            filters=filter_section(pipeline),
            generated=generation_section(pipeline, validation),
            attention=attention_section(pipeline, shown, validation),
            **_answers(pipeline, shown, validation, outcome),
        )
    save_sections(samples_path(folder, "validation"), sections)


def write_test_samples(folder: Folder, pipeline: Pipeline, part: Part, outcome: Outcome) -> None:
    """Write samples of the predictions for test rows; call it only once their seal is open.

    Raises: `HandrailError` when the file cannot be written.
    """
    with torch.no_grad():
        sections = _without_empty(**_answers(pipeline, find_item_column(pipeline), part, outcome))
    save_sections(samples_path(folder, "test"), sections)


def _without_empty(**sections: dict[str, Any]) -> Sections:
    return {name: values for name, values in sections.items() if values}


def _answers(pipeline: Pipeline, shown: ItemColumn | None, part: Part, outcome: Outcome) -> Sections:
    pipeline.eval()
    sections: Sections = {}
    if isinstance(outcome, TableOutcome) and pipeline.task.is_forecast:
        return {"forecast": forecast_section(pipeline, part, outcome)}
    if isinstance(pipeline.decoder, MaskTask):
        sections["masks"] = mask_section(pipeline, pipeline.decoder, part, outcome)
    if isinstance(pipeline.decoder, BoxTask):
        sections["boxes"] = box_section(pipeline, pipeline.decoder, part, outcome)
    if shown and isinstance(outcome, TableOutcome) and pipeline.task.is_classification:
        sections["mistakes"] = mistake_section(pipeline, shown, part, outcome)
    if shown and shown.kind in ("image", "series", "audio"):
        sections["hardest"] = hardest_section(pipeline, shown, part, outcome)
    return sections


def _samples(pipeline: Pipeline, shown: ItemColumn | None, train: Part) -> dict[str, Any]:
    """Training rows, taken from the classes in turn."""
    if shown is None or shown.kind == "stream":
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
        return [
            ", ".join(name for name, on in zip(task.classes, row, strict=True) if on) or "none"
            for row in target.tolist()
        ]
    return [f"{row[0]:.4g}" for row in target.tolist()] if task.name == "regression" else []


def _augmentation(pipeline: Pipeline, shown: ItemColumn | None, train: Part) -> dict[str, Any]:
    """Training rows as they are, and as the network sees them in some epochs."""
    network = first_of(pipeline.network)
    if shown is None or pipeline.task.is_forecast:
        return {}
    if not isinstance(network, Network) or not len(network.augment):
        return {}
    rows = encode(pipeline, train.pick(_in_turn(pipeline, train, _AUGMENTED)))
    if not isinstance(rows, torch.Tensor):
        return {}
    before = network.front(rows.to(pipeline.device))
    network.augment.train()
    changed = [_display(network.augment(before), shown) for _ in range(_VERSIONS)]
    network.augment.eval()
    return {"kind": shown.kind, "originals": _display(before, shown), "changed": np.stack(changed, axis=1)}


def _display(values: torch.Tensor, shown: ItemColumn) -> np.ndarray:
    """Model inputs as pictures: images scaled from [0, 1], series without the channel that marks the end."""
    if shown.kind == "image":
        values = values.float().mul(255).round().clamp(0, 255).to(torch.uint8)
    if isinstance(shown.column, SeriesEncoder):
        values = values[:, : shown.column.channels]
    return display(values, shown.kind)

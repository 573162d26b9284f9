"""What is odd about masks: values that are no class, and pictures of which no pixel counts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from handrail.data.finding import Finding, share
from handrail.data.part import Part
from handrail.data.targets.void import small_codes
from handrail.data.task import TaskSpec
from handrail.tools.words import list_some, plural


def check_masks(train: Part, validation: Part, *, task: TaskSpec, asked: bool) -> list[Finding]:
    """Ignored values, a 255 that may be one, and masks without a pixel that counts.

    Arguments:
        asked: whether `data.masks.ignore` says what is ignored.
    """
    if task.name != "mask":
        return []
    return [
        *_report_ignored(train, validation, task, asked=asked),
        *([] if asked else _find_likely_void(task)),
        *(finding for part in (train, validation) for finding in _find_empty(part, task)),
    ]


def _report_ignored(train: Part, validation: Part, task: TaskSpec, *, asked: bool) -> list[Finding]:
    if not task.ignored:
        return []
    pixels, names = _pixels(train), list_some(task.ignored, last=" and ")
    ignored = sum(pixels.get(name, 0) for name in task.ignored)
    absent = [name for name in task.ignored if name not in pixels and name not in _pixels(validation)]
    if absent:
        held = ", ".join((*task.classes, *(name for name in task.ignored if name not in absent)))
        return [
            Finding(
                level="warning",
                name="ignored-values",
                column=task.targets[0],
                seen=f"data.masks.ignore names {', '.join(absent)}, which no training or validation mask "
                f"holds; they hold {held}.",
                why="A value that is written wrongly leaves nothing out.",
                action="Nothing is left out for it.",
            )
        ]
    return [
        Finding(
            level="note",
            name="ignored-values",
            column=task.targets[0],
            seen=f"Masks: {names} in {share(ignored, sum(pixels.values()))} of the training pixels, beside "
            f"the {plural(len(task.classes), 'class', 'classes')} {list_some(task.classes, most=8)}.",
            why="It is no class, as data.masks.ignore says."
            if asked
            else "By convention it marks pixels that nobody has labelled (void).",
            action="These pixels count neither in the loss nor in any figure, and no answer holds the value; "
            "data.masks.ignore=none makes it a class.",
            decided=not asked,
        )
    ]


def _find_likely_void(task: TaskSpec) -> list[Finding]:
    """255 beside small codes with gaps between them: it may be a class."""
    codes = small_codes(task.classes)
    if len(codes) < 2:
        return []
    return [
        Finding(
            level="warning",
            name="likely-void",
            column=task.targets[0],
            seen=f"Masks: 255 beside small values ({list_some(codes, most=8)}).",
            why="It may mark pixels that nobody has labelled.",
            action="It counts as a class; data.masks.ignore=255 leaves such pixels out of loss and figures.",
        )
    ]


def _find_empty(part: Part, task: TaskSpec) -> list[Finding]:
    """Masks of which no pixel counts; it stops a fit where all are such."""
    if not task.ignored:
        return []
    store, places = _masks(part), _places(part)
    empty = [int(place) for place in places if not set(store.classes_of([place])) - set(task.ignored)]
    if not empty:
        return []
    return [
        Finding(
            level="error" if len(empty) == len(places) else "warning",
            name="no-pixel-counts",
            column=task.targets[0],
            seen=f"{len(empty):,} of {len(places):,} {part.name} masks hold nothing but "
            f"{list_some(task.ignored, last=' and ')}, which is no class: "
            f"{list_some(store.name(place) for place in empty)}.",
            why="There is nothing to learn from them, and nothing to measure on them.",
            action="Nothing is changed; data.masks.ignore=none makes the value a class.",
        )
    ]


def _pixels(part: Part) -> dict[str, int]:
    return _masks(part).pixels_of(_places(part))


def _places(part: Part) -> Sequence[int] | np.ndarray:
    return part.raw[_column(part)].to_numpy()


def _masks(part: Part) -> Any:
    return part.stores[_column(part)]


def _column(part: Part) -> str:
    return next(name for name, store in part.stores.items() if store.kind == "mask")

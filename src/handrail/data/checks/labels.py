"""What was made of the labels of a target: spellings of one class, lists of labels, words for missing."""

from collections.abc import Mapping, Sequence

import polars as pl

from handrail.data.columns.values import as_labels
from handrail.data.finding import Finding
from handrail.data.part import Part
from handrail.data.targets.lists import describe_lists, find_lists
from handrail.data.targets.spellings import merge_spellings
from handrail.data.task import TaskSpec
from handrail.tools.words import list_some, plural


def check_labels(train: Part, validation: Part, *, task: TaskSpec) -> list[Finding]:
    """Classes in several spellings, and cells that hold several labels, by training and validation rows."""
    if not task.is_classification or any(name in train.stores for name in task.targets):
        return []
    name = task.targets[0]
    series = pl.concat([part.raw[name] for part in (train, validation)]).drop_nulls()
    if series.dtype != pl.String:
        return []
    return [*_find_spellings(series, task), *_find_lists(series, task)]


def _find_spellings(series: pl.Series, task: TaskSpec) -> list[Finding]:
    labels = as_labels(series)
    counts = dict(labels.value_counts(name="rows").iter_rows())
    if counts.keys() <= {*task.classes}:
        return _find_apart(counts, task) if task.as_written else []
    read = dict(zip(labels.to_list(), task.labels(labels).to_list(), strict=True))
    groups = {name: [label for label in counts if read.get(label) == name] for name in task.classes}
    merged = [_describe_group(name, group, counts) for name, group in groups.items() if len(group) > 1]
    if not merged:
        return []
    return [
        Finding(
            level="note",
            name="spellings",
            column=task.targets[0],
            seen=f"Target '{task.targets[0]}': {plural(len(merged), 'class', 'classes')} in several "
            f"spellings, by rows: {list_some(merged, last=' and ')}.",
            why="Labels that differ in case, white space or a final dot alone, or say yes and no in several "
            "ways, are most often one class.",
            action="Each is read as its first spelling here, in new rows too; data.labels=as_written keeps "
            "them apart.",
            decided=True,
        )
    ]


def _describe_group(name: str, group: Sequence[str], counts: Mapping[str, int]) -> str:
    """The spellings of a class, its name first."""
    ordered = sorted(group, key=lambda label: (label != name, -counts[label], label))
    return " = ".join(f"'{label}' ({counts[label]:,})" for label in ordered)


def _find_apart(counts: Mapping[str, int], task: TaskSpec) -> list[Finding]:
    """Labels that `auto` did not fold; where the user said `as_written`, there is nothing to add."""
    apart = merge_spellings(counts).apart
    if not apart:
        return []
    groups = [" and ".join(f"'{label}' ({counts[label]:,})" for label in group) for group in apart]
    return [
        Finding(
            level="note",
            name="case",
            column=task.targets[0],
            seen=f"Target '{task.targets[0]}': classes that differ in case alone, by rows: "
            f"{list_some(groups)}.",
            why="In single letters, or where one class alone would be left, case may be meaning.",
            action="They are different classes; data.labels=fold makes one of them.",
            decided=True,
        )
    ]


def _find_lists(series: pl.Series, task: TaskSpec) -> list[Finding]:
    lists = find_lists(series)
    if lists is None:
        return []
    name = task.targets[0]
    return [
        Finding(
            level="warning",
            name="label-lists",
            column=name,
            seen=f"Target '{name}' has {len(task.classes):,} classes. {describe_lists(lists)}",
            why="Combinations as classes share nothing, and a rare one has few rows to learn from.",
            action="Until then each combination is a class of its own.",
        )
    ]

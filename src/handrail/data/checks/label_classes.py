"""What is odd about the classes of a label that only judges."""

import polars as pl

from handrail.data.columns.values import as_labels
from handrail.data.finding import Finding
from handrail.data.part import Part
from handrail.data.task import TaskSpec
from handrail.tools.words import list_some, plural

MOST_CLASSES = 100  # of a label that names groups; one of more values is a measure, or a name of each row
_PROBED = ("density", "map", "reconstruction")  # tasks whose codes are judged by classifiers of the label


def check_label(train: Part, validation: Part, *, task: TaskSpec) -> list[Finding]:
    """Classes of the label that are missing from training or validation rows, where both have labels.

    Of a label that one of them lacks altogether no figure is measured, which is said beside the figures.
    """
    if task.label is None or train.table.is_undivided:
        return []
    known, judged = (_class_sizes(part, task.label) for part in (train, validation))
    names = [name for name in {**known, **judged} if not (known.get(name) and judged.get(name))]
    if not names or not known or not judged or len(known) > MOST_CLASSES:
        return []
    sizes = [f"'{name}' ({known.get(name, 0):,} and {judged.get(name, 0):,} rows)" for name in sorted(names)]
    return [
        Finding(
            level="warning",
            name="label-classes",
            column=task.label,
            seen=f"Label '{task.label}': {plural(len(names), 'class', 'classes')} without a training row or "
            f"without a validation row: {list_some(sizes)}.",
            why="Figures by the label say nothing of a class that no measured row has, and what tells the "
            "label from codes is wrong about a class that no training row has.",
            action="Nothing is changed; collect more rows, merge such classes in the source, or divide the "
            "rows otherwise (data.split).",
        )
    ]


def describe_new_classes(train: Part, part: Part, *, task: TaskSpec) -> list[str]:
    """A sentence on rows with a label that no training row has, where classifiers of codes judge by it."""
    if task.label is None or task.name not in _PROBED:
        return []
    known, judged = (_class_sizes(each, task.label) for each in (train, part))
    new = {name: rows for name, rows in judged.items() if name not in known}
    if not new or not 2 <= len(known) <= MOST_CLASSES:
        return []
    names = list_some((f"'{name}'" for name in sorted(new)), last=" or ")
    rows = plural(sum(new.values()), f"{part.name} row")
    return [
        f"Label '{task.label}': no training row has {names}; what tells the label from codes is wrong about "
        f"the {rows} with it."
    ]


def _class_sizes(part: Part, label: str) -> dict[str, int]:
    """How many rows have each class; of a streamed part, rows of its sample."""
    labels = as_labels(part.sample.raw[label]).drop_nulls()
    counts = pl.DataFrame({"name": labels}).group_by("name").len()
    return {str(name): int(rows) for name, rows in counts.iter_rows()}

"""What is odd about the target of the training rows."""

import numpy as np

from handrail.data.checks.columns.values import outlying
from handrail.data.checks.labels import check_labels
from handrail.data.checks.target_markers import check_target_markers
from handrail.data.columns.values import as_numbers
from handrail.data.finding import Finding, share
from handrail.data.part import Part
from handrail.data.task import TaskSpec
from handrail.tools.words import list_some, number, plural

_RARE_SHARE = 0.10
_FEW_ROWS = 10
_NEARLY_ALWAYS = 0.95


def check_target(train: Part, validation: Part, *, task: TaskSpec, balance: str) -> list[Finding]:
    """Uneven and rare classes and labels; values that hardly vary or lie far out."""
    if not task.has_values:
        return []
    if task.name == "regression":
        return [finding for name in task.targets for finding in _check_values(train, name)]
    if task.name == "multi-label":
        return _find_rare_labels(train, task)
    if not task.is_classification:
        return []
    sizes = [np.bincount(part.target.numpy(), minlength=len(task.classes)) for part in (train, validation)]
    return [
        *check_labels(train, validation, task=task),
        *check_target_markers(train, task.targets[0], classes=True),
        *_find_imbalance(sizes[0], task, balance),
        *([] if train.table.is_undivided else _find_rare_classes(sizes[0], sizes[1], task)),
    ]


def _find_imbalance(sizes: np.ndarray, task: TaskSpec, balance: str) -> list[Finding]:
    """Where the rarest class has less than a tenth of the rows, or half its even share of many classes."""
    rows, rarest, commonest = int(sizes.sum()), int(sizes.argmin()), int(sizes.argmax())
    if sizes[rarest] >= min(_RARE_SHARE, 0.5 / len(sizes)) * rows:
        return []
    settled, usual = balance != "none", share(int(sizes[commonest]), rows)
    return [
        Finding(
            level="note" if settled else "warning",
            name="imbalance",
            column=task.targets[0],
            seen=f"Target '{task.targets[0]}': class '{task.classes[rarest]}' has {sizes[rarest]:,} of "
            f"{rows:,} training rows ({share(int(sizes[rarest]), rows)}), '{task.classes[commonest]}' has "
            f"{usual}.",
            why=f"Who always says '{task.classes[commonest]}' is right in {usual} of rows, so accuracy says "
            "little; look at balanced_accuracy, f1 and pr_auc.",
            action=f"data.balance={balance} evens the classes out in training; it shifts the probabilities."
            if settled
            else "Rows count alike; data.balance=class_weights, oversample or undersample gives rare classes "
            "more weight.",
        )
    ]


def _find_rare_classes(train: np.ndarray, validation: np.ndarray, task: TaskSpec) -> list[Finding]:
    few = [
        place
        for place in np.argsort(train, kind="stable")
        if train[place] < _FEW_ROWS or not validation[place]
    ]
    if not few:
        return []
    sizes = [f"'{task.classes[place]}' ({train[place]:,} and {validation[place]:,} rows)" for place in few]
    return [
        Finding(
            level="warning",
            name="rare-class",
            column=task.targets[0],
            seen=f"Target '{task.targets[0]}': {plural(len(few), 'class', 'classes')} with fewer than "
            f"{_FEW_ROWS} training rows or no validation row: {list_some(sizes)}.",
            why="So few rows can be learned by heart but teach no rule, and figures for such a class are "
            "mostly chance.",
            action="Nothing is changed; collect more rows, or merge or remove such classes in the source.",
        )
    ]


def _find_rare_labels(train: Part, task: TaskSpec) -> list[Finding]:
    rows = len(train)
    positives = train.target.numpy().sum(axis=0).astype(int)
    rarer = np.minimum(positives, rows - positives)
    rare = [place for place in np.argsort(rarer, kind="stable") if rarer[place] < _RARE_SHARE * rows]
    if not rare:
        return []
    shares = [f"'{task.targets[place]}' ({share(int(positives[place]), rows)})" for place in rare]
    return [
        Finding(
            level="warning",
            name="imbalance",
            column=task.targets[rare[0]] if len(rare) == 1 else None,
            seen=f"{plural(len(rare), 'label')} with nearly the same value in all training rows, by share of "
            f"1: {list_some(shares)}.",
            why="Who always says the same is nearly always right about such a label; look at f1 and pr_auc "
            "rather than accuracy.",
            action="Rows count alike; data.balance serves targets with one class a row alone.",
        )
    ]


def _check_values(train: Part, name: str) -> list[Finding]:
    values = as_numbers(train.raw[name]).to_numpy()
    findings = []
    levels, counts = np.unique(values, return_counts=True)
    level, rows = number(levels[counts.argmax()]), share(int(counts.max()), len(values))
    usual = f"{rows} of training rows have the value {level}"
    if counts.max() >= _NEARLY_ALWAYS * len(values):
        findings.append(
            Finding(
                level="warning",
                name="near-constant-target",
                column=name,
                seen=f"Target '{name}': {usual}.",
                why="A network that always says so has a small error and has learned nothing.",
                action="Nothing is changed; compare with the baseline, or ask first whether the value "
                "differs (two classes).",
            )
        )
    findings += check_target_markers(train, name)
    far = outlying(values)
    if len(far):
        place = int(far[np.abs(values[far] - np.median(values)).argmax()])
        findings.append(
            Finding(
                level="note",
                name="target-outliers",
                column=name,
                seen=f"Target '{name}': {plural(len(far), 'training row')} more than 10 interquartile ranges "
                f"from the quartiles, such as {number(values[place])} in "
                f"{train.table.row_name(int(train.rows[place]))}.",
                why="Squared errors of a few such rows outweigh all others.",
                action="They stay; objective.loss=huber or mae weakens them.",
            )
        )
    return findings

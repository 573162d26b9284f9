"""Numbers of a target that stand for 'missing': -999, 9999, and zeros where all others are far from zero."""

from dataclasses import replace

import polars as pl

from handrail.data.checks.columns.markers import check_markers
from handrail.data.checks.columns.numbers import look_at_numbers
from handrail.data.columns.schema import Column, Schema
from handrail.data.columns.values import as_numbers
from handrail.data.finding import Finding
from handrail.data.part import Part

_EVERYWHERE = " in all columns"
_OF_CLASSES = "Taken as a class of its own, rows whose class nobody knows are learned as if they were alike."


def check_target_markers(train: Part, name: str, *, classes: bool = False) -> list[Finding]:
    """The markers of one target, as `check_markers` finds them among inputs.

    Arguments:
        classes: whether the numbers are classes, of which 0 may well be one.
    """
    values = as_numbers(train.raw[name])
    if values.null_count():
        return []
    schema = Schema(columns=(Column(name=name, kind="numeric"),))
    part = replace(train, features=pl.DataFrame([values]))
    findings = check_markers(part, schema, look_at_numbers(part, schema))
    return [
        _of_target(finding, classes=classes)
        for finding in findings
        if finding.name == "marker" or not classes
    ]


def _of_target(finding: Finding, *, classes: bool) -> Finding:
    """The finding with what can be done about a target: `data.missing` is for inputs."""
    action = "Nothing is changed; where it stands for 'missing', leave these rows out in the source."
    if finding.name == "marker":
        setting = finding.action.partition(_EVERYWHERE)[0]
        action = f"{setting}{_EVERYWHERE}, and leaves these rows out."
    seen = finding.seen.replace("Column", "Target", 1)
    why = _OF_CLASSES if classes else finding.why
    return finding.model_copy(update={"seen": seen, "why": why, "action": action})

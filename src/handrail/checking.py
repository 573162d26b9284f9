"""check: what can be said of a source before anything is trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from handrail.data.checks import check_drift
from handrail.data.dataset import Dataset
from handrail.data.finding import Finding
from handrail.data.prepare import prepare_with_test
from handrail.errors import visible
from handrail.recipe import Recipe, compose
from handrail.runs.assembly import check_start, encoders
from handrail.runs.inputs import suit_inputs
from handrail.runs.memory import check_memory
from handrail.tools.notebook import Printable
from handrail.tools.words import plural


class Check(NamedTuple):
    """The parts of a source, and what was found.

    Printed, or as the last line of a notebook's cell, it shows what `handrail check` prints.
    """

    data: Dataset
    findings: list[Finding]

    @property
    def errors(self) -> list[Finding]:
        """The findings that would stop a fit."""
        return [finding for finding in self.findings if finding.level == "error"]

    def __repr__(self) -> str:
        found = f"{plural(len(self.errors), 'error')}, {plural(len(self.findings), 'finding')} in all"
        return f"Check('{self.data.source}': {found})"

    def __str__(self) -> str:
        from handrail.report.console import findings_text

        return visible(findings_text(self.data, self.findings))

    _repr_html_ = Printable._repr_html_


def check(
    source: Any = None,
    target: str | int | list[str | int] | None = None,
    *,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
    trust: bool = False,
) -> Check:
    """Check a source without training: the parts, and the findings, also those that compare all three parts.

    Arguments: as `handrail.fit`.

    Raises: `RecipeError`, `DataError` as `fit`; findings that would stop a fit are returned.
    """
    asked = compose(source, target, recipe=recipe, changes=changes, trust=trust)
    check_start(asked)
    data, test = prepare_with_test(asked.data)
    suited = suit_inputs(asked, data.train, schema=data.schema)
    drift = check_drift(data.train.sample, test.sample, schema=data.schema, target=False)
    return Check(data, [*data.findings, *_check_memory(suited, data), *drift])


def _check_memory(recipe: Recipe, data: Dataset) -> list[Finding]:
    if data.task.name != "memory":
        return []
    encoder, _ = encoders(recipe, data.train, schema=data.schema, task=data.task)
    return check_memory(recipe, data.task, encoder.shape, rows=len(data.train))

"""The lists that CONTRIBUTING names hold every task: a missing line shows here, not in somebody's report."""

from typing import get_args

import pytest

from handrail.data.task import TaskName
from handrail.evaluation.metric_names import DESCRIPTIONS, metric_names
from handrail.recipe.alone import LONE_TASKS
from handrail.report.console import _FIRST, _SHOWN
from handrail.report.sections.details import _ERRORS, _HISTOGRAMS, _ITEMS
from handrail.report.sections.verdict import _what
from handrail.runs.defaults import _ALONE
from handrail.tasks import _TASKS
from handrail.training.job import USUAL_LOSS

NAMES = get_args(TaskName)
TABLES = ("binary", "multi-class", "multi-label", "regression")


@pytest.mark.parametrize("name", NAMES)
def test_a_task_has_a_class_a_loss_metrics_and_words(name: str) -> None:
    assert name in _TASKS or name == "sequence"  # which needs an argument more
    assert name in USUAL_LOSS
    assert set(metric_names(name)) <= set(DESCRIPTIONS)
    assert _SHOWN[name]
    assert set(_SHOWN[name]) & set(_FIRST)
    assert name in _ERRORS
    assert (name in _ITEMS) == (name not in TABLES)
    assert _what({"name": name, "targets": ["y"], "classes": ["a", "b"]}, "network")


@pytest.mark.parametrize("name", LONE_TASKS)
def test_a_task_without_a_target_has_a_usual_model_and_a_histogram(name: str) -> None:
    assert name in NAMES
    assert name in _ALONE
    assert name in _HISTOGRAMS

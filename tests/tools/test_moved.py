"""What was written before modules moved still works."""

import importlib
import subprocess
import sys

import numpy as np
import pytest

from handrail.components import build, find
from handrail.evaluation.bootstrap import measure_with_intervals
from handrail.learning.rules.gradient import Gradient
from handrail.tools.moved import MODULES, NAMES, current_path


@pytest.mark.parametrize("path", [*(f"{old}:" for old in MODULES), *NAMES])
def test_every_old_place_leads_somewhere(path: str) -> None:
    module, _, name = current_path(path).partition(":")
    new = importlib.import_module(module)
    if not name:
        importlib.import_module(path.removesuffix(":"))
        return
    old_module, _, old_name = path.partition(":")
    with pytest.warns(DeprecationWarning, match=f"import {name} from {module}"):
        assert getattr(importlib.import_module(old_module), old_name) is getattr(new, name)


def test_a_recipe_may_name_a_class_where_it_was() -> None:
    assert find("rule", "handrail.learning.gradient:Gradient").target is Gradient
    assert isinstance(build("rule", {"handrail.learning.gradient:Gradient": {"optimizer": "sgd"}}), Gradient)


def test_old_imports_warn_and_unknown_names_are_refused() -> None:
    with pytest.warns(DeprecationWarning, match="import ClassTask from handrail.tasks.classes"):
        from handrail.decoders.classes import ClassDecoder  # pyright: ignore[reportMissingImports]
    assert ClassDecoder.__name__ == "ClassTask"
    with pytest.raises(ImportError):
        from handrail.data.task import Nothing  # noqa: F401 # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("handrail.data.nothing")


def test_start_up_looks_nothing_up() -> None:
    code = "import handrail, sys; print([name for name in sys.modules if name.startswith('handrail.')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "['handrail.tools', 'handrail.tools.moved']\n"


def test_old_predictions_are_still_an_outcome() -> None:
    with pytest.warns(
        DeprecationWarning, match="import TableOutcome from handrail.evaluation.outcomes.table"
    ):
        from handrail.evaluation.predictions import Predictions  # pyright: ignore[reportMissingImports]
    truth = np.array([0, 1, 1, 0])
    predictions = Predictions("binary", truth, labels=truth)
    assert measure_with_intervals(predictions, resamples=10)["accuracy"].value == 1.0

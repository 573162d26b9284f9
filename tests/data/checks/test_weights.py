"""Columns that may hold weights of rows."""

import numpy as np
import polars as pl
import pytest

from handrail.data.prepare import prepare
from handrail.errors import RecipeError
from handrail.recipe import Recipe
from handrail.recipe.sections import DataRecipe


def found(name: str, values: np.ndarray, x: np.ndarray) -> bool:
    data = prepare(DataRecipe(source=pl.DataFrame({"x": x, name: values, "y": 2 * x + 1}), target="y"))
    findings = [finding for finding in data.findings if finding.name == "weights"]
    assert all(f"data.drop=[{name}]" in finding.action and finding.decided for finding in findings)
    return bool(findings)


def test_weights_are_named_but_not_how_heavy_something_is() -> None:
    rng = np.random.default_rng(2)
    x, weights = rng.normal(size=200), rng.uniform(0.5, 9, 200)
    assert found("weight", weights, x)
    assert found("w", weights, x)
    assert found("sample_weight", weights, x)
    assert not found("weight", x + weights / 5 + 9, x)  # of a body, which tells of its size
    assert not found("weight", weights - 5, x)
    assert not found("width", weights, x)


def test_the_setting_is_refused_with_the_reason() -> None:
    with pytest.raises(RecipeError, match=r"data.weight: weights of rows are not supported yet"):
        Recipe.parse({"data": {"weight": "w"}})

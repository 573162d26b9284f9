"""Numbers of a target that stand for 'missing'."""

import numpy as np
import polars as pl
import pytest

from handrail.data.finding import Finding
from handrail.data.prepare import prepare
from handrail.recipe.reading import ReadOptions
from handrail.recipe.sections import DataRecipe

RNG = np.random.default_rng(4)
X = RNG.normal(size=300)
AMOUNTS = np.round(120 + 20 * X + RNG.normal(size=300), 1)
CODES = RNG.integers(0, 4, 300).astype(float)


def markers(values: np.ndarray, path=None, missing: list[str] | None = None) -> list[Finding]:
    source = pl.DataFrame({"x": X, "y": values})
    if path is not None:
        source.write_csv(path)
    recipe = DataRecipe(source=source if path is None else str(path), target="y")
    data = prepare(recipe.model_copy(update={"read": ReadOptions(missing=missing)}))
    return [finding for finding in data.findings if finding.name in ("marker", "hidden-zero")]


def with_some(values: np.ndarray, marker: float) -> np.ndarray:
    return np.where(np.arange(300) % 20 == 3, marker, values)


@pytest.mark.parametrize("marker", [-999.0, 9999.0, -1.0, 1e6])
@pytest.mark.parametrize("text", [False, True])
def test_a_marker_is_named_with_a_setting_that_works(tmp_path, marker: float, text: bool) -> None:
    path = tmp_path / "t.csv" if text else None
    (found,) = markers(with_some(AMOUNTS, marker), path)
    written = found.action.split("data.read.missing=['")[1].split("'")[0]
    assert found.level == "warning"
    assert found.seen.startswith(f"Target 'y' ({written} in ")
    assert "data.missing." not in found.action
    assert float(written.replace(",", "")) == marker
    assert not markers(with_some(AMOUNTS, marker), path, [written])


def test_a_class_may_be_a_marker_too() -> None:
    (found,) = markers(with_some(CODES, 99.0))
    assert "data.read.missing=['99']" in found.action
    assert "a class of its own" in found.why


def test_zeros_far_from_all_others_are_named() -> None:
    (found,) = markers(with_some(AMOUNTS, 0.0))
    assert (found.name, found.column) == ("hidden-zero", "y")
    assert "data.missing" not in found.action


@pytest.mark.parametrize(
    "values",
    [
        AMOUNTS,
        CODES,
        np.sign(X),
        np.where(CODES == 0, -1.0, CODES),
        with_some(CODES, 5.0),
        np.exp(3 * X),
        with_some(AMOUNTS, 200.0),
        np.where(X > 0, 0.0, np.round(np.exp(X), 3)),
    ],
)
def test_other_targets_have_none(values: np.ndarray) -> None:
    assert not markers(values)

"""Oja's and Sanger's rules find the main components, as an eigenvalue solver finds them."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.preprocessing import StandardScaler
from torch import Tensor

import handrail
from handrail.errors import RecipeError
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.oja import HebbianRule, Oja
from handrail.learning.rules.sanger import Sanger
from handrail.models.linear_code import LinearCode
from handrail.objectives.objective import Objective
from handrail.shapes import NoTarget
from handrail.tools.yaml import read_yaml

TABLES = {"wine": load_wine, "breast_cancer": load_breast_cancer, "digits": load_digits}


def rows_of(table: str) -> Tensor:
    """Standardised, but for the grey levels of digits, and not centred."""
    values = TABLES[table]().data
    values = values / 16 if table == "digits" else StandardScaler().fit_transform(values) + 3
    return torch.from_numpy(values).float()


def components(rows: Tensor, number: int, weights: Tensor | None = None) -> np.ndarray:
    """The eigenvectors of the covariance with the largest eigenvalues, one a column."""
    counted = None if weights is None else weights.double().numpy()
    covariance = np.cov(rows.double().numpy(), rowvar=False, aweights=counted)
    return np.linalg.eigh(covariance)[1][:, ::-1][:, :number]


def trained(
    rows: Tensor, rule: HebbianRule, *, code: int, epochs: int, seed: int = 0, weights: Tensor | None = None
) -> LinearCode:
    torch.manual_seed(seed)
    model = LinearCode(rows.shape[1], NoTarget("reconstruction"), code=code)
    whole, size = Batch(rows, rows, weights), -(-len(rows) // 8)
    steps = -(-len(rows) // size)
    rule.start(model, TrainingPlan("reconstruction", Objective("mse"), epochs, steps, seed, rows=whole))
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for places in torch.randperm(len(rows), generator=generator).split(size):
            rule.step(model, whole.take(places))
    return model


def degrees(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Between the lines that two columns span."""
    cosines = np.abs((ours * theirs).sum(axis=0)) / np.linalg.norm(ours, axis=0)
    return np.degrees(np.arccos(cosines.clip(0, 1)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("table", TABLES)
def test_oja_finds_the_first_component(table: str, seed: int) -> None:
    rows = rows_of(table)
    weight = trained(rows, Oja(), code=1, epochs=150, seed=seed).weight.detach().double().numpy()
    assert degrees(weight, components(rows, 1))[0] < 1
    assert np.linalg.norm(weight) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("table", TABLES)
def test_sanger_finds_the_first_components_in_their_order(table: str, seed: int) -> None:
    rows = rows_of(table)
    weight = trained(rows, Sanger(), code=3, epochs=150, seed=seed).weight.detach().double().numpy()
    angles = degrees(weight, components(rows, 3))
    assert angles.max() < 1, angles
    np.testing.assert_allclose(weight.T @ weight, np.eye(3), atol=0.02)


def test_oja_of_several_units_finds_the_space_that_the_first_components_span() -> None:
    rows = rows_of("wine")
    weight = trained(rows, Oja(), code=3, epochs=150).weight.detach().double().numpy()
    cosines = np.linalg.svd(np.linalg.qr(weight)[0].T @ components(rows, 3), compute_uv=False)
    assert np.degrees(np.arccos(cosines.min())) < 1
    assert degrees(weight, components(rows, 3)).max() > 5  # each by itself is no component


def test_rows_count_by_their_weights() -> None:
    rows = rows_of("wine")
    weights = torch.rand(len(rows), generator=torch.Generator().manual_seed(1)) ** 4
    weight = trained(rows, Oja(), code=1, epochs=100, weights=weights).weight.detach().double().numpy()
    assert degrees(weight, components(rows, 1, weights))[0] < 4
    assert degrees(weight, components(rows, 1, weights))[0] < degrees(weight, components(rows, 1))[0] / 2


@pytest.mark.parametrize(("rule", "ordered"), [(Oja, False), (Sanger, True)])
def test_a_step_is_the_formula(rule: Any, ordered: bool) -> None:
    rows = rows_of("wine")
    torch.manual_seed(0)
    model = LinearCode(13, NoTarget("reconstruction"), code=3)
    before = model.weight.detach().double().numpy().copy()
    learner = rule(learning_rate=0.7, schedule="constant")
    whole = Batch(rows, rows)
    learner.start(model, TrainingPlan("reconstruction", Objective("mse"), 1, 1, 0, rows=whole))
    learner.step(model, whole.cut(0, 20))
    centred = rows.double().numpy() - rows.double().numpy().mean(axis=0)
    rate = 0.7 / centred.var(axis=0).sum() / 20
    change = np.zeros_like(before)
    for x in centred[:20]:
        codes = x @ before
        for unit in range(3):
            last = unit + 1 if ordered else 3
            change[:, unit] += codes[unit] * (x - before[:, :last] @ codes[:last])
    np.testing.assert_allclose(model.weight.detach(), before + rate * change, atol=1e-6)
    np.testing.assert_allclose(model.mean, rows.double().mean(dim=0), atol=1e-6)


def test_a_fit_gives_codes_and_rows_back(tmp_path) -> None:
    changes = {"model": {"linear_code": {"code": 2}}, "evaluation.resamples": 100}
    changes |= {"training.epochs": 100, "training.validate_every": 100}  # the last weights count
    run = handrail.fit("bundled:wine", changes=changes, out=tmp_path / "run")
    assert read_yaml(run.folder.resolved_recipe)["learning"].keys() == {"sanger"}
    own, pca = run.summary["metrics"], run.summary["baselines"]["PCA"]
    ours, theirs = (each["reconstruction_error"]["value"] for each in (own, pca))
    assert ours == pytest.approx(theirs, rel=0.02)
    assert run.use("encode", "bundled:wine").frame.shape == (178, 2)


def test_what_it_does_not_follow_and_what_cannot_teach_it_are_refused() -> None:
    plan = TrainingPlan("reconstruction", Objective("mse", ("l2",)), 1, 1, 0)
    with pytest.raises(RecipeError) as told:
        Sanger().start(LinearCode(3, NoTarget("reconstruction")), plan)
    assert str(told.value) == (
        "objective.penalties: have no effect under learning.sanger; leave them out, or learn by gradient."
    )
    with pytest.raises(RecipeError) as told:
        handrail.fit("bundled:wine", changes={"model": "linear_code", "learning": "gradient"})
    assert str(told.value) == "learning.gradient: cannot teach linear_code; expected sanger or oja."
    with pytest.raises(RecipeError) as told:
        handrail.fit("bundled:wine", changes={"model": "autoencoder", "learning": "oja"})
    assert str(told.value) == "learning.oja: teaches linear_code, and not autoencoder; choose another."

"""The restricted Boltzmann machine against sums over all states."""

import math
from typing import Any

import pytest
import torch
from restricted_machines import all_states, pseudo_likelihood, randomise, score

from handrail.components.pictures import Tiles
from handrail.layers.energies import BinaryUnits, RectifiedUnits
from handrail.models.annealing import anneal, log_z
from handrail.models.rbm import RBM
from handrail.shapes import ImageShape, NoTarget


def machine(width: int, units: int, *, spread: float = 1.0, **settings: Any) -> RBM:
    torch.manual_seed(0)
    return randomise(RBM(width, NoTarget("density"), units=units, **settings), spread=spread)


def test_probabilities_add_up_to_one():
    model = machine(6, 4)
    v = all_states(6)
    log_p = -model.free_energy(v).double() - log_z(model, model.visible_bias).value
    assert float(log_p.exp().sum().detach()) == pytest.approx(1, abs=1e-5)
    assert model.enumerate_hidden() == pytest.approx(model.enumerate_visible(), abs=1e-5)


def test_the_pseudo_likelihood_is_that_of_the_conditionals():
    """Besag 1975; all units are used, since there are no more than 64."""
    model = machine(5, 3)
    v = all_states(5)
    torch.testing.assert_close(model(v)[:, 1].double(), pseudo_likelihood(model, v), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("hidden", ["binary", "rectified"])
def test_the_score_is_made_of_derivatives(hidden):
    """Hyvärinen 2005, by automatic differentiation."""
    model = machine(4, 3, spread=0.4, visible="gaussian", hidden=hidden).double()
    rows = torch.randn(5, 4, dtype=torch.float64)
    for row, found in zip(rows, model(rows)[:, 1], strict=True):
        torch.testing.assert_close(found, score(model, row))


@pytest.mark.parametrize("kind", [BinaryUnits, RectifiedUnits])
def test_units_have_the_mean_and_the_variance_of_their_free_energy(kind):
    x = torch.linspace(-8, 4, 13, dtype=torch.float64, requires_grad=True)
    (mean,) = torch.autograd.grad(kind.free(x).sum(), x, create_graph=True)
    torch.testing.assert_close(kind.mean(x), mean)
    (slope,) = torch.autograd.grad(mean.sum(), x)
    torch.testing.assert_close(kind.slope(x), slope, rtol=1e-5, atol=1e-7)
    chance = torch.rand(200_000, 13, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    drawn = kind.draw(x.detach().expand(200_000, -1), chance)
    torch.testing.assert_close(drawn.mean(dim=0), mean.detach(), rtol=0.05, atol=2e-3)


@pytest.mark.parametrize(
    "settings",
    [{}, {"visible": "gaussian"}, {"hidden": "rectified"}],
    ids=["binary", "gaussian", "rectified"],
)
def test_annealing_comes_near_to_enumeration(settings):
    """Salakhutdinov & Murray 2008: within 1 nat on 20 hidden units (of rectified ones, 16 visible units)."""
    width = 16 if "hidden" in settings else 40
    model = machine(width, 20, spread=0.3, **settings)
    exact = model.enumerate_visible() if "hidden" in settings else model.enumerate_hidden()
    found = anneal(model, torch.zeros(width), chains=100, temperatures=1000)
    assert abs(found.value - exact) < 1
    assert 0 < found.error < 0.5


def test_gaussian_enumeration_is_an_integral():
    model = machine(1, 3, visible="gaussian")
    grid = torch.linspace(-20, 20, 40_001).unsqueeze(1)
    with torch.no_grad():
        integral = torch.logsumexp(-model.free_energy(grid).double(), dim=0) + math.log(0.001)
    assert model.enumerate_hidden() == pytest.approx(float(integral), abs=1e-3)


def test_chains_draw_from_the_machine():
    model = machine(4, 3)
    v = all_states(4)
    p = (-model.free_energy(v)).softmax(dim=0)
    means = model.generate(4000, steps=50, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(means.mean(dim=0), p @ v, rtol=0, atol=0.03)


def test_filters_are_shown_of_pictures_alone():
    shape = ImageShape(1, 4, 5)
    (shown,) = RBM(shape, NoTarget("density"), units=3).pictures(shape)
    assert isinstance(shown, Tiles)
    assert shown.pictures.shape == (3, 4, 5)
    assert RBM(20, NoTarget("density")).pictures(20) == []

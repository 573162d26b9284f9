"""Diffusion: its steps and its bound against laws that are known, its two ways to draw, its refusals."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal, Normal
from torch.nn.utils import parameters_to_vector

import handrail
from handrail.components import build
from handrail.data.sources.toys.laws import ring_places
from handrail.errors import RecipeError
from handrail.layers.even_draws import even_normals
from handrail.layers.noising import Noising
from handrail.layers.weight_average import WeightAverage
from handrail.models.diffusion import Diffusion
from handrail.shapes import ImageShape, NoTarget, TableShape

MEAN = torch.tensor([0.3, -0.2], dtype=torch.float64)
COVARIANCE = torch.tensor([[1.5, 0.6], [0.6, 0.5]], dtype=torch.float64)


def diffusion(inputs, **settings) -> Diffusion:
    torch.manual_seed(0)
    return build("model", {"diffusion": settings}, inputs, NoTarget("density"))


def exact(covariance: torch.Tensor, monkeypatch, **settings) -> Diffusion:
    """With the best prediction for normal rows: E(ε | x_t) = √(1 − ᾱ)·(ᾱΣ + (1 − ᾱ)·I)⁻¹·(x_t − √ᾱ·μ)."""
    model = diffusion(2, **settings).double().eval()
    kept, one = model.noising.kept, torch.eye(2, dtype=torch.float64)

    def inverse(t: int) -> torch.Tensor:
        return torch.linalg.inv(kept[t] * covariance + (1 - kept[t]) * one)

    def predict(noisy, t, network=None):
        left = kept[t[0]]
        return (1 - left).sqrt() * (noisy - left.sqrt() * MEAN) @ inverse(int(t[0]))

    monkeypatch.setattr(model, "predict", predict)
    for step in range(model.noising.steps):
        model.errors[step] = (one - (1 - kept[step + 1]) * inverse(step + 1)).diagonal()
    model.seen.fill_(1)
    return model


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_the_step_back_is_that_of_normal_laws(schedule):
    """q(x_{t−1} | x_t, x) by Bayes' rule for normal numbers. Source: Ho, Jain & Abbeel 2020, (6) and (7)"""
    noising, t = Noising(10, schedule), torch.tensor([4])
    row, noisy = torch.tensor([[0.7]]), torch.tensor([[-0.4]])
    before = noising.kept[3]
    prior = Normal(before.sqrt() * row[0, 0], (1 - before).sqrt())
    places = torch.linspace(-8, 8, 20_001, dtype=torch.float64)
    given = Normal((1 - noising.added[4]).sqrt() * places, noising.added[4].sqrt())
    logs = prior.log_prob(places) + given.log_prob(noisy[0, 0])
    weights = (logs - logs.logsumexp(0)).exp()
    mean = (weights * places).sum()
    assert float(noising.back(row, noisy, t)) == pytest.approx(float(mean), abs=1e-5)
    variance = (weights * (places - mean).square()).sum()
    assert float(noising.back_variance()[3]) == pytest.approx(float(variance), rel=1e-5)


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_what_is_added_can_be_removed_and_noise_wins(schedule):
    noising = Noising(100, schedule)
    x, noise = torch.randn(2, 5, 3)
    t = torch.tensor([1, 2, 50, 80, 90])
    torch.testing.assert_close(noising.remove(noising.add(x, noise, t), noise, t), x, atol=1e-4, rtol=1e-4)
    assert (noising.kept.diff() < 0).all()
    assert float(noising.kept[0]) == 1
    assert float(noising.kept[-1]) < 1e-3
    # A squared error of the noise moves the mean of the step back by as much as the weight says.
    error = torch.full_like(x, 0.1)
    noisy = noising.add(x, noise, t)
    moved = noising.back(noising.remove(noisy, noise + error, t), noisy, t) - noising.back(x, noisy, t)
    expected = noising.weight()[t - 1].float().unsqueeze(1) * error.square()
    torch.testing.assert_close(moved.square(), expected, rtol=1e-2, atol=1e-9)


def test_the_linear_schedule_is_the_papers():
    """From 10⁻⁴ to 0.02 in 1,000 steps. Source: Ho, Jain & Abbeel 2020"""
    noising = Noising(1000, "linear")
    assert float(noising.added[1]) == pytest.approx(1e-4)
    assert float(noising.added[-1]) == pytest.approx(0.02)
    assert float(noising.kept[-1]) == pytest.approx(4.04e-5, rel=0.01)


def test_the_cosine_schedule_is_the_papers():
    """ᾱ_t = f(t)/f(0), f = cos²(½π·(t/T + 0.008)/1.008). Source: Nichol & Dhariwal 2021"""
    found = Noising(8).kept[:-1]
    places = (np.arange(8) / 8 + 0.008) / 1.008
    expected = np.cos(places * math.pi / 2) ** 2
    np.testing.assert_allclose(found.numpy(), expected / expected[0], rtol=1e-10)


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_the_bound_is_tight_for_independent_normal_numbers(schedule, monkeypatch):
    """Each step back is normal then, with the variance that the errors stand for: nothing is lost. The bound
    against the density. Source: Ho, Jain & Abbeel 2020; Bao et al. 2022
    """
    law = MultivariateNormal(MEAN, COVARIANCE.diagonal().diag())
    model = exact(law.covariance_matrix, monkeypatch, steps=100, schedule=schedule)
    torch.manual_seed(1)
    x = law.sample(torch.Size([300]))
    gap = law.log_prob(x) - model.score(x)
    assert float(gap.mean()) == pytest.approx(0, abs=0.005)
    assert float(gap.std()) < 0.05


def test_the_bound_comes_near_as_steps_grow(monkeypatch):
    """Numbers that hang together have steps back that are no independent normal numbers, but in the limit."""
    law = MultivariateNormal(MEAN, COVARIANCE)
    torch.manual_seed(1)
    x = law.sample(torch.Size([300]))
    gaps = []
    for steps in (10, 30, 100):
        model = exact(COVARIANCE, monkeypatch, steps=steps)
        gaps.append(float((law.log_prob(x) - model.score(x)).mean()))
    assert gaps[0] > gaps[1] > abs(gaps[2]) - 0.02
    assert abs(gaps[2]) < 0.03


def test_rows_are_drawn_from_the_law(monkeypatch):
    """By all steps, and without noise on the way in fewer. Source: Song, Meng & Ermon 2021"""
    model = exact(COVARIANCE, monkeypatch, steps=50)
    for steps in (1000, 30):
        drawn = model.generate(20_000, steps=steps, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(drawn.mean(dim=0), MEAN, atol=0.03, rtol=0)
        torch.testing.assert_close(drawn.T.cov(), COVARIANCE, atol=0.15, rtol=0)


def test_training_gathers_the_errors_that_the_variances_are_made_of():
    """Of a network that predicts as if rows were standard normal, for rows that are: E(ε − ε̂)² = ᾱ_t."""
    model = diffusion(3, steps=10, average=0.5, hidden=[4]).train()
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.zero_()
        torch.manual_seed(0)
        for _ in range(200):
            model(torch.randn(500, 3))
    expected = model.noising.kept[1:].unsqueeze(1).expand(-1, 3)
    torch.testing.assert_close(model.open_errors(), expected, atol=0.01, rtol=0.05)


def test_figures_do_not_hang_on_chance_or_company():
    model, x = diffusion(6, steps=20).eval(), torch.randn(9, 6)
    model.settle()
    with torch.no_grad():
        whole = model(x)
        torch.testing.assert_close(model(x), whole, atol=0, rtol=0)
        alone = torch.cat([model(row[None]) for row in x])
    torch.testing.assert_close(alone, whole, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(whole[:, 0], model.score(x))


def test_the_average_follows_quickly_at_first_and_then_slowly():
    """θ̄ ← k·θ̄ + (1 − k)·θ, k = min(keep, (1 + n)/(10 + n)). Source: Polyak & Juditsky 1992"""
    network = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(0.0)
    average = WeightAverage(network, 0.5)
    with torch.no_grad():
        network.weight.fill_(1.0)
    expected = 0.0
    for taken in range(30):
        average.follow(network)
        keep = min(0.5, (1 + taken) / (10 + taken))
        expected = keep * expected + (1 - keep)
        assert float(parameters_to_vector(average.network.parameters())) == pytest.approx(expected, rel=1e-5)
    assert not average.train().network.training
    assert average.tied_parameters == 1


def test_even_draws_are_normal_and_always_the_same():
    draws = even_normals(512, 3)
    torch.testing.assert_close(draws.mean(dim=0), torch.zeros(3).double(), atol=0.01, rtol=0)
    torch.testing.assert_close(draws.T.cov(), torch.eye(3).double(), atol=0.05, rtol=0)
    assert torch.equal(even_normals(512, 3), draws)
    wide = torch.quasirandom.SobolEngine.MAXDIM + 1
    assert even_normals(2, wide).std() == pytest.approx(1, abs=0.02)


def test_pictures_have_a_u_net():
    model = diffusion(ImageShape(2, 7, 5), steps=4, maps=4)
    x = torch.randn(3, 2, 7, 5)
    assert model(x).shape == (3, 2)
    drawn = model.eval().generate(6, generator=torch.Generator().manual_seed(0))
    assert drawn.shape == (6, 70)
    assert model.activity(x)[0].title == "From noise to pictures"


def test_what_has_no_density_and_what_has_no_effect_is_refused():
    with pytest.raises(RecipeError, match=r"diffusion: takes real numbers alone.*categories.*model=vae"):
        diffusion(TableShape(4, bits=(0,), choices=((2, 3),)))
    with pytest.raises(RecipeError, match=r"diffusion.maps: has no effect on a dense network"):
        diffusion(6, maps=3)
    with pytest.raises(RecipeError, match=r"diffusion.hidden: has no effect on a convolutional network"):
        diffusion(ImageShape(1, 8, 8), hidden=[3])
    with pytest.raises(RecipeError, match=r"diffusion.convolutional: the rows are no pictures"):
        diffusion(6, convolutional=True)


@pytest.mark.slow
def test_a_ring_is_covered_and_its_density_is_near(tmp_path):
    """8 of 8 modes, and the bound beside the density of the law. Source: Metz et al. 2017 (ring); Ho, Jain &
    Abbeel 2020
    """
    changes = {"data.source": "toy:ring,rows=8000", "model": {"diffusion": {"hidden": [64, 64, 64]}}}
    run = handrail.fit(changes={**changes, "training.epochs": 150}, out=tmp_path / "run")
    drawn = run.use("generate", rows=4000, seed=1).frame.to_numpy()
    far = np.linalg.norm(drawn[:, None] - ring_places(8, 2.0), axis=2)
    near = far.min(axis=1) < 3 * 0.05
    shares = np.bincount(far[near].argmin(axis=1), minlength=8) / len(drawn)
    assert near.mean() > 0.8
    assert shares.min() > 0.05  # of 1/8
    # log p of the law, whose modes do not overlap, in encoded units
    exact_figure = -math.log(8) - math.log(2 * math.pi * math.e * 0.05**2) + math.log(2 + 0.05**2)
    found = run.summary["metrics"]["log_likelihood"]["value"]
    assert exact_figure - 0.8 < found < exact_figure + 0.05


def test_rows_are_made_in_parts_and_only_the_last_are_kept(monkeypatch):
    model = diffusion(3, hidden=[8], steps=12).eval()
    way = list(model.way(7, steps=12, means=False, generator=torch.Generator().manual_seed(1)))
    assert len(way) == 13
    monkeypatch.setattr(f"{Diffusion.__module__}._AT_ONCE", 3)
    made = model.generate(7, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(made, way[-1])

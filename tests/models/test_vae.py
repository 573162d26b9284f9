"""The variational autoencoder: its bounds against densities that are known, its settings, its draws."""

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal

import handrail
from handrail.components import build
from handrail.errors import RecipeError
from handrail.models.vae import VAE
from handrail.shapes import ImageShape, NoTarget, SeriesShape, TableShape


def vae(inputs, **settings) -> VAE:
    torch.manual_seed(0)
    return build("model", {"vae": settings}, inputs, NoTarget("density"))


def linear_gaussian() -> tuple[VAE, MultivariateNormal]:
    """Decoder x = W·z + b with unit spread, and the exact density N(b, W·Wᵀ + I) (Tipping & Bishop 1999)."""
    model = vae(4, code=2, hidden=[])
    layer = model.decoder[0]
    assert isinstance(layer, nn.Linear)
    covariance = layer.weight @ layer.weight.T + torch.eye(4)
    return model.eval(), MultivariateNormal(layer.bias.detach(), covariance.detach())


def near_the_posterior(model: VAE) -> None:
    """Give a linear encoder two thirds of the means of the exact posterior, and its spreads."""
    layer, back = model.encoder[-1], model.decoder[0]
    assert isinstance(layer, nn.Linear)
    assert isinstance(back, nn.Linear)
    precision = torch.eye(2) + back.weight.T @ back.weight
    with torch.no_grad():
        layer.weight[:2] = torch.linalg.solve(precision, back.weight.T) * 2 / 3
        layer.bias[:2] = -layer.weight[:2] @ back.bias
        layer.weight[2:] = 0
        layer.bias[2:] = torch.linalg.inv(precision).diagonal().log() / 2


def test_the_bound_comes_to_the_exact_density_with_many_draws():
    """A linear decoder with normal noise is probabilistic PCA. Source: Burda, Grosse & Salakhutdinov 2016"""
    model, exact = linear_gaussian()
    near_the_posterior(model)
    x = exact.sample(torch.Size([50]))
    truth = exact.log_prob(x)
    with torch.no_grad():
        bounds = {draws: model.bounds(x, draws)[:, 0] for draws in (1, 16, 4096)}
    torch.testing.assert_close(bounds[4096], truth, atol=5e-3, rtol=0)
    gaps = [float((truth - bound).mean()) for bound in bounds.values()]
    assert gaps[0] > gaps[1] > abs(gaps[2])


def test_training_follows_the_evidence_lower_bound():
    """log p(x) − KL(q ‖ p(z | x)), of which the divergence between normals is known."""
    model, exact = linear_gaussian()
    near_the_posterior(model)
    x = exact.sample(torch.Size([20]))
    mean, log_spread = model._posterior(x)
    back = model.decoder[0]
    assert isinstance(back, nn.Linear)
    precision = torch.eye(2) + back.weight.T @ back.weight
    middle = torch.linalg.solve(precision, back.weight.T @ (x - back.bias).T).T
    posterior = MultivariateNormal(middle, precision_matrix=precision)
    given = MultivariateNormal(mean, torch.diag_embed((2 * log_spread).exp()))
    expected = exact.log_prob(x) - torch.distributions.kl_divergence(given, posterior)
    torch.manual_seed(1)
    drawn = torch.stack([model.train()(x)[:, -1] for _ in range(3000)]).mean(dim=0)
    torch.testing.assert_close(drawn, expected, atol=0.15, rtol=0)


def test_gaps_are_filled_with_the_exact_expectation():
    """E[missing | there] of the normal law, though the encoder is wrong about rows with gaps; without the
    odds by which codes are taken, the chain settles elsewhere. Source: Mattei & Frellsen 2018
    """
    model, exact = linear_gaussian()
    near_the_posterior(model)
    with torch.no_grad():
        rows = exact.sample((6,)) * 2
        mean, covariance = exact.mean, exact.covariance_matrix
        gain = covariance[:2, 2:] @ torch.linalg.inv(covariance[2:, 2:])
        expected = mean[:2] + (rows[:, 2:] - mean[2:]) @ gain.T
        given = rows.repeat(200, 1)
        given[:, :2] = torch.nan
        chains = model.fill(given, steps=150, generator=torch.Generator().manual_seed(0))
    assert chains[:, 2:].equal(given[:, 2:])
    filled = chains.unflatten(0, (200, 6)).mean(dim=0)
    assert filled[:, :2].sub(expected).abs().max() < 0.08
    assert filled[:, :2].sub(expected).square().mean() < 0.01 * expected.sub(mean[:2]).square().mean()


def test_figures_do_not_hang_on_chance_or_company():
    model, x = vae(6).eval(), torch.randn(9, 6)
    with torch.no_grad():
        whole = model(x)
        torch.testing.assert_close(model(x), whole, atol=0, rtol=0)
        alone = torch.cat([model(row[None]) for row in x])
    torch.testing.assert_close(alone, whole, atol=1e-5, rtol=0)


def test_free_bits_cost_nothing_and_beta_counts():
    x = torch.randn(40, 6)
    plain, free, heavy = (vae(6, **how).train() for how in ({}, {"free_bits": 100.0}, {"beta": 3.0}))
    figures = []
    for model in (plain, free, heavy):
        torch.manual_seed(2)
        figures.append(model(x)[:, -1])
    mean, log_spread = plain._posterior(x)
    divergence = ((mean.square() + (2 * log_spread).exp() - 1) / 2 - log_spread).sum(dim=1)
    torch.testing.assert_close(figures[0] - figures[2], 2 * divergence)
    torch.testing.assert_close(figures[1], figures[0] + divergence - 100.0 * plain.code)


@pytest.mark.parametrize("shape", [ImageShape(2, 7, 9), SeriesShape(3, 13), ImageShape(1, 8, 8)])
def test_convolutions_give_back_the_size(shape):
    model = vae(shape, channels=[4, 6])
    x = torch.randn(5, *shape)
    assert model.reconstruct(x).shape == (5, x[0].numel())
    assert model.encode(x).shape == (5, model.code)
    assert model.interpolate(x, between=2).shape == (4 * 4, x[0].numel())


def test_the_ends_of_a_way_are_the_reconstructions():
    model, x = vae(6).eval(), torch.randn(3, 6)
    way = model.interpolate(x, between=3).unflatten(0, (2, 5))
    back = model.reconstruct(x)
    torch.testing.assert_close(way[:, 0], back[:-1])
    torch.testing.assert_close(way[:, -1], back[1:])


def test_sizes_that_cannot_be_halved_and_rows_without_neighbours_are_refused():
    with pytest.raises(RecipeError, match=r"vae.channels: found 3 convolutions.*5 × 9 can be halved 2 times"):
        vae(ImageShape(1, 5, 9), channels=[4, 4, 4])
    with pytest.raises(RecipeError, match=r"vae.channels: found convolutions, but rows are no images or"):
        vae(6, channels=[4])


def test_a_mixed_table_is_learned_and_drawn(tmp_path, mixed_table):
    """Better than independent columns on rows held out; what is drawn has the table's columns and kinds."""
    changes = {"model": "vae", "training.epochs": 150}
    run = handrail.fit(mixed_table, changes=changes, out=tmp_path / "run")
    own = run.summary["metrics"]["log_likelihood"]["value"]
    assert own > run.summary["baselines"]["independent columns"]["log_likelihood"]["value"] + 0.3
    assert run.uses == ["score", "generate", "fill", "reconstruct", "encode", "interpolate"]
    drawn = run.use("generate", rows=200, seed=3).frame
    assert drawn.columns == mixed_table.columns
    assert set(drawn["kind"].unique()) == {"low", "high"}
    tall = drawn["x"].to_numpy()[(drawn["kind"] == "high").to_numpy()]
    low = drawn["x"].to_numpy()[(drawn["kind"] == "low").to_numpy()]
    assert tall.mean() - low.mean() > 3  # of 5
    assert "lower bound" in run.summary["reasons"]["density"]
    again = run.use("generate", rows=200, seed=3).frame
    assert again.equals(drawn)


@pytest.fixture(scope="module")
def mixed_table():
    rng = np.random.default_rng(0)
    high = rng.random(400) < 0.5
    x = np.where(high, 5.0, 0.0) + rng.normal(size=400)
    y = [None if gone else value for gone, value in zip(rng.random(400) < 0.1, 2 * x, strict=True)]
    return pl.DataFrame({"kind": np.where(high, "high", "low"), "x": x, "y": y})


def test_zeros_with_a_tail_and_two_modes_are_made_as_they_are(tmp_path):
    """A value that most rows have is made exactly and as often, the tail beside it is as long, nothing lies
    between two modes, and columns that hang together still do. Source: Xu et al. 2019 (such columns, and a
    mixture for each)
    """
    rng = np.random.default_rng(0)
    count = 1500
    paid = rng.random(count) < 0.4
    gain = np.where(paid, np.exp(rng.normal(5, 1, count)), 0.0)
    place = np.where(paid, 3.0, -3.0) + 0.3 * rng.normal(size=count)
    table = pl.DataFrame({"gain": gain, "place": place, "paid": np.where(paid, "yes", "no")})
    run = handrail.fit(table, changes={"model": "vae", "training.epochs": 60}, out=tmp_path / "run")
    own = run.summary["metrics"]["log_likelihood"]["value"]
    assert own > run.summary["baselines"]["independent columns"]["log_likelihood"]["value"] + 0.5
    drawn = run.use("generate", rows=4000, seed=1).frame
    made, where = drawn["gain"].to_numpy(), drawn["place"].to_numpy()
    told = (drawn["paid"] == "yes").to_numpy()
    assert (made == 0).mean() == pytest.approx(0.6, abs=0.07)
    assert ((made != 0) == told).mean() > 0.8  # 0.52 by chance
    assert ((where > 0) == told).mean() > 0.8
    assert np.median(made[made != 0]) == pytest.approx(np.exp(5), rel=0.4)
    assert (np.abs(where) < 1.5).mean() < 0.03
    assert (where > 0).mean() == pytest.approx(0.4, abs=0.08)
    assert "repeat count as probabilities" in run.summary["reasons"]["density"]


def test_components_are_of_tables():
    shape = TableShape(3, repeated=((0, 0.0),))
    model = vae(shape)
    assert model.likelihood.components == 5
    x = torch.tensor([[0.0, 1.0, 2.0], [0.3, 1.0, 2.0]])
    assert model.eval()(x).isfinite().all()
    assert vae(shape, components=1).reconstruct(x).shape == (2, 3)
    with pytest.raises(RecipeError, match=r"vae.components: has no effect on rows that are no table"):
        vae(3, components=2)
    with pytest.raises(RecipeError, match=r"vae.components: has no effect on likelihood=gaussian"):
        vae(shape, components=2, likelihood="gaussian")


def test_settings_of_the_bound_without_effect_are_refused():
    told = r"vae.beta: has no effect with samples=3.*\n.*vae.free_bits: has no effect with samples=3"
    with pytest.raises(RecipeError, match=rf"(?s){told}"):
        vae(4, samples=3, beta=2.0, free_bits=1.0)
    with pytest.raises(RecipeError, match=r"vae.binarise: needs numbers from 0 to 1"):
        vae(4, binarise=True)
    assert vae(4, binarise=True, likelihood="bernoulli").binarise

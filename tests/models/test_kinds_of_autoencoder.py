"""Autoencoders that are denoising, sparse or convolutional: what each adds."""

import numpy as np
import pytest
import torch
from scipy.stats import entropy

import handrail
from handrail.components import build
from handrail.errors import RecipeError
from handrail.objectives.objective import Objective
from handrail.shapes import ImageShape, NoTarget, SeriesShape


def network(name: str, inputs, **settings):
    torch.manual_seed(0)
    return build("model", {name: settings}, inputs, NoTarget("reconstruction"))


@pytest.mark.parametrize("corruption", ["masking", "gaussian", "salt_and_pepper"])
def test_rows_are_spoiled_while_it_learns_and_whole_in_use(corruption: str):
    """Source: Vincent et al. 2010, section 3.3"""
    model = network("denoising_autoencoder", 50, corruption=corruption, strength=0.3)
    x = torch.randn(2000, 50, generator=torch.Generator().manual_seed(1))
    spoiled = model.spoil(x)
    changed = spoiled != x
    if corruption == "gaussian":
        assert float((spoiled - x).std()) == pytest.approx(0.3, rel=0.02)
    else:
        assert float(changed.float().mean()) == pytest.approx(0.3, abs=0.01)
        values = {0.0} if corruption == "masking" else {float(x.min()), float(x.max())}
        assert set(spoiled[changed].tolist()) == values
    torch.testing.assert_close(model.eval()(x), model.reconstruct(x))
    assert not torch.equal(model.train()(x), model.reconstruct(x))


def test_what_hides_numbers_learns_to_fill_them_in(tmp_path):
    """Numbers that others tell: a network that has seen holes fills them better than one that has not."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(600, 2))
    rows = {f"x{place}": factors @ rng.normal(size=2) for place in range(6)}
    hidden = np.stack(list(rows.values()), axis=1).astype(np.float32)
    hidden = (hidden - hidden.mean(axis=0)) / hidden.std(axis=0)
    x = torch.from_numpy(hidden)
    holes = torch.rand(x.shape, generator=torch.Generator().manual_seed(2)) < 0.2
    errors = {}
    for name in ("autoencoder", "denoising_autoencoder"):
        changes = {
            "model": {name: {"code": 4, "hidden": [16]}},
            "training.epochs": 60,
            "evaluation.resamples": 100,
        }
        run = handrail.fit({**rows}, changes=changes, out=tmp_path / name)
        model = run.pipeline.network.eval()
        with torch.no_grad():
            filled = model(x.masked_fill(holes, 0.0))
        errors[name] = float((filled - x)[holes].square().mean())
    assert errors["denoising_autoencoder"] < errors["autoencoder"]


def test_the_added_loss_is_the_divergence_of_the_units_means():
    """Σⱼ KL(ρ ‖ ρ̂ⱼ) by SciPy's relative entropy. Source: Ng 2011"""
    model = network("sparse_autoencoder", 6, sparsity=0.1, weight=0.5)
    x = torch.randn(40, 6)
    mean = model.encode(x).mean(dim=0).detach().numpy()
    expected = 0.5 * sum(entropy([0.1, 0.9], [each, 1 - each]) for each in mean)
    with torch.no_grad():
        total, outputs = Objective("mse")(model, x, x)
    assert float(total) == pytest.approx(float((outputs - x).square().mean()) + expected, rel=1e-5)
    assert model.code == 6


def test_units_are_as_seldom_on_as_they_should_be(tmp_path):
    rng = np.random.default_rng(0)
    rows = {f"x{place}": rng.normal(size=400) for place in range(5)}
    settings = {"sparse_autoencoder": {"code": 10, "sparsity": 0.1, "weight": 1.0}}
    changes = {"model": settings, "training.epochs": 60, "evaluation.resamples": 100}
    run = handrail.fit(
        rows,
        changes={**changes, "learning.gradient.optimizer.adam.learning_rate": 0.01},
        out=tmp_path / "run",
    )
    codes = run.encode(rows).frame.to_numpy()
    assert abs(codes.mean(axis=0) - 0.1).max() < 0.05


@pytest.mark.parametrize("shape", [ImageShape(1, 9, 7), SeriesShape(2, 11)])
@pytest.mark.parametrize("name", ["autoencoder", "denoising_autoencoder", "sparse_autoencoder"])
def test_convolutions_halve_and_double(name: str, shape):
    model = network(name, shape, channels=[3, 4], code=5)
    x = torch.randn(4, *shape)
    assert model(x).shape == (4, x[0].numel())
    assert model.encode(x).shape == (4, 5)
    with pytest.raises(RecipeError, match=rf"model.{name}.channels: found 4 convolutions"):
        network(name, shape, channels=[2, 2, 2, 2])
    with pytest.raises(RecipeError, match=rf"model.{name}.tied: ties dense layers alone"):
        network(name, shape, channels=[2], tied=True)


@pytest.mark.parametrize("name", ["autoencoder", "vae", "deconvolutional_network"])
def test_pictures_go_through_convolutions_and_all_uses(name: str, tmp_path):
    """Codes, reconstructions and ways between rows of pictures, also where a label judges the codes."""
    settings = {"maps": [3], "kernel": 3} if name == "deconvolutional_network" else {"channels": [3, 4]}
    changes = {"model": {name: settings}, "training.epochs": 1, "evaluation.resamples": 100}
    run = handrail.fit("toy:shapes,rows=120,side=8", changes=changes, out=tmp_path / "run")
    assert run.summary["metrics"]["linear_probe"]["value"] > 0
    rows = "toy:shapes,rows=3,side=8,seed=1"
    assert len(run.encode(rows).frame) == 3
    assert np.shape(run.reconstruct(rows).maps[0])[:2] == (8, 8)
    assert len(run.interpolate(rows, between=2).maps) == 8

"""The convolutional restricted Boltzmann machine against sums over all states, and stages of it."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from restricted_machines import all_states, pseudo_likelihood, randomise, score
from torch import Tensor

from handrail import fit
from handrail.components.pictures import Tiles
from handrail.data.sources.media.idx import read_idx
from handrail.errors import RecipeError
from handrail.layers.back_projection import unit_pictures
from handrail.layers.probabilistic_pooling import draw_units, from_blocks, to_blocks, unit_means
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.contrastive_divergence import ContrastiveDivergence
from handrail.models.annealing import anneal
from handrail.models.conv_rbm import ConvRBM
from handrail.models.rbm import RBM
from handrail.models.staged import Staged
from handrail.objectives.objective import Objective
from handrail.shapes import ImageShape, NoTarget


def machine(shape: tuple[int, int, int], *, spread: float = 0.7, **settings: Any) -> ConvRBM:
    torch.manual_seed(0)
    return randomise(ConvRBM(ImageShape(*shape), NoTarget("density"), **settings), spread=spread)


def energies(model: ConvRBM, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every state of the hidden units that Lee et al. 2009 allow, and −E(v, h) of each, in plain NumPy."""
    filters, bias, own = (
        parameter.detach().double().numpy()
        for parameter in (model.weights, model.hidden_bias, model.visible_bias)
    )
    count, _, kernel, _ = filters.shape
    height, width = v.shape[1] - kernel + 1, v.shape[2] - kernel + 1
    inputs = np.zeros((count, height, width))
    for k, i, j in itertools.product(range(count), range(height), range(width)):
        inputs[k, i, j] = bias[k] + (filters[k] * v[:, i : i + kernel, j : j + kernel]).sum()
    blocks: dict[tuple[int, int, int], list[int]] = {}
    for number, (k, i, j) in enumerate(itertools.product(range(count), range(height), range(width))):
        blocks.setdefault((k, i // model.pool, j // model.pool), []).append(number)
    states = []
    for on in itertools.product(*[[None, *units] for units in blocks.values()]):
        state = np.zeros(inputs.size)
        state[[unit for unit in on if unit is not None]] = 1
        states.append(state)
    hidden = np.array(states)
    return hidden, hidden @ inputs.ravel() + (own[:, None, None] * v).sum()


@pytest.mark.parametrize(("shape", "kernel"), [((1, 4, 4), 3), ((2, 4, 3), 2)])
def test_the_free_energy_and_the_means_are_sums_over_hidden_states(shape, kernel):
    """Lee et al. 2009: at most one unit of a block is on. The second machine's are cut at the border."""
    model = machine(shape, filters=2, kernel=kernel)
    v = torch.rand(3, *shape)
    for row, free, means, code in zip(
        v, model.free_energy(v.flatten(1)), model.hidden_given(v.flatten(1)), model.encode(v), strict=True
    ):
        hidden, minus_energy = energies(model, row.double().numpy())
        assert float(-free.detach()) == pytest.approx(np.logaddexp.reduce(minus_energy), rel=1e-5)
        shares = np.exp(minus_energy - np.logaddexp.reduce(minus_energy))
        np.testing.assert_allclose(means.detach(), shares @ hidden, atol=1e-5)
        maps = means.detach().reshape(1, 2, model.height, model.width)
        blocks = to_blocks(maps, model.pool, fill=0.0).sum(dim=0)
        np.testing.assert_allclose(code.detach(), blocks.flatten(), atol=1e-5)


def test_probabilities_add_up_to_one():
    model = machine((1, 3, 4), filters=3, kernel=2)
    log_z = model.exact_log_z()
    assert log_z is not None
    log_p = -model.free_energy(all_states(12)).double() - log_z
    assert float(log_p.exp().sum().detach()) == pytest.approx(1, abs=1e-5)
    assert machine((1, 5, 5), filters=1, kernel=2).exact_log_z() is None


@pytest.mark.parametrize("settings", [{"pool": 2}, {"pool": 1}, {"pool": 3, "kernel": 3}])
def test_the_pseudo_likelihood_is_that_of_the_conditionals(settings):
    """Besag 1975; a unit reaches some blocks alone."""
    model = machine((1, 4, 5), **{"filters": 3, "kernel": 2, **settings})
    v = (torch.rand(20, 20) < 0.5).float()
    expected = pseudo_likelihood(model, v)
    torch.testing.assert_close(model(v)[:, 1].double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pool", [1, 2])
def test_the_score_is_made_of_derivatives(pool):
    """Hyvärinen 2005, by automatic differentiation; the units of a block are not independent."""
    model = machine((2, 4, 3), filters=2, kernel=2, pool=pool, visible="gaussian").double()
    rows = torch.randn(4, 24, dtype=torch.float64)
    for row, found in zip(rows, model(rows)[:, 1], strict=True):
        torch.testing.assert_close(found, score(model, row))


@pytest.mark.parametrize("shape", [(1, 4, 4), (2, 3, 3)])
def test_annealing_comes_near_to_enumeration(shape):
    """Salakhutdinov & Murray 2008: within 0.5 nats."""
    model = machine(shape, filters=4, kernel=2)
    exact, found = model.exact_log_z(), anneal(model, torch.zeros(model.judged.numel()), temperatures=500)
    assert exact is not None
    assert abs(found.value - exact) < 0.5


def test_at_most_one_unit_of_a_block_is_drawn_by_its_share():
    x = torch.randn(1, 2, 3, 5, generator=torch.Generator().manual_seed(0))
    drawn = draw_units(x.expand(20_000, -1, -1, -1), 2, torch.Generator().manual_seed(1))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert to_blocks(drawn, 2, fill=0.0).sum(dim=0).max() == 1
    torch.testing.assert_close(drawn.mean(dim=0, keepdim=True), unit_means(x, 2), atol=0.015, rtol=0)
    again = from_blocks(to_blocks(x, 2), 2, height=3, width=5)
    assert torch.equal(again, x)


ROWS = torch.tensor([[1.0, 1, 0, 0, 1, 0, 0, 0, 1], [0, 1, 1, 0, 0, 1, 0, 0, 0], [1, 0, 0, 1, 1, 0, 1, 1, 0]])


def begin(rows: Tensor, model: ConvRBM, **settings: Any) -> ContrastiveDivergence:
    rule, objective = ContrastiveDivergence(**settings), Objective("negative_log_density")
    batch = Batch(rows, torch.zeros(len(rows)))
    rule.start(model, TrainingPlan("density", objective, epochs=10, steps=10, seed=0, rows=batch))
    return rule


def update_error(steps: int) -> float:
    """How far the mean update over 60,000 chains is from the gradient of the log-likelihood, at most."""
    model = machine((1, 3, 3), filters=2, kernel=2, spread=2.0)
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    options = {"learning_rate": 1.0, "momentum": 0, "weight_decay": 0, "sparsity": None}
    rule = begin(ROWS, model, steps=steps, **options)
    model.load_state_dict(kept)
    log_likelihood = -model.free_energy(ROWS).mean() - torch.logsumexp(
        -model.free_energy(all_states(9)), dim=0
    )
    gradients = torch.autograd.grad(log_likelihood, list(model.parameters()))
    rule.step(model, Batch(ROWS.repeat(20_000, 1), torch.zeros(60_000)))
    errors = [
        (parameter.detach() - kept[name] - gradient).abs().max()
        for (name, parameter), gradient in zip(model.named_parameters(), gradients, strict=True)
    ]
    return float(torch.stack(errors).max())


def test_the_mean_update_becomes_the_exact_gradient():
    """Hinton 2002: with k the bias of CD-k goes; here of shared weights and biases (Lee et al. 2009)."""
    short, long = update_error(1), update_error(30)
    assert long < 0.02
    assert short > 4 * long


def test_hidden_units_are_held_to_the_sparsity():
    """Lee, Ekanadham & Ng 2008; weighted rows count by their weights."""
    model = machine((1, 6, 6), spread=0.01, filters=4, kernel=3)
    rows = (torch.rand(100, 36, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    rule = begin(rows, model, sparsity=0.02, sparsity_cost=3.0, learning_rate=0.02, final=1.0)
    for _ in range(200):
        rule.step(model, Batch(rows, torch.zeros(100), torch.ones(100)))
    assert float(model.hidden_given(rows).mean().detach()) == pytest.approx(0.02, rel=0.15)


def test_a_cost_without_sparsity_is_refused():
    message = r"sparsity_cost: has no effect without a sparsity"
    with pytest.raises(RecipeError, match=message):
        ContrastiveDivergence(sparsity=None, sparsity_cost=2.0)
    rule = ContrastiveDivergence(sparsity_cost=2.0)
    batch = Batch(ROWS, torch.zeros(3))
    plan = TrainingPlan("density", Objective("negative_log_density"), epochs=1, steps=1, seed=0, rows=batch)
    with pytest.raises(RecipeError, match=message):
        rule.start(RBM(9, NoTarget("density")), plan)


def test_codes_of_a_stage_are_maps_for_the_next():
    stages = [{"conv_rbm": {"filters": 3, "kernel": 3}}, {"conv_rbm": {"filters": 4, "kernel": 2}}]
    staged = Staged(ImageShape(1, 10, 9), 2, stages=stages)
    assert staged.shapes == [(1, 10, 9), (3, 4, 4), (4, 2, 2)]
    below = machine((1, 10, 9), filters=3, kernel=3)
    staged.adopt(0, below)
    x = torch.rand(5, 1, 10, 9)
    torch.testing.assert_close(staged.stages[0](x).flatten(1), below.encode(x))
    assert staged(x).shape == (5, 2)


def test_pictures_of_units_are_linear_combinations_of_the_filters_below():
    """Lee et al. 2009; here the slope of a network of the same weights and mean pooling."""
    shape = ImageShape(1, 10, 9)
    stages = [{"conv_rbm": {"filters": 3, "kernel": 3}}, {"conv_rbm": {"filters": 4, "kernel": 2}}]
    staged = Staged(shape, 2, stages=stages)
    first, second = unit_pictures(staged.stages, shape)
    assert torch.equal(first, staged.stages[0][0].weight)  # type: ignore
    x = torch.zeros(1, 1, 10, 9, requires_grad=True)
    below, above = staged.stages[0][0], staged.stages[1][0]  # type: ignore
    maps = above(torch.nn.functional.avg_pool2d(below(x), 2))
    for unit in range(4):
        (slope,) = torch.autograd.grad(maps[0, unit, 1, 1], x, retain_graph=True)
        seen = slope[0][:, slope[0, 0].any(dim=1)][:, :, slope[0, 0].any(dim=0)]
        torch.testing.assert_close(seen, second[unit])
    shown = staged.pictures(shape)
    assert [picture.title for picture in shown] == ["What stage 1 looks for", "What stage 2 looks for"]
    assert all(isinstance(picture, Tiles) for picture in shown)


REFUSED = {
    "numbers": (["rbm", "conv_rbm"], r"stages\[1\]: 'conv_rbm' takes images, but it is given numbers here"),
    "kernel": ([{"conv_rbm": {"kernel": 9}}], r"kernel: found 9, which is larger than images \[1, 8, 8\]"),
    "small codes": (["conv_rbm", "conv_rbm"], r"found 5, which is larger than images \[24, 2, 2\]"),
    "unit": (["autoencoder", "conv_rbm"], r"stages\[1\]: 'conv_rbm' takes images"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_stage_that_does_not_fit_is_refused(name):
    stages, message = REFUSED[name]
    with pytest.raises(RecipeError, match=message):
        Staged(ImageShape(1, 8, 8), 3, stages=stages)


@pytest.mark.slow
def test_a_linear_classifier_on_its_codes_beats_one_on_the_pixels(shared_data, tmp_path):
    """Lee et al. 2009, with 1,000 labelled digits of MNIST, beyond the interval of the difference."""
    pixels, digits = (
        read_idx(shared_data / "mnist" / f"train-{name}-ubyte.gz") for name in ("images-idx3", "labels-idx1")
    )
    chosen = np.random.default_rng(5).permutation(len(pixels))[:4200]
    np.savez(tmp_path / "digits.npz", x=pixels[chosen], y=digits[chosen])
    stages = [
        {"model": {"conv_rbm": {"filters": 24, "kernel": 9}}, "epochs": 40, "frozen": True},
        {"model": {"conv_rbm": {"filters": 40, "kernel": 3}}, "epochs": 30, "frozen": True},
    ]
    changes = {
        "stages": stages,
        "model": "linear",
        "training.epochs": 100,
        "data.augment": [],
        "data.split.validation": 200 / 4200,
        "data.split.test": 3000 / 4200,
    }
    run = fit(tmp_path / "digits.npz", changes=changes, out=tmp_path / "run")
    assert run.summary["rows"]["train"] == 1000
    tested = run.test()
    assert tested["comparison"]["baseline"] == "linear"
    assert tested["comparison"]["verdict"] == "better"
    assert tested["comparison"]["difference"]["low"] > 0.03

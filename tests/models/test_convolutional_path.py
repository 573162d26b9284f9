"""Chains of the hidden units of a convolutional machine, against sums over all states."""

import itertools
import math

import numpy as np
import pytest
import torch
from restricted_machines import randomise
from torch import Tensor

from handrail.layers.convolutional_path import ConvolutionalPath
from handrail.layers.probabilistic_pooling import from_blocks, to_blocks
from handrail.models.annealing import anneal
from handrail.models.conv_rbm import ConvRBM
from handrail.shapes import ImageShape, NoTarget

# Blocks that fit, blocks that are cut at one border and at both, and single units.
MACHINES = [((1, 3, 3), 2, 2), ((1, 3, 4), 2, 1), ((2, 3, 2), 2, 2), ((1, 4, 3), 2, 2), ((1, 3, 4), 2, 3)]
machines = pytest.mark.parametrize(("shape", "kernel", "pool"), MACHINES)
kinds = pytest.mark.parametrize("visible", ["binary", "gaussian"])


def machine(shape: tuple[int, ...], kernel: int, pool: int, visible: str, spread: float = 0.4) -> ConvRBM:
    torch.manual_seed(0)
    settings = {"filters": 2, "kernel": kernel, "pool": pool, "visible": visible}
    model = ConvRBM(ImageShape(*shape), NoTarget("density"), **settings)  # pyright: ignore[reportArgumentType]
    return randomise(model, spread=spread).double()


def path_of(model: ConvRBM, base: Tensor, chains: int) -> ConvolutionalPath:
    path = model.annealing_path(base, chains=chains, generator=torch.Generator().manual_seed(1))
    assert isinstance(path, ConvolutionalPath)
    return path


def states_of(path: ConvolutionalPath, model: ConvRBM) -> Tensor:
    """The hidden units of each chain, flat, as the machine has them."""
    blocks = path.blocks.permute(1, 4, 0, 2, 3)
    return from_blocks(blocks, model.pool, height=model.height, width=model.width).flatten(1)


def log_mass(model: ConvRBM, h: Tensor, base: Tensor, beta: float) -> Tensor:
    """log Σ_v, or ∫ dv, of the density of both kinds of units at an inverse temperature, state by state."""
    given = model.visible_input(h, torch.zeros_like(base))
    own = beta * (h @ model.hidden_bias.repeat_interleave(model.places))
    bias = model.visible_biases
    if model.visible == "binary":
        inputs = (1 - beta) * base + beta * (bias + given)
        return own + torch.log1p(inputs.exp()).sum(dim=1)
    mean = (1 - beta) * base + beta * (bias + given)
    rest = (1 - beta) * base.square().sum() + beta * bias.square().sum()
    return own + (mean.square().sum(dim=1) - rest) / 2 + len(base) * math.log(2 * math.pi) / 2


def all_hidden(model: ConvRBM) -> Tensor:
    """Every state with at most one unit on in a block."""
    numbers = torch.arange(model.units).view(1, 2, model.height, model.width)
    blocks = to_blocks(numbers.double(), model.pool, fill=-1.0).flatten(1).T
    choices = [[None, *(int(unit) for unit in block if unit >= 0)] for block in blocks]
    states = np.zeros((math.prod(map(len, choices)), model.units))
    for state, units in zip(states, itertools.product(*choices), strict=True):
        state[[unit for unit in units if unit is not None]] = 1
    return torch.from_numpy(states)


@kinds
@machines
@torch.no_grad()
def test_the_gain_is_the_change_of_the_summed_density(shape, kernel, pool, visible):
    model = machine(shape, kernel, pool, visible)
    base = torch.randn(math.prod(shape), dtype=torch.float64) if visible == "gaussian" else None
    base = torch.full((math.prod(shape),), -0.3, dtype=torch.float64) if base is None else base
    path = path_of(model, base, 5)
    for before, after in ((0.0, 0.3), (0.3, 1.0)):
        path.step(before)
        h = states_of(path, model)
        assert set(h.unique().tolist()) <= {0.0, 1.0}
        maps = h.view(5, 2, model.height, model.width)
        assert to_blocks(maps, pool, fill=0.0).sum(dim=0).max() <= 1
        assert path.blocks.sum() == h.sum()  # no unit beyond the border is on
        expected = log_mass(model, h, base, after) - log_mass(model, h, base, before)
        torch.testing.assert_close(path.gain(before, after), expected)


@kinds
@machines
@torch.no_grad()
def test_it_comes_to_the_constant_by_enumeration(shape, kernel, pool, visible):
    """Salakhutdinov & Murray 2008. Of Gaussian machines the visible units are integrated out exactly."""
    model = machine(shape, kernel, pool, visible)
    base = torch.zeros(math.prod(shape), dtype=torch.float64)
    hidden = all_hidden(model)
    exact = float(torch.logsumexp(log_mass(model, hidden, base, 1.0), dim=0))
    if visible == "binary":
        assert model.exact_log_z() == pytest.approx(exact, abs=1e-9)
    start = float(torch.logsumexp(log_mass(model, hidden, base, 0.0), dim=0))
    assert path_of(model, base, 2).base_log_z == pytest.approx(start, abs=1e-9)
    found = anneal(model, base, temperatures=100)
    assert abs(found.value - exact) < 4 * found.error + 0.02


@torch.no_grad()
def test_chains_at_a_temperature_are_drawn_from_its_density():
    model, base = machine((1, 3, 4), 2, 2, "binary", spread=0.7), torch.zeros(12, dtype=torch.float64)
    path = path_of(model, base, 20_000)
    for _ in range(20):
        path.step(0.8)
    hidden = all_hidden(model)
    p = log_mass(model, hidden, base, 0.8).softmax(dim=0)
    torch.testing.assert_close(states_of(path, model).mean(dim=0), p @ hidden, atol=0.015, rtol=0)


def test_odds_that_no_number_holds_are_drawn_all_the_same():
    """Inputs of ±1000, of which the larger wins."""
    model = machine((1, 4, 4), 3, 2, "binary").float()
    with torch.no_grad():
        model.weights.zero_()
        model.hidden_bias.copy_(torch.tensor([1000.0, -1000.0]))
        path = path_of(model, torch.zeros(16), 50)
        path.step(1.0)
    on = path.blocks.sum(dim=1)
    assert on[0].eq(1).all()
    assert on[1].eq(0).all()
    assert path.gain(0.0, 1.0).isfinite().all()

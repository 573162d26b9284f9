"""The Boltzmann machine against sums over all states, written out in NumPy."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from handrail.components.pictures import Tiles
from handrail.errors import RecipeError
from handrail.layers import gibbs, pairwise
from handrail.layers.gibbs import gibbs_sweep
from handrail.models import boltzmann
from handrail.models.annealing import anneal, log_z
from handrail.models.boltzmann import BoltzmannMachine
from handrail.models.rbm import RBM
from handrail.runs.assembly import count_parameters
from handrail.shapes import ImageShape, NoTarget

DENSITY = NoTarget("density")


def machine(width: int, hidden: int = 0, *, spread: float = 1.0, seed: int = 0) -> BoltzmannMachine:
    torch.manual_seed(seed)
    model = BoltzmannMachine(width, DENSITY, hidden=hidden)
    upper = torch.randn(width + hidden, width + hidden).triu_(1) * spread
    with torch.no_grad():
        model.weights.copy_(upper + upper.T)
        model.bias.normal_(std=spread)
    return model


def bits(units: int) -> np.ndarray:
    """All states, the first unit changing most slowly."""
    return (np.arange(2**units)[:, None] >> np.arange(units)[::-1]) & 1


def numpy_energies(model: BoltzmannMachine) -> tuple[np.ndarray, np.ndarray]:
    """All states of all units, and E = −Σ_{i<j} w_ij·s_i·s_j − Σ_i b_i·s_i of each, pair by pair."""
    weights, bias = (each.detach().double().numpy() for each in (model.weights, model.bias))
    states = bits(len(bias))
    energies = -(states @ bias)
    for i in range(len(bias)):
        for j in range(i):
            energies = energies - weights[i, j] * states[:, i] * states[:, j]
    return states, energies


def numpy_visible(model: BoltzmannMachine) -> np.ndarray:
    """p of each state of the visible units."""
    _, energies = numpy_energies(model)
    p = np.exp(-energies).reshape(2**model.width, -1).sum(axis=1)
    return p / p.sum()


def tensor(states: np.ndarray) -> Tensor:
    return torch.tensor(states, dtype=torch.float32)


@pytest.mark.parametrize("hidden", [0, 3])
def test_energies_probabilities_and_the_constant(hidden: int) -> None:
    """Ackley, Hinton & Sejnowski 1985, equations 1 and 3."""
    model = machine(4, hidden)
    states, energies = numpy_energies(model)
    np.testing.assert_allclose(model.energy(tensor(states.T)).detach(), energies, atol=1e-5)
    found = log_z(model, model.visible_bias)
    assert found.method == "exact, by enumeration"
    assert found.value == pytest.approx(np.log(np.exp(-energies).sum()), abs=1e-6)
    model.log_z.fill_(found.value)
    v = tensor(bits(4))
    np.testing.assert_allclose(model(v)[:, 0].detach().exp(), numpy_visible(model), atol=1e-6)


@pytest.mark.parametrize("hidden", [0, 3])
def test_the_pseudo_likelihood_is_that_of_the_conditionals(hidden: int) -> None:
    """Besag 1975, the hidden units summed out; all units are used, since there are no more than 64."""
    model = machine(4, hidden)
    p, states = numpy_visible(model), bits(4)
    expected = np.zeros(16)
    for unit in range(4):
        flipped = p[np.arange(16) ^ (8 >> unit)]
        expected += np.log(p / (p + flipped))
    np.testing.assert_allclose(model(tensor(states))[:, 1].detach(), expected, rtol=1e-4, atol=1e-4)


def test_the_gradient_is_the_difference_of_the_phases() -> None:
    """Ackley, Hinton & Sejnowski 1985, equation 5: ∂ log p / ∂w_ij = ⟨s_i·s_j⟩⁺ − ⟨s_i·s_j⟩⁻."""
    model = machine(3, 2)
    rows = tensor(np.array([[1, 1, 0], [0, 1, 1]]))
    whole = torch.logsumexp(-model.free_energy(tensor(bits(3))), dim=0)
    (-model.free_energy(rows).mean() - whole).backward()
    gradient = model.weights.grad
    assert gradient is not None
    found = (gradient + gradient.T).fill_diagonal_(0)
    np.testing.assert_allclose(found, numpy_gradient(model, rows.numpy()), atol=1e-5)


def numpy_gradient(model: BoltzmannMachine, rows: np.ndarray) -> np.ndarray:
    """Of the mean log p of rows by the weights: clamped less free, each by its own sum."""
    states, energies = numpy_energies(model)

    def together(chosen: np.ndarray) -> np.ndarray:
        p = np.exp(-energies[chosen])
        return np.einsum("s,si,sj->ij", p / p.sum(), states[chosen], states[chosen])

    clamped = [together((states[:, : model.width] == row).all(axis=1)) for row in rows]
    difference = np.mean(clamped, axis=0) - together(np.full(len(states), True))
    np.fill_diagonal(difference, 0)
    return difference


def test_each_unit_is_drawn_by_its_conditional() -> None:
    """p(s_i = 1 | the others) = σ(β·(Σ_j w_ij·s_j + b_i)); Ackley, Hinton & Sejnowski 1985, equation 2."""
    model, generator = machine(4), torch.Generator().manual_seed(0)
    weights, bias = model.weights.detach(), model.bias.detach()
    for beta in (1.0, 0.3):
        states = torch.tensor([1.0, 0.0, 1.0, 0.0]).unsqueeze(1).repeat(1, 100_000)
        gibbs_sweep(states, weights, bias, generator=generator, first=3, beta=beta)
        expected = 1 / (1 + np.exp(-beta * float(weights[3, 0] + weights[3, 2] + bias[3])))
        assert float(states[3].mean()) == pytest.approx(expected, abs=0.006)
        assert states[:3].mean(dim=1).tolist() == [1, 0, 1]


@pytest.mark.parametrize("block", [2, 32])
def test_chains_end_in_the_distribution_of_the_machine(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Geman & Geman 1984, theorem A; also where units go in blocks, the last one smaller."""
    monkeypatch.setattr(gibbs, "_BLOCK", block)
    model, generator = machine(3, 2), torch.Generator().manual_seed(0)
    states = model.begin_states(40_000, generator)
    for _ in range(40):
        with torch.no_grad():
            model.sweep(states, generator)
    all_states, energies = numpy_energies(model)
    codes = (states.long().T * torch.tensor([16, 8, 4, 2, 1])).sum(dim=1)
    shares = torch.bincount(codes, minlength=32).numpy() / 40_000
    p = np.exp(-energies) / np.exp(-energies).sum()
    assert len(all_states) == 32
    assert np.abs(shares - p).sum() / 2 < 0.015  # chance alone leaves 0.01


def test_generated_rows_follow_the_machine() -> None:
    model = machine(3, 2)
    rows = model.generate(20_000, steps=40, generator=torch.Generator().manual_seed(0))
    shares = torch.bincount((rows.long() * torch.tensor([4, 2, 1])).sum(dim=1), minlength=8) / 20_000
    np.testing.assert_allclose(shares, numpy_visible(model), atol=0.015)
    means = model.generate(20_000, steps=40, generator=torch.Generator().manual_seed(0), means=True)
    np.testing.assert_allclose(means.mean(dim=0), numpy_visible(model) @ bits(3), atol=0.015)


def test_codes_are_posterior_means() -> None:
    model = machine(3, 2)
    states, energies = numpy_energies(model)
    p = np.exp(-energies).reshape(8, 4, 1)
    expected = (p * states[:, 3:].reshape(8, 4, 2)).sum(axis=1) / p.sum(axis=1)
    np.testing.assert_allclose(model.encode(tensor(bits(3))).detach(), expected, atol=1e-5)
    assert "encode" in model.uses
    assert "encode" not in machine(3).uses


@pytest.mark.parametrize("hidden", [0, 6])
def test_annealing_comes_near_to_enumeration(hidden: int) -> None:
    """Neal 2001: on 16 units within 0.3 nats, and within five of its own standard errors."""
    model = machine(16 - hidden, hidden, spread=0.6)
    exact = model.exact_log_z()
    found = anneal(model, torch.linspace(-3, 3, 16 - hidden), chains=100, temperatures=1000)
    assert exact is not None
    assert abs(found.value - exact) < min(0.3, 5 * found.error)


@pytest.mark.parametrize("hidden", [4, 12])
def test_without_connections_among_its_kind_it_is_a_restricted_one(
    hidden: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Smolensky 1986; then the mean-field approximation, here of twelve hidden units, is exact as well."""
    torch.manual_seed(0)
    restricted, model = RBM(6, DENSITY, units=hidden), BoltzmannMachine(6, DENSITY, hidden=hidden)
    with torch.no_grad():
        for parameter in restricted.parameters():
            parameter.normal_()
        model.weights.zero_()
        model.weights[:6, 6:] = restricted.weights
        model.weights[6:, :6] = restricted.weights.T
        model.bias.copy_(torch.cat([restricted.visible_bias, restricted.hidden_bias]))
    v = torch.rand(9, 6, generator=torch.Generator().manual_seed(1)).round(decimals=1)
    torch.testing.assert_close(model.free_energy(v), restricted.free_energy(v), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model.judge(v), restricted.judge(v), rtol=1e-4, atol=1e-4)
    assert model.exact_log_z() == pytest.approx(restricted.exact_log_z(), abs=1e-5)
    monkeypatch.setattr(boltzmann, "_AT_ONCE", 18)  # two states at a time
    torch.testing.assert_close(model.free_energy(v), restricted.free_energy(v), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("hidden", [0, 3])
def test_grey_values_are_probabilities(hidden: int) -> None:
    """E is linear in each unit, so that its mean is exact, and Jensen's inequality gives the bound."""
    model, grey = machine(4, hidden), torch.tensor([[0.2, 0.7, 1.0, 0.5]])
    states = tensor(bits(4))
    p = torch.where(states == 1, grey, 1 - grey).prod(dim=1)
    expected = float((p * model.score(states)).sum().detach())
    found = float(model.score(grey).detach())
    assert found == pytest.approx(expected, abs=1e-5) if hidden == 0 else found < expected


def test_too_many_units_are_refused_with_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecipeError, match=r"hidden: found 21 hidden units.* expected at most 20 .*model=rbm"):
        BoltzmannMachine(4, DENSITY, hidden=21)
    with pytest.raises(RecipeError, match=r"found 5 hidden units, whose 2\^5 states"):
        BoltzmannMachine(4, DENSITY, hidden=5, enumerated=4)
    assert machine(15, 6).exact_log_z() is None
    monkeypatch.setattr(pairwise, "free_memory", lambda: 10**9)
    with pytest.raises(RecipeError, match=r"boltzmann: 200,000 units .* 160\.0 GB.*model=rbm"):
        BoltzmannMachine(200_000, DENSITY)


def test_a_pair_counts_as_one_parameter() -> None:
    assert count_parameters(nn.Sequential(machine(4, 2))) == 6 * 5 / 2 + 6


def test_weights_are_shown() -> None:
    (matrix,) = machine(4, 2).pictures(4)
    assert isinstance(matrix, Tiles)
    assert matrix.pictures.shape == (1, 6, 6)
    shape = ImageShape(1, 4, 5)
    _, tiles = BoltzmannMachine(shape, DENSITY).pictures(shape)
    assert isinstance(tiles, Tiles)
    assert tiles.pictures.shape == (20, 4, 5)
    _, tiles = BoltzmannMachine(shape, DENSITY, hidden=3).pictures(shape)
    assert isinstance(tiles, Tiles)
    assert tiles.pictures.shape == (3, 4, 5)

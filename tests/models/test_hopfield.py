"""Hopfield networks: energy and updates against plain NumPy, and the capacity that the theory says."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from handrail.errors import RecipeError
from handrail.layers import pairwise
from handrail.layers.capacity import recall_over_load
from handrail.models.hopfield import Hopfield
from handrail.models.modern_hopfield import ModernHopfield
from handrail.shapes import ImageShape, NoTarget

MEMORY = NoTarget("memory")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def signs(rows: int, units: int, *, seed: int = 0) -> Tensor:
    return torch.randint(0, 2, (rows, units), generator=generator(seed)).float() * 2 - 1


def random_network(units: int, *, updates: str = "asynchronous", seed: int = 0) -> Hopfield:
    """Symmetric weights of no pattern at all, with thresholds."""
    model = Hopfield(units, MEMORY, bias=True, updates=updates)  # pyright: ignore[reportArgumentType]
    weights = torch.randn(units, units, generator=generator(seed))
    model.weights.copy_(weights + weights.T).fill_diagonal_(0)
    assert model.thresholds is not None
    model.thresholds.copy_(torch.randn(units, generator=generator(seed + 1)))
    return model


def arrays(model: Hopfield) -> tuple[np.ndarray, np.ndarray]:
    assert model.thresholds is not None
    return model.weights.double().numpy(), model.thresholds.double().numpy()


def energies(states: np.ndarray, weights: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    return np.array([-0.5 * state @ weights @ state - thresholds @ state for state in states])


def test_the_energy_is_that_of_the_formula():
    """Hopfield 1982: E = −½ Σ_ij W_ij x_i x_j − Σ_i θ_i x_i."""
    model, rows = random_network(20), signs(7, 20)
    weights, thresholds = arrays(model)
    states = rows.double().numpy()
    expected = energies(states, weights, thresholds)
    np.testing.assert_allclose(model((rows + 1) / 2)[:, 0].numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(model((rows + 1) / 2)[:, 0].numpy(), expected, rtol=1e-5)


def test_updates_are_those_of_plain_numpy():
    states = signs(5, 16)
    both = random_network(16), random_network(16, updates="synchronous")
    weights, thresholds = arrays(both[0])
    one = states.double().numpy().copy()
    for unit in torch.randperm(16, generator=generator()).tolist():
        before = energies(one, weights, thresholds)
        one[:, unit] = np.sign(one @ weights[unit] + thresholds[unit])
        assert (energies(one, weights, thresholds) <= before + 1e-9).all()  # after each single update
    all_at_once = np.sign(states.double().numpy() @ weights + thresholds)
    np.testing.assert_array_equal(both[0].update(states, generator()).numpy(), one)
    np.testing.assert_array_equal(both[1].update(states, generator()).numpy(), all_at_once)


@pytest.mark.parametrize("seed", range(10))
def test_the_energy_never_rises(seed):
    """Hopfield 1982: with symmetric weights and no diagonal, whatever they are."""
    model = random_network(40, seed=seed)
    course = torch.stack([model.state_energy(each) for each in model.course(signs(50, 40, seed=seed), 100)])
    assert float(course.diff(dim=0).max()) <= 1e-3
    assert float((course[-1] - course[0]).max()) < 0


def test_recall_ends_where_nothing_moves_and_answers_for_each_row_alone():
    model, cues = random_network(40), (signs(30, 40) + 1) / 2
    recalled = model.recall(cues)
    assert set(recalled.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(model(recalled)[:, 1], torch.zeros(30))
    assert torch.equal(model.recall(recalled), recalled)
    assert torch.equal(model.recall(cues[3:5]), recalled[3:5])


def test_a_unit_without_a_field_stays():
    model = Hopfield(4, MEMORY)
    rows = torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    assert torch.equal(model.recall(rows), rows)


def test_few_patterns_come_back_and_more_than_the_limit_do_not():
    """Amit, Gutfreund & Sompolinsky 1985: retrieval ends at 0.138 N."""
    below, above = recall_over_load(lambda: Hopfield(200, MEMORY), [0.05, 0.25], memories=2)[0]
    assert below == 1
    assert above < 0.1


@pytest.mark.slow
def test_the_capacity_curve_falls_at_0_138():
    """Amit, Gutfreund & Sompolinsky 1985: below, 1.6 % of the units are wrong; above, recall is lost."""
    loads = [0.08, 0.12, 0.2, 0.22]  # the fall between them is steeper the more units there are
    shares = recall_over_load(lambda: Hopfield(1000, MEMORY, damage=0.05), loads, memories=2, wrong=[0.03])[0]
    assert min(shares[:2]) > 0.9
    assert max(shares[2:]) < 0.1


def test_pictures_are_black_and_white_at_one_half():
    model = Hopfield(ImageShape(1, 2, 2), MEMORY)
    states = model.states(torch.tensor([[[[0.2, 0.9], [0.5, 0.6]]]]))
    assert states.tolist() == [[-1.0, 1.0, -1.0, 1.0]]


def test_more_units_than_fit_are_refused_with_the_numbers(monkeypatch):
    monkeypatch.setattr(pairwise, "free_memory", lambda: 10**9)
    with pytest.raises(RecipeError, match=r"200,000² = 40,000,000,000 .* 160\.0 GB, .* 1\.0 GB"):
        Hopfield(200_000, MEMORY)


# The modern network


def filled(patterns: Tensor, **arguments: Any) -> ModernHopfield:
    model = ModernHopfield(patterns.shape[1], MEMORY, **arguments)
    model.store(patterns)
    return model


def test_its_update_is_attention():
    """Ramsauer et al. 2020: with β = 1/√d it is attention with queries ξ, keys and values X."""
    patterns, states = (torch.randn(rows, 16, generator=generator(rows)) for rows in (40, 9))
    ours = filled(patterns, beta=16**-0.5).update(states)
    theirs = torch.nn.functional.scaled_dot_product_attention(states, patterns, patterns)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("similarity", ["product", "distance"])
def test_its_energy_never_rises(similarity):
    """Ramsauer et al. 2020, theorem 1; and their energy, which is never below 0."""
    patterns, states = (torch.randn(rows, 8, generator=generator(rows)) for rows in (30, 20))
    model = filled(patterns, beta=0.7, similarity=similarity)
    course = torch.stack([model.state_energy(each) for each in model.course(states, 50)])
    assert float(course.diff(dim=0).max()) <= 1e-5
    assert float(course.min()) >= (-1e-5 if similarity == "product" else -float("inf"))


def test_the_similarities_agree_on_patterns_of_one_length():
    patterns, states = signs(20, 12), torch.randn(5, 12, generator=generator())
    both = (filled(patterns, similarity=name) for name in ("product", "distance"))
    torch.testing.assert_close(*(model.update(states) for model in both))


def test_recall_returns_real_values():
    patterns = torch.nn.functional.normalize(torch.randn(50, 30, generator=generator()), dim=1) * 30**0.5
    model = filled(patterns)
    torch.testing.assert_close(model.recall(patterns + 0.1), patterns, atol=1e-3, rtol=0)
    assert torch.equal(model(patterns)[:, 1], torch.zeros(50))


@pytest.mark.slow
def test_its_capacity_grows_exponentially():
    """Ramsauer et al. 2020, theorem 3: patterns that are recalled double with every few units more.

    For each N the largest power of two of random patterns, of which 95 % come back from cues with a tenth of
    the units flipped, at a fixed β: the Hebbian memory of 32 units holds 4.
    """
    held = {}
    for units in (8, 16, 24, 32):
        for power in range(1, 17):
            load = 2**power / units
            share = recall_over_load(lambda: ModernHopfield(units, MEMORY), [load])[0, 0]  # noqa: B023
            if share < 0.95:
                break
            held[units] = 2**power
    growth = np.diff(np.log2([held[units] for units in (8, 16, 24, 32)]))
    assert (growth >= 1).all()
    assert held[32] > 1000

"""Likelihoods of rows by the kinds of their numbers, against torch's own distributions."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Categorical, MixtureSameFamily, Normal

from handrail.layers.likelihoods import LEAST_SPREAD, Likelihood
from handrail.shapes import ImageShape, TableShape
from handrail.tasks.baselines.densities import independent_columns

TABLE = TableShape(7, bits=(1, 6), choices=((2, 3, 4),), gaps=((5, 6),))  # real: 0 and 5
ROWS = torch.tensor([[0.3, 1, 0, 1, 0, -0.7, 0], [-1.2, 0, 0, 0, 1, 0.4, 0], [0.1, 1, 1, 0, 0, 9.0, 1]])


def likelihood() -> Likelihood:
    found = Likelihood(TABLE)
    with torch.no_grad():
        found.log_spread.copy_(torch.tensor([[0.2], [-0.4]]))
    return found


def test_a_table_is_still_a_number_and_survives_copies():
    shape: TableShape
    for shape in (TABLE, copy.deepcopy(TABLE), pickle.loads(pickle.dumps(TABLE))):
        assert shape == 7
        assert (shape.bits, shape.choices, shape.gaps) == ((1, 6), ((2, 3, 4),), ((5, 6),))
        assert shape.repeated == ()


def test_a_mixed_row_is_the_product_of_its_columns():
    scores = torch.randn(4, 3, 7, generator=torch.Generator().manual_seed(0))
    expected = Bernoulli(logits=scores[..., [1, 6]]).log_prob(ROWS[:, [1, 6]]).sum(-1)
    expected = expected + Categorical(logits=scores[..., 2:5]).log_prob(ROWS[:, 2:5].argmax(1))
    spread = torch.tensor([0.2, -0.4]).exp()
    real = Normal(scores[..., [0, 5]], spread).log_prob(ROWS[:, [0, 5]])
    real = real * torch.tensor([[1.0, 1.0], [1.0, 1.0], [1.0, 0.0]])  # the last row's number is missing
    torch.testing.assert_close(likelihood()(scores, ROWS), expected + real.sum(-1))


@pytest.mark.parametrize("kind", ["gaussian", "bernoulli"])
def test_pictures_are_of_one_kind(kind):
    x = torch.rand(5, 12, generator=torch.Generator().manual_seed(1))
    scores = torch.randn(5, 12, generator=torch.Generator().manual_seed(2))
    found = Likelihood(ImageShape(1, 3, 4), kind)
    expected = Normal(scores, 1.0).log_prob(x) if kind == "gaussian" else None
    if expected is None:
        expected = x * scores.sigmoid().log() + (1 - x) * (-scores).sigmoid().log()
    torch.testing.assert_close(found(scores, x), expected.sum(1))
    assert found.visible == {"gaussian": "gaussian", "bernoulli": "binary"}[kind]


def test_draws_have_the_means_that_are_expected():
    found, scores = likelihood(), torch.tensor([[0.5, -1.0, 0.2, 1.0, -0.5, 2.0, 0.3]])
    drawn = found.draw(scores.expand(20_000, -1), torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.mean(dim=0), found.mean(scores)[0], atol=0.02, rtol=0)
    assert set(drawn[:, [1, 6]].flatten().tolist()) == {0.0, 1.0}
    assert (drawn[:, 2:5].sum(dim=1) == 1).all()
    spread = drawn[:, [0, 5]].std(dim=0)
    torch.testing.assert_close(spread, torch.tensor([0.2, -0.4]).exp(), rtol=0.03, atol=0)


def test_a_number_that_repeats_itself_has_a_bound():
    found = Likelihood(1)
    with torch.no_grad():
        found.log_spread.fill_(-50.0)
    value = found(torch.zeros(1, 1), torch.zeros(1, 1)).item()
    assert value == pytest.approx(-math.log(LEAST_SPREAD) - math.log(2 * math.pi) / 2)


def test_independent_columns_are_the_best_constant_scores():
    """The baseline of a mixed table: what a decoder would say that knows nothing of the row."""
    rng = np.random.default_rng(0)
    rows = np.zeros((4000, 7))
    rows[:, 0] = rng.normal(2, 0.5, 4000)
    rows[:, 1], rows[:, 6] = rng.random((2, 4000)) < [[0.3], [0.1]]
    rows[np.arange(4000), 2 + rng.choice(3, 4000, p=[0.2, 0.3, 0.5])] = 1
    rows[:, 5] = np.where(rows[:, 6] == 1, 77.0, rng.normal(-1, 2, 4000))
    found = independent_columns(TABLE)(rows, rows).mean()
    entropy = math.log(0.5) + math.log(2) * 0.9 + 0.5 * math.log(2 * math.pi * math.e) * 1.9
    entropy += sum(-p * math.log(p) for p in (0.3, 0.7, 0.1, 0.9, 0.2, 0.3, 0.5))
    assert found == pytest.approx(-entropy, abs=0.05)


# real: 0, 1 and 3, of which 0 repeats two values and 3 one, and 1 may be missing
REPEATING = TableShape(4, bits=(2,), gaps=((1, 2),), repeated=((0, -0.5), (0, 2.0), (3, 0.0)))
REPEATED = torch.tensor([[-0.5, 0.2, 0, 0.0], [2.0, 1.0, 1, 0.7], [0.3, -1.0, 0, -0.2]])


def mixtures(components: int) -> tuple[Likelihood, torch.Tensor]:
    """A likelihood of `REPEATING`, and scores for its rows."""
    found = Likelihood(REPEATING, components=components)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        found.log_spread.normal_(std=0.3, generator=generator)
    return found, torch.randn(2, 3, found.scores, generator=generator)


@pytest.mark.parametrize("components", [1, 3])
def test_numbers_are_mixtures_with_values_that_are_repeated(components):
    """Against torch's own mixtures. Source: Xu et al. 2019"""
    found, scores = mixtures(components)
    assert (found.marks, found.visible) == (3, "mixed")
    centres, shares = found._centres(scores), found._log_shares(scores).exp()
    torch.testing.assert_close(shares.sum(dim=-1), torch.ones(2, 3, 3))
    laws = MixtureSameFamily(
        Categorical(shares[..., :components]), Normal(centres, found.log_spread.exp().expand_as(centres))
    )
    real = laws.log_prob(REPEATED[:, [0, 1, 3]]) + shares[..., :components].sum(dim=-1).log()
    real[:, 0, 0] = shares[:, 0, 0, components].log()
    real[:, 1, 0] = shares[:, 1, 0, components + 1].log()
    real[:, 0, 2] = shares[:, 0, 2, components].log()
    real[:, 1, 1] = 0  # missing
    bits = Bernoulli(logits=scores[..., 2]).log_prob(REPEATED[:, 2])
    torch.testing.assert_close(found(scores, REPEATED), real.sum(dim=-1) + bits)


@pytest.mark.parametrize("components", [1, 3])
def test_every_score_of_a_mixture_counts(components):
    found, scores = mixtures(components)
    found(scores.requires_grad_(), REPEATED).sum().backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    assert (scores.grad.abs().sum(dim=(0, 1)) > 0).all()


@pytest.mark.parametrize("components", [1, 3])
def test_draws_of_mixtures_have_the_means_that_are_expected(components):
    found, scores = mixtures(components)
    drawn = found.draw(scores[0, :1].expand(20_000, -1), torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.mean(dim=0), found.mean(scores[0, :1])[0], atol=0.03, rtol=0)
    shares = found._log_shares(scores[0, :1]).exp()[0]
    for place, row, cell, value in ((0, 0, 0, -0.5), (0, 0, 1, 2.0), (3, 2, 0, 0.0)):
        share = (drawn[:, place] == value).double().mean()
        assert float(share) == pytest.approx(float(shares[row, components + cell]), abs=0.01)


def test_marks_say_which_values_are_repeated():
    found, _ = mixtures(1)
    assert found.marked(REPEATED)[:, 4:].tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert Likelihood(4).marked(REPEATED) is REPEATED


def test_independent_columns_know_values_that_are_repeated():
    """Half zeros, and a tail: the baseline counts as the likelihood does."""
    rng = np.random.default_rng(1)
    rows = np.where(rng.random((4000, 1)) < 0.5, 0.25, rng.normal(3, 0.5, (4000, 1)))
    found = independent_columns(TableShape(1, repeated=((0, 0.25),)))(rows, rows).mean()
    expected = math.log(0.5) - 0.5 * (0.5 * math.log(2 * math.pi * math.e) + math.log(0.5))
    assert found == pytest.approx(expected, abs=0.03)

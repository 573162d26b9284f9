"""Densities of bytes about other pictures, beside SciPy's logistic law."""

import numpy as np
import torch
from scipy.special import expit, logsumexp

from handrail.evaluation.points.picture_density import best_spread, picture_nats


def expected(x: np.ndarray, middles: np.ndarray, spread: float) -> np.ndarray:
    """Salimans et al. 2017, by differences of distribution functions."""
    high = np.where(x[:, None] == 255, 1.0, expit((x[:, None] + 0.5 - middles) / spread))
    low = np.where(x[:, None] == 0, 0.0, expit((x[:, None] - 0.5 - middles) / spread))
    return -(logsumexp(np.log(high - low).sum(axis=2), axis=1) - np.log(middles.shape[1]))


def test_nats_are_those_of_a_logistic_law_that_is_rounded_to_bytes() -> None:
    """Salimans et al. 2017: beside scipy.special.expit, for one centre and several."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (6, 5))
    x[0, :2] = 0, 255
    for centres in (1, 3):
        middles = (x[:, None] + rng.normal(0, 20, (6, centres, 5))).clip(0, 255)
        found = picture_nats(torch.from_numpy(x.astype(np.uint8)), torch.from_numpy(middles), 9.0)
        np.testing.assert_allclose(found.numpy(), expected(x, middles, 9.0), rtol=1e-9)


def test_the_probabilities_of_all_bytes_sum_to_one() -> None:
    every = torch.arange(256, dtype=torch.uint8)[:, None]
    for middle, spread in ((3.2, 0.05), (127.5, 4.0), (255.0, 60.0)):
        nats = picture_nats(every, torch.full((256, 1, 1), middle, dtype=torch.float64), spread)
        assert abs(float((-nats).exp().sum()) - 1) < 1e-9


def test_the_best_spread_is_that_of_the_noise() -> None:
    rng = np.random.default_rng(1)
    middles = rng.uniform(80, 170, (400, 1, 50))
    x = (middles[:, 0] + rng.logistic(0, 6.0, (400, 50))).round().clip(0, 255).astype(np.uint8)
    assert abs(best_spread(torch.from_numpy(x), torch.from_numpy(middles)) - 6) < 0.3

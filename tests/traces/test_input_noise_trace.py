"""Noise on the inputs: its exact mean beside scikit-learn's ridge, and noisy copies that come near it."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge

import handrail
from handrail.components.pictures import Lines
from handrail.errors import DataError

BOTH, COPIES = "Least squares and ridge", "Least squares on noisy copies"


def test_the_example_can_be_followed_by_hand() -> None:
    """n = 4 rows and σ = ½ make λ = 1: (11 8; 8 11)·w = (38, 34)."""
    trace = handrail.trace("input_noise")
    assert trace["Row by row"]["E(x + ν)·(x + ν)ᵀ"][0].tolist() == [[4.25, 2], [2, 1.25]]
    both = trace[BOTH]
    assert both["λ"].tolist() == [0, 1]
    assert both["XᵀX + λI"][1].tolist() == [[11, 8], [8, 11]]
    assert both["w"] == pytest.approx(np.array([[3, 1], [146 / 57, 70 / 57]]))
    assert both["‖w‖"][1] < both["‖w‖"][0]


@pytest.mark.parametrize("sigma", [0.1, 1.0, 3.0])
def test_the_mean_is_ridge_by_scikit_learn(sigma: float) -> None:
    known = np.random.default_rng(1).normal(size=(15, 4))
    trace = handrail.trace("input_noise", table=known.tolist(), sigma=sigma, copies=[1])
    x, t = known[:, :-1], known[:, -1]
    plain = LinearRegression(fit_intercept=False).fit(x, t).coef_
    ridge = Ridge(15 * sigma**2, fit_intercept=False).fit(x, t).coef_
    assert trace[BOTH]["w"] == pytest.approx(np.stack([plain, ridge]), abs=1e-6)


def test_all_signs_once_are_ridge_exactly() -> None:
    """As many copies as there are choices of signs, stacked and solved as one table."""
    known = np.random.default_rng(2).normal(size=(6, 3))
    copies = handrail.trace("input_noise", table=known.tolist(), sigma=0.7)[COPIES].frame
    assert copies["noise"][-1] == "±σ"
    assert copies["gap"][-1] < 1e-12
    signs = 0.7 * np.array([[a, b] for a in (-1, 1) for b in (-1, 1)])
    stacked = np.concatenate([known[:, :2] + shift for shift in signs])
    plain = LinearRegression(fit_intercept=False).fit(stacked, np.tile(known[:, 2], 4)).coef_
    assert copies["w"][-1].to_numpy() == pytest.approx(plain, abs=1e-6)


def test_copies_come_near_ridge() -> None:
    """Ten thousand copies of normal noise lie within a hundredth, and come from a generator by its seed."""
    first, again, other = (handrail.trace("input_noise", seed=seed) for seed in (3, 3, 4))
    gaps = first[COPIES].frame["gap"].to_list()
    assert gaps[-2] < 0.01
    assert gaps[-2] < gaps[0] / 10
    assert first.to_dict() == again.to_dict()
    assert first.to_dict() != other.to_dict()
    (drawn,) = first.pictures
    assert isinstance(drawn, Lines)
    assert drawn.curves["largest gap"].tolist() == gaps[:-1]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"table": [[1, 2], [1]]}, "table: expected rows of one length"),
        ({"table": [[0, 1], [0, 2]]}, "table: all numbers before the targets are 0"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        handrail.trace("input_noise", **settings)

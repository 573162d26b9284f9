"""Early stopping: the formula beside the steps themselves, scikit-learn's ridge and torch's own descent."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

import handrail
from handrail.components.pictures import Lines
from handrail.errors import DataError

AFTER, SHARES = "The weights after k steps", "Share of least squares in each direction"


def rows_of(seed: int, *, count: int = 12, numbers: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, numbers))


def test_the_example_can_be_followed_by_hand() -> None:
    """XᵀX = (10 8; 8 10) has the eigenvalues 18 and 2; with η = 0.05 the factors are 0.1 and 0.9."""
    trace = handrail.trace("early_stopping")
    assert trace["The rows"]["x·xᵀ"].sum(axis=0).tolist() == [[10, 8], [8, 10]]
    assert trace["Gradient descent from 0"]["w new"][0] == pytest.approx([1.9, 1.7])
    turned = trace["Least squares, direction by direction"]
    assert turned["λ"] == pytest.approx([18, 2])
    assert turned["q·w"] == pytest.approx(np.sqrt([8, 2]))
    shares = trace[SHARES].frame
    assert shares["1 − (1 − ηλ)ᵏ"][:4].to_list() == pytest.approx([0.9, 0.1, 0.99, 0.19])
    assert "w = (3, 1)" in trace[AFTER].note
    (drawn,) = trace.pictures
    assert isinstance(drawn, Lines)
    assert drawn.curves["stopping, λ = 2"][2] == pytest.approx(0.19)


@pytest.mark.parametrize("seed", range(3))
def test_the_steps_are_those_of_the_formula(seed: int) -> None:
    trace = handrail.trace(
        "early_stopping", table=rows_of(seed).tolist(), learning_rate=0.03, steps=[1, 5, 50, 500]
    )
    assert trace[AFTER]["gap"].max() < 1e-9
    shares = trace[SHARES]
    assert shares["of early stopping"] == pytest.approx(shares["1 − (1 − ηλ)ᵏ"], abs=1e-6)


def test_the_steps_are_those_of_torch() -> None:
    known = rows_of(5)
    trace = handrail.trace("early_stopping", table=known.tolist(), learning_rate=0.02, steps=[30])
    x, t = torch.from_numpy(known[:, :-1]), torch.from_numpy(known[:, -1])
    w = torch.zeros(3, dtype=torch.float64)
    for _ in range(30):
        w.requires_grad_()
        (slope,) = torch.autograd.grad((x @ w - t).square().sum() / 2, w)
        w = (w - 0.02 * slope).detach()
    assert trace[AFTER]["w after k steps"][0] == pytest.approx(w.numpy(), abs=1e-6)


def test_ridge_is_that_of_scikit_learn() -> None:
    known = rows_of(6)
    trace = handrail.trace("early_stopping", table=known.tolist(), learning_rate=0.02, steps=[4, 40])
    for k, weights in zip([4, 40], trace[AFTER]["w of ridge"], strict=True):
        ridge = Ridge(1 / (0.02 * k), fit_intercept=False).fit(known[:, :-1], known[:, -1])
        assert weights == pytest.approx(ridge.coef_, abs=1e-6)


def test_a_direction_without_rows_stays_at_zero() -> None:
    trace = handrail.trace("early_stopping", table=[[1, 1, 2], [2, 2, 5]], learning_rate=0.05)
    assert trace["Least squares, direction by direction"]["λ"] == pytest.approx([10, 0])
    assert trace[AFTER]["gap"].max() < 1e-9
    assert trace[AFTER]["w of ridge"][:, 0] == pytest.approx(trace[AFTER]["w of ridge"][:, 1])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"learning_rate": 0.2}, r"learning_rate: found 0.2, expected less than 2/λ = 0.1111"),
        ({"table": [[1, 2], [1]]}, "table: expected rows of one length"),
        ({"table": [[1]]}, "table: expected rows of one length"),
        ({"table": [[0, 1], [0, 2]]}, "table: all numbers before the targets are 0"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        handrail.trace("early_stopping", **settings)

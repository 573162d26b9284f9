"""Losses by hand: the printed table, scikit-learn's metrics, torch's losses, and MAE ≤ RMSE ≤ MAE·√n."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, root_mean_squared_error
from torch.nn import functional

import handrail
from handrail.errors import DataError, RecipeError


def test_the_three_cases_come_out_as_printed() -> None:
    """Lecture 003, "Loss functions for regression tasks": to the three places that are printed."""
    trace = handrail.trace("loss_table")
    found = trace["MAE and RMSE"]
    assert [f"{value:.3f}" for value in found["MAE"]] == ["2.000", "2.000", "2.000"]
    assert [f"{value:.3f}" for value in found["RMSE"]] == ["2.000", "2.236", "6.325"]
    printed = {
        "Case 1, evenly distributed": ([2] * 10, [4] * 10),
        "Case 2, small variance": ([1] * 5 + [3] * 5, [1] * 5 + [9] * 5),
        "Case 3, a large outlier": ([0] * 9 + [20], [0] * 9 + [400]),
    }
    for case, (sizes, squares) in printed.items():
        assert trace[case]["|e|"].tolist() == sizes
        assert trace[case]["e²"].tolist() == squares


def test_the_metrics_are_scikit_learn_s() -> None:
    rng = np.random.default_rng(9)
    cases = [rng.normal(size=size).tolist() for size in (3, 30)]
    found = handrail.trace("loss_table", errors=cases, shown=5)
    for place, errors in enumerate(cases):
        zeros = np.zeros(len(errors))
        assert found["MAE and RMSE"]["MAE"][place] == pytest.approx(mean_absolute_error(zeros, errors))
        assert found["MAE and RMSE"]["RMSE"][place] == pytest.approx(root_mean_squared_error(zeros, errors))
    assert "25 more rows" in found["Case 2"].note


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_the_rmse_lies_between(errors: list[float]) -> None:
    """Lecture 003 prints MAE ≤ RMSE and RMSE ≤ MAE·√n."""
    (line,) = handrail.trace("loss_table", errors=[errors])["MAE and RMSE"].frame.to_dicts()
    room = 1e-9 * (1 + line["MAE·√n"])
    assert line["MAE"] <= line["RMSE"] + room
    assert line["RMSE"] <= line["MAE·√n"] + room


def test_the_bounds_are_reached() -> None:
    found = handrail.trace("loss_table")["MAE and RMSE"]
    assert found["RMSE"][0] == found["MAE"][0]
    assert found["RMSE"][2] == pytest.approx(found["MAE·√n"][2])


def test_brackets_make_it_torch_s_cross_entropy() -> None:
    """Lecture 003 prints it without them: the same for t = 1, below 0 for t = 0."""
    found = handrail.trace("loss_table", chances=[0.2, 0.7])["Binary cross-entropy"]
    chance, target = torch.tensor(found["p"]), torch.tensor(found["t"]).double()
    losses = functional.binary_cross_entropy(chance, target, reduction="none").numpy()
    assert found["loss"] == pytest.approx(losses)
    assert found["as printed"][:2] == pytest.approx(losses[:2])
    assert found["as printed"][2:] == pytest.approx(-losses[2:])


def test_half_the_square_has_half_the_slope() -> None:
    found = handrail.trace("loss_table", errors=[[3, -1, 0.5]])["With and without ½"]
    answers = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    squares = (torch.tensor(found["e"]) - answers) ** 2
    squares.sum().backward()
    assert answers.grad is not None
    assert found["∂e²/∂y"] == pytest.approx(answers.grad.numpy())
    assert found["∂(½e²)/∂y"] == pytest.approx(answers.grad.numpy() / 2)
    assert found["½e²"] == pytest.approx(squares.detach().numpy() / 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"errors": [[1e200]]}, r"errors: found 1e\+200, expected them within"),
        ({"errors": [[]]}, "errors"),
        ({"chances": [1.0]}, "chances"),
    ],
)
def test_what_does_not_fit_is_said(changes: dict, words: str) -> None:
    with pytest.raises((DataError, RecipeError), match=words):
        handrail.trace("loss_table", **changes)

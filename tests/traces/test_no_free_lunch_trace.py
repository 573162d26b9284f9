"""No free lunch: exactly half for every rule, and each rule beside scikit-learn or the library's own."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

import handrail
from handrail.errors import DataError, RecipeError
from handrail.learning.rule import Batch
from handrail.learning.rules.rosenblatt import Rosenblatt
from handrail.learning.separability import are_separable

ALL, AGREE, SAY = (
    "All 256 functions",
    "All functions that agree with the trained rows",
    "What the rules say of the asked rows",
)
TRUTH = [0, 1, 1, 0, 1, 1, 0, 1]
INPUTS = np.array(list(np.ndindex(2, 2, 2)), dtype=np.float64)


@pytest.mark.parametrize("asked", [[7, 8], [1], [2, 5, 8], [1, 2, 3, 4, 5, 6, 7]])
def test_every_rule_is_right_half_of_the_time(asked: list[int]) -> None:
    trace = handrail.trace("no_free_lunch", asked=asked)
    table = trace[ALL]
    assert (table["of"] == 256 * len(asked)).all()
    assert (2 * table["right"] == table["of"]).all()
    assert (table["accuracy"] == 0.5).all()
    agree = trace[AGREE]
    assert len(agree) == 2 ** len(asked)
    for rule in ("always 0", "frequent", "nearest", "perceptron"):
        assert 2 * agree[rule].sum() == len(agree) * len(asked)


def test_104_functions_are_separable() -> None:
    """As many as a linear programme finds; on them the perceptron is better than chance."""
    codes = np.array(list(np.ndindex(*[2] * 8)))
    assert sum(bool(are_separable(INPUTS, each)) for each in codes) == 104
    table = handrail.trace("no_free_lunch")[ALL]
    assert "the 104 that a plane can separate" in table.formula
    frame = table.frame
    better = dict(zip(frame["rule"], frame["if separable"], strict=True))
    assert better["always 0"] == 0.5
    assert better["perceptron"] > 0.65 > better["nearest"] > better["frequent"] > 0.5


def answers_of(rule: str, asked: list[int]) -> list[float]:
    trace = handrail.trace("no_free_lunch", truth=TRUTH, asked=asked)
    frame = trace[SAY].frame
    return dict(zip(frame["rule"], frame["y of the asked rows"].to_list(), strict=True))[rule]


def test_the_nearest_row_is_that_of_scikit_learn() -> None:
    """Asked alone, so that the nearest row is one of several: its target is one of theirs."""
    for asked in range(8):
        known = np.delete(np.arange(8), asked)
        fitted = KNeighborsClassifier(3, metric="manhattan").fit(INPUTS[known], np.array(TRUTH)[known])
        distances, places = fitted.kneighbors(INPUTS[[asked]])
        assert (distances == 1).all()
        first = known[places.min()]
        assert answers_of("nearest", [asked + 1]) == [TRUTH[first]]


@pytest.mark.parametrize("asked", [[7, 8], [1, 4], [3]])
def test_the_perceptron_is_that_of_the_rule(asked: list[int]) -> None:
    apart = np.array(asked) - 1
    known = np.delete(np.arange(8), apart)
    layer, rule = nn.Linear(3, 1), Rosenblatt()
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    rule.layer = layer
    rows = torch.from_numpy(INPUTS).float()
    for _ in range(20):
        rule.step(layer, Batch(rows[known], torch.tensor(TRUTH)[known]))
    assert answers_of("perceptron", asked) == (layer(rows[apart])[:, 0] > 0).float().tolist()


def test_the_frequent_target_is_said() -> None:
    """Five of eight targets are 1; of 1, 1 and 0, 0 none is more frequent."""
    assert answers_of("frequent", [1, 2]) == [1, 1]
    assert answers_of("frequent", [5, 6, 8, 2]) == [0] * 4
    assert answers_of("always 0", [5]) == [0]


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(DataError, match="asked: expected each row once"):
        handrail.trace("no_free_lunch", asked=[3, 3])
    with pytest.raises(RecipeError, match="asked"):
        handrail.trace("no_free_lunch", asked=[9])
    with pytest.raises(RecipeError, match="truth"):
        handrail.trace("no_free_lunch", truth=[0, 1])

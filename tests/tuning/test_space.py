"""The space of a search: what is read, what is drawn, what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.errors import RecipeError
from handrail.recipe import Recipe
from handrail.tuning.checks import check_space
from handrail.tuning.space import Choices, Range, Space, combinations, draw_settings, read_space, size

RATE = "learning.gradient.optimizer.adamw.learning_rate"


def mistakes(**tuning: object) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        check_space(Recipe.parse({"tuning": tuning}))
    return caught.value.problems


def test_dotted_and_nested_names_are_the_same() -> None:
    dotted = read_space({"model.mlp.dropout": [0, 0.1], RATE: {"low": 1e-4, "high": 0.1, "log": True}})
    nested = read_space(
        {
            "model": {"mlp": {"dropout": {"choices": [0, 0.1]}}},
            "learning": {
                "gradient": {
                    "optimizer": {"adamw": {"learning_rate": {"low": "1e-4", "high": 0.1, "log": True}}}
                }
            },
        }
    )
    assert dotted == nested
    assert dotted[0][RATE] == Range(1e-4, 0.1, log=True)
    assert not dotted[1]


def test_a_grid_is_every_combination_and_the_last_setting_changes_first() -> None:
    space = {"a": Choices((1, 2)), "b": Range(0.1, 0.3, step=0.1), "c": Range(3, 4)}
    settings = list(combinations(space))
    assert len(settings) == size(space) == 12
    assert [one["b"] for one in settings[:6:2]] == [0.1, 0.2, 0.3]
    assert [one["c"] for one in settings[:3]] == [3, 4, 3]


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.booleans(), st.floats(0, 1, exclude_max=True))
def test_whole_numbers_stay_whole_and_within(low: int, more: int, log: bool, share: float) -> None:
    value = Range(low, low + more, log=log).at(share)
    assert isinstance(value, int)
    assert low <= value <= low + more


@given(st.floats(1e-9, 1e3), st.floats(1e-3, 1e6), st.booleans(), st.floats(0, 1, exclude_max=True))
def test_numbers_stay_within(low: float, more: float, log: bool, share: float) -> None:
    value = Range(low, low + more, log=log).at(share)
    assert low <= value <= low + more


def test_a_logarithmic_range_gives_each_power_the_same_share() -> None:
    space: Space = {"x": Range(1e-4, 1.0, log=True)}
    powers = [math.floor(math.log10(one["x"])) for one in draw_settings(space, 4000, seed=3)]
    assert all(900 < powers.count(power) < 1100 for power in (-4, -3, -2, -1))


def test_drawn_settings_are_all_different_and_follow_from_the_seed() -> None:
    space: Space = {"a": Choices((1, 2, 3)), "b": Choices((True, False))}
    settings = draw_settings(space, 6, seed=1)
    assert len({repr(one) for one in settings}) == 6
    assert settings == draw_settings(space, 6, seed=1) != draw_settings(space, 6, seed=2)


def test_all_mistakes_are_said_at_once() -> None:
    texts = mistakes(
        space={
            "model.mlp.dropuot": [0.1],
            "seed": [1, 2],
            "data.split.seed": [1, 2],
            "evaluation.calibrate": [True],
            "training.epochs": [],
            "training.patience": {"low": 9, "high": 2},
            "training.batch_size": {"low": 0, "high": 64, "log": True},
            "objective.loss": [{"cross_entropy": {"label_smothing": 0.1}}],
            "training.min_delta": {"low": 0.1, "hihg": 0.2},
        }
    )
    text = "\n".join(texts)
    for part in (
        "model.mlp.dropuot: unknown argument. Did you mean 'model.mlp.dropout'?",
        "seed: a lucky seed is no setting; tuning.replicas",
        "data.split.seed: decides which rows are trained and judged on",
        "evaluation.calibrate: is decided when training is over",
        "training.epochs: found an empty list",
        "low is 9, and high 2; expected low below high",
        "low is 0; a logarithmic range lies above 0",
        "label_smothing: unknown argument",
        "hihg: unknown. Did you mean 'high'?",
        "high: missing",
    ):
        assert part in text, part
    assert len(texts) == 10


@pytest.mark.parametrize(
    ("tuning", "message"),
    [
        ({}, "nothing to try"),
        ({"space": {"training.batch_size": [16, 32]}, "trials": 9}, "has no effect with method: grid"),
        (
            {"space": {"training.batch_size": [16, 32]}, "trials": 9, "method": "random"},
            "holds 2 different settings",
        ),
        ({"space": {RATE: {"low": 0.1, "high": 0.2}}, "method": "grid"}, "a grid needs values"),
        ({"space": {"training.batch_size": [16, 16]}}, "16 stands there twice"),
        ({"space": {"training.batch_size": 16}}, "found 16, expected a list"),
        ({"space": {"training.batch_size": ["small"]}}, "training.batch_size: found 'small'"),
        ({"space": {"model": ["mlp"], "model.mlp.dropout": [0.1]}}, "lies within 'model'"),
        (
            {"space": {RATE: {"low": 0.1, "high": 0.2, "log": True, "step": 0.1}}},
            "no meaning on a logarithmic scale",
        ),
        ({"space": {"training.device": ["cpu"]}}, "says how trainings are run"),
        ({"space": {"training.epochs": [1, 2]}, "method": "halving"}, "halving gives each trial its epochs"),
        (
            {
                "space": {"training.batch_size": {"low": 1, "high": 200}, RATE: {"low": 1, "high": 200}},
                "method": "grid",
            },
            "40,000 combinations",
        ),
    ],
)  # fmt: skip
def test_what_a_search_cannot_do(tuning: dict[str, object], message: str) -> None:
    assert any(message in text for text in mistakes(**tuning))


def test_an_unknown_method_is_told_with_the_nearest() -> None:
    pytest.importorskip("optuna")
    texts = mistakes(space={"training.batch_size": [16, 32]}, method="tpee")
    assert texts == ["tuning.method: there is no method 'tpee'. Did you mean 'tpe'?"]

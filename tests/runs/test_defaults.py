"""What is chosen where the recipe leaves it open."""

from typing import Any

import pytest

from handrail.data.task import TaskSpec
from handrail.recipe import Recipe
from handrail.runs.defaults import choose, usual_patience


@pytest.mark.parametrize(("rows", "epochs", "patience"), [
    (150, 100, 15), (500_000, 100, 15), (1_000_000, 50, 12), (14_000_000, 4, 2), (10**9, 3, 2),
])  # fmt: skip
def test_a_long_table_is_seen_less_often(rows: int, epochs: int, patience: int) -> None:
    choice = choose(20, 1, task=TaskSpec(name="binary", targets=("y",), classes=("a", "b")), rows=rows)
    assert (choice.epochs, choice.patience) == (epochs, patience)
    assert ("epochs are steps enough" in choice.why) is (epochs < 100)


@pytest.mark.parametrize(
    ("schedule", "patience"),
    [
        ("constant", 15),
        ("time_decay", 15),
        ("cosine", None),
        ("step", None),
        ({"one_cycle": {"rise": 0.2}}, None),
        ({"warm_up": {"then": "cosine"}}, None),
        ({"warm_up": {"length": 0.5}}, 15 + 50),
        ({"warm_up": {"length": 30}}, 15 + 10),  # 30 updates, three an epoch
        ("on_plateau", 22),
        ({"on_plateau": {"patience": 2}}, 15),
        ({"torch.optim.lr_scheduler:ReduceLROnPlateau": {"patience": 20}}, 42),
        ({"torch.optim.lr_scheduler:CosineAnnealingWarmRestarts": {"T_0": 50}}, None),
    ],
)
def test_a_schedule_runs_to_its_end_unless_a_patience_is_set(schedule: Any, patience: int | None) -> None:
    learning = {"gradient": {"schedule": schedule}}
    recipe = Recipe().with_values({"learning": learning, "training.epochs": 100, "training.batch_size": 32})
    assert usual_patience(recipe, 90) == patience


def test_a_rule_without_a_schedule_has_the_usual_patience() -> None:
    recipe = Recipe.parse({"learning": "rosenblatt", "training": {"epochs": 100}})
    assert usual_patience(recipe, 90) == 15


def test_a_rule_that_anneals_waits_for_its_end() -> None:
    recipe = Recipe().with_values({"model": "kohonen", "learning": "kohonen", "training.epochs": 20})
    assert usual_patience(recipe, 90) is None

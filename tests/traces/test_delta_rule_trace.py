"""The delta rule's table beside the library's rule, the perceptron's table, and cross-entropy's gradient."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import handrail
from handrail.components.pictures import Lines
from handrail.errors import DataError
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.delta import Delta
from handrail.objectives.objective import Objective


def random_rows(unit: str) -> np.ndarray:
    """Ten rows of three numbers and a target, which single precision holds exactly."""
    rng = np.random.default_rng(6)
    targets = rng.normal(size=(10, 1)) if unit == "linear" else rng.integers(2, size=(10, 1))
    return np.concatenate([rng.normal(size=(10, 3)), targets], axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("unit", "task"), [("heaviside", "binary"), ("linear", "regression"), ("sigmoid", "binary")]
)
def test_the_steps_are_those_of_the_rule(unit: str, task: str) -> None:
    """Row by row the weights of `Delta` on the same rows, to 1e-6."""
    rows = random_rows(unit)
    trace = handrail.trace(
        "delta_rule", unit=unit, table=rows.tolist(), passes=3, shown=30, learning_rate=0.1
    )
    found = trace[f"Row by row, a {unit} unit"]
    layer, rule = nn.Linear(3, 1), Delta(activation=unit, learning_rate=0.1)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    rule.start(layer, TrainingPlan(task, Objective("mse", ()), epochs=3, steps=10, seed=0))
    assert len(found) == 30
    for place in range(30):
        row = torch.from_numpy(rows[[place % 10]])
        target = row[:, 3:] if task == "regression" else row[:, 3].long()
        rule.step(layer, Batch(row[:, :3], target))
        now = torch.cat([layer.bias, layer.weight[0]]).detach().numpy()
        assert found["w new"][place] == pytest.approx(now, abs=1e-6)


def test_a_heaviside_unit_takes_the_perceptron_s_steps() -> None:
    """Lecture 004's table of OR, from its weights and with its η of 1."""
    settings = {"data": "or", "weights": [0, 1, 0], "learning_rate": 1.0}
    delta = handrail.trace("delta_rule", unit="heaviside", shown=99, **settings).frame
    printed = handrail.trace("perceptron", **settings).frame
    assert delta["w"][: len(printed)].to_list() == printed["w"].to_list()
    assert delta["y"][: len(printed)].to_list() == printed["y"].to_list()


def test_a_sigmoid_unit_descends_the_cross_entropy() -> None:
    rows = random_rows("sigmoid")
    found = handrail.trace(
        "delta_rule", unit="sigmoid", table=rows.tolist(), passes=1, learning_rate=0.3
    ).frame
    for line in found.to_dicts():
        weights = torch.tensor(line["w"], dtype=torch.float64, requires_grad=True)
        total = weights @ torch.tensor(line["x"], dtype=torch.float64)
        functional.binary_cross_entropy_with_logits(total, torch.tensor(line["t"]).double()).backward()
        assert weights.grad is not None
        step = (np.array(line["w new"]) - line["w"]) / 0.3
        assert step == pytest.approx(-weights.grad.numpy(), abs=1e-9)


def test_the_passes_of_all_units_stand_side_by_side() -> None:
    trace = handrail.trace("delta_rule", passes=40, shown=7)
    passes = trace["Pass by pass"]
    assert passes["pass"].tolist() == [1, 7, 14, 21, 27, 33, 40]
    assert passes["heaviside"][-1] == 0
    assert passes["sigmoid"][0] > 2 * passes["sigmoid"][-1]
    first = trace["Row by row, a sigmoid unit"]["t − y"][:4]
    assert passes["sigmoid"][0] == pytest.approx((first**2).sum())
    (drawn,) = trace.pictures
    assert isinstance(drawn, Lines)
    assert drawn.curves["linear"][[0, -1]] == pytest.approx(passes["linear"][[0, -1]])


def test_a_rate_that_is_too_large_is_told() -> None:
    """A single row with ‖x‖² = 5: the error changes by the factor 1 − 5α, which is beyond −1 above 2/5."""
    settings = {"table": [[2, 1]], "passes": 200, "unit": "linear"}
    calm = handrail.trace("delta_rule", learning_rate=0.39, **settings)["Pass by pass"]
    wild = handrail.trace("delta_rule", learning_rate=0.41, weights=[1e6, 0], **settings)["Pass by pass"]
    assert calm["linear"][-1] < 1e-3
    assert "grown beyond" not in calm.note
    assert [column.name for column in calm.columns] == ["pass", "heaviside", "linear", "sigmoid"]
    beyond = handrail.trace("delta_rule", unit="linear", table=[[2, 7]])["Pass by pass"]
    assert [column.name for column in beyond.columns] == ["pass", "linear"]
    assert "safe below α = 2/‖x‖² = 0.4" in wild.note
    assert wild.columns[2].values[-1] is None


def test_a_sum_of_zero_is_answered_as_asked() -> None:
    """Lecture 002 prints 1 where the sum is 0, 003 and 004 print 0."""
    answers = [handrail.trace("delta_rule", unit="heaviside", at_zero=at).frame["y"][0] for at in (0, 1)]
    assert answers == [0, 1]
    remarks = " ".join(handrail.trace("delta_rule").remarks)
    assert "002 writes ŷ for the answer that is wanted" in remarks
    assert "A sum of exactly 0 is answered by 0" in remarks


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"table": [[1, 2, 1], [1, 0]]}, "rows of one length"),
        ({"table": [[1]]}, "one number or more and a target"),
        ({"table": [[1, 2]]}, "targets that a sigmoid unit cannot give"),
        ({"weights": [1, 2]}, "weights: found 2, expected 3"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        handrail.trace("delta_rule", **settings)

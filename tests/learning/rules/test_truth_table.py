"""Threshold units set from truth tables: every table comes out right, and what is no table is refused."""

import itertools
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import handrail
from handrail.components import build
from handrail.errors import RecipeError
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.truth_table import TruthTable
from handrail.objectives.objective import Objective

FOUR = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def _plan(task: str = "binary", penalties: tuple[str, ...] = ()) -> TrainingPlan:
    return TrainingPlan(task=task, objective=Objective("mse", penalties), epochs=1, steps=1, seed=0)


def _set(
    inputs: Tensor,
    targets: Tensor,
    *,
    task: str = "binary",
    outputs: int = 1,
    size: int = 3,
    hidden: Any = "auto",
) -> tuple[nn.Module, TruthTable]:
    model = build("model", {"mcculloch_pitts": {"hidden": hidden}}, inputs.shape[1], outputs)
    rule = TruthTable()
    rule.start(model, _plan(task))
    assert not rule.finished
    for start in range(0, len(inputs), size):
        rule.step(model, Batch(inputs[start : start + size], targets[start : start + size]))
    rule.end_epoch(model)
    assert rule.finished
    return model, rule


@pytest.mark.parametrize("table", list(itertools.product([0, 1], repeat=4)))
def test_all_functions_of_two_inputs(table: tuple[int, ...]) -> None:
    """McCulloch & Pitts 1943: all 16; 14 are one threshold unit, XOR and its opposite need a hidden layer."""
    model, rule = _set(FOUR, torch.tensor(table))
    assert (model(FOUR)[:, 0] > 0).int().tolist() == list(table)
    one = table not in ((0, 1, 1, 0), (1, 0, 0, 1))
    units = "one threshold unit" if one else "a layer of 2 hidden threshold units"
    assert rule.ending == f"set from a truth table of 4 rows: {units}"


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 5),
    share=st.floats(0.3, 1),
    seed=st.integers(0, 10**6),
    values=st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (3.0, 3.1), (-3.0, -0.5)]),
    outputs=st.sampled_from([1, 3]),
)
def test_every_table_comes_out_right(
    width: int, share: float, seed: int, values: tuple[float, float], outputs: int
) -> None:
    """Of any two values, whole or in part, for two classes and for labels; rows that were seen more than
    once, in any batches.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.tensor(list(itertools.product(values, repeat=width)))
    rows = rows[torch.rand(len(rows), generator=generator) <= share]
    if not len(rows):
        return
    targets = (torch.rand(len(rows), outputs, generator=generator) > 0.5).long()
    task, targets = ("binary", targets[:, 0]) if outputs == 1 else ("multi-label", targets.float())
    model, _ = _set(rows.repeat(2, 1), torch.cat([targets, targets]), task=task, outputs=outputs)
    assert torch.equal((model(rows) > 0).to(targets.dtype).squeeze(1), targets)


def test_classes_have_a_unit_each() -> None:
    rows = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)))
    targets = torch.arange(16) % 3
    model, _ = _set(rows, targets, task="multi-class", outputs=3)
    assert torch.equal(model(rows).argmax(dim=1), targets)


REFUSED = {
    "values": (torch.tensor([[0.5], [1.5], [2.5]]), [0, 1, 1], {}, "found 3 different values in input 1"),
    "contradiction": (
        torch.tensor([[0.0, 1.0], [0.0, 1.0]]),
        [0, 1],
        {},
        r"rows with equal inputs have different answers, such as those with \(0, 1\)",
    ),
    "layer": (
        FOUR,
        [0, 1, 1, 0],
        {"hidden": 0},
        r"needs 2 hidden units: model\.mcculloch_pitts\.hidden=2",
    ),
    "units": (FOUR, [0, 1, 1, 0], {"hidden": 1}, r"the table needs 2 hidden units, the model has 1: .*=2"),
    "many": (
        torch.arange(5000.0).unsqueeze(1),
        [0, 1] * 2500,
        {"hidden": 1},
        "more than 4,096 different rows",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_truth_table_is_refused(name: str) -> None:
    inputs, targets, arguments, text = REFUSED[name]
    with pytest.raises(RecipeError, match=rf"learning\.truth_table: .*{text}"):
        _set(inputs, torch.tensor(targets), size=5000, **arguments)


def test_other_models_tasks_weights_and_penalties_are_refused() -> None:
    model = build("model", "mcculloch_pitts", 2, 1)
    with pytest.raises(RecipeError, match="found a model of Linear; expected one or two layers of thre"):
        TruthTable().start(build("model", "linear", 2, 1), _plan())
    with pytest.raises(RecipeError, match="found the task 'regression', expected classes"):
        TruthTable().start(model, _plan("regression"))
    with pytest.raises(RecipeError, match=r"objective\.penalties: have no effect under"):
        TruthTable().start(model, _plan(penalties=("l2",)))
    rule = TruthTable()
    rule.start(model, _plan())
    with pytest.raises(RecipeError, match="weights of rows have no effect on a table"):
        rule.step(model, Batch(FOUR, torch.tensor([0, 1, 1, 0]), torch.ones(4)))


def _xor(times: int = 25) -> pl.DataFrame:
    rows = [(a, b, c, a ^ b) for a, b, c in itertools.product([0, 1], repeat=3)] * times
    return pl.DataFrame(rows, schema=["a", "b", "c", "y"], orient="row")


def test_a_fit_chooses_the_rule_and_has_all_rows_right(tmp_path: Path) -> None:
    """No gradient step: one epoch, set from the table; the report, a resume and an export as for others."""
    run = handrail.fit(
        _xor(), "y", changes={"model": "mcculloch_pitts", "evaluation.resamples": 100}, out=tmp_path / "run"
    )
    assert run.validation["accuracy"]["value"] == 1
    assert run.summary["training"]["epochs"] == 1
    answers = run.predict(_xor(1)).frame
    assert answers["prediction"].to_list() == _xor(1)["y"].to_list()


def test_a_gradient_rule_is_refused_with_the_one_that_fits(tmp_path: Path) -> None:
    changes = {"model": "mcculloch_pitts", "learning": "gradient"}
    with pytest.raises(RecipeError, match=r"cannot teach mcculloch_pitts; .* truth_table"):
        handrail.fit(_xor(), "y", changes=changes, out=tmp_path / "run")

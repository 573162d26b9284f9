"""The perceptron's rule against the lectures' printed traces, Novikoff's bound and its own promises."""

import copy
import math
from typing import Any, cast

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from handrail.components import build
from handrail.errors import RecipeError
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.rosenblatt import Rosenblatt
from handrail.models.linear import Linear
from handrail.objectives.objective import Objective

FOUR = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]


def _plan(task: str = "binary", penalties: tuple[str, ...] = ()) -> TrainingPlan:
    return TrainingPlan(task=task, objective=Objective("hinge", penalties), epochs=10, steps=1, seed=0)


def _perceptron(
    start: tuple[float, ...] = (0.0, 0.0, 0.0), *, rate: float = 1.0, units: int = 1
) -> tuple[Linear, Rosenblatt]:
    """A unit with weights as the lectures write them, the bias first."""
    model = build("model", "linear", len(start) - 1, units)
    with torch.no_grad():
        model.head.bias.fill_(start[0])
        model.head.weight.copy_(torch.tensor(start[1:]).expand(units, -1))
    rule = Rosenblatt(learning_rate=rate)
    rule.start(model, _plan("binary" if units == 1 else "multi-class"))
    return model, rule


def _weights(model: Linear) -> tuple[float, ...]:
    return (*model.head.bias.tolist(), *model.head.weight[0].tolist())


def _rows(rows: list[list[float]], targets: list[int]) -> Batch:
    return Batch(torch.tensor(rows), torch.tensor(targets))


def _epochs(model: nn.Module, rule: Rosenblatt, rows: Batch, *, most: int, size: int | None = None) -> int:
    """Repeats the rows until the rule has finished; the number of epochs."""
    size = size or len(rows)
    for number in range(1, most + 1):
        for start in range(0, len(rows), size):
            rule.step(model, rows.cut(start, start + size))
        rule.end_epoch(model)
        if rule.finished:
            return number
    return most + 1


def test_or_step_by_step_as_printed() -> None:
    """Lecture 004, from w = (0, 1, 0) with η = 1; the weights before each row, and those at the end."""
    model, rule = _perceptron((0, 1, 0))
    printed = [
        (0, 1, 0),
        (0, 1, 0),
        (1, 1, 1),
        (1, 1, 1),
        (1, 1, 1),
        (0, 1, 1),
        (0, 1, 1),
        (0, 1, 1),
        (0, 1, 1),
    ]
    for number, weights in enumerate(printed):
        assert _weights(model) == weights, number
        rule.step(model, _rows([FOUR[number % 4]], [[0, 1, 1, 1][number % 4]]))
    assert _weights(model) == (0, 1, 1)


AND_003 = [  # the weights (b, x₁, x₂) after each row of each pass, rows in the lecture's order
    [(1, 1, 1), (0, 0, 1), (-1, 0, 0), (-1, 0, 0)],
    [(0, 1, 1), (-1, 0, 1), (-1, 0, 1), (-1, 0, 1)],
    [(0, 1, 2), (-1, 0, 2), (-2, 0, 1), (-2, 0, 1)],
    [(-1, 1, 2), (-1, 1, 2), (-2, 1, 1), (-2, 1, 1)],
    [(-1, 2, 2), (-2, 1, 2), (-2, 1, 2), (-2, 1, 2)],
    [(-2, 1, 2)] * 4,
]


def test_and_step_by_step_as_printed() -> None:
    """Lecture 003, from w = (0, 0, 0): it prints the first two steps, the others are computed from its rule;
    the sixth pass changes nothing, and training ends.
    """
    model, rule = _perceptron()
    for number, passed in enumerate(AND_003):
        assert not rule.finished
        for x, target, weights in zip(FOUR[::-1], [1, 0, 0, 0], passed, strict=True):
            # The lecture's order is (1, 1), (1, 0), (0, 1), (0, 0).
            rule.step(model, _rows([x], [target]))
            assert _weights(model) == weights, number
        rule.end_epoch(model)
    assert rule.finished
    assert rule.passes == 6


@pytest.mark.parametrize(
    ("name", "targets"), [("or", [0, 1, 1, 1]), ("and", [0, 0, 0, 1]), ("nand", [1, 1, 1, 0])]
)
def test_separable_truth_tables_are_learned_and_training_ends(name: str, targets: list[int]) -> None:
    model, rule = _perceptron((0, 1, 0))
    assert _epochs(model, rule, _rows(FOUR, targets), most=20) <= 20
    assert ((model(torch.tensor(FOUR))[:, 0] > 0).int().tolist()) == targets


def test_xor_ends_when_a_pass_brings_back_weights_that_it_had() -> None:
    """Minsky & Papert 1969: the weights stay bounded, so that whole numbers come back; here in pass 3."""
    model, rule = _perceptron()
    assert _epochs(model, rule, _rows(FOUR, [0, 1, 1, 0]), most=200) == 3
    assert not rule.separated
    proof = "pass 3 brought back weights that an earlier one had"
    assert rule.ending == f"the classes are not linearly separable (proven: {proof})"
    assert float(rule.step(model, _rows(FOUR, [0, 1, 1, 0]))["errors"]) > 0


def _shuffled(
    start: tuple[float, ...], rows: Batch, *, most: int, seed: int = 0, rate: float = 1.0
) -> tuple[Rosenblatt, int]:
    model, rule = _perceptron(start, rate=rate)
    generator = torch.Generator().manual_seed(seed)
    for number in range(1, most + 1):
        rule.step(model, rows.take(torch.randperm(len(rows), generator=generator)))
        rule.end_epoch(model)
        if rule.finished:
            return rule, number
    return rule, most


@pytest.mark.parametrize("seed", range(5))
def test_weights_that_come_back_are_a_proof_in_any_order_of_rows(seed: int) -> None:
    """Where a hyperplane separates, each change raises w·w*: no order brings weights back."""
    start = (0.3, -0.7, 0.1)  # rounded at first; whole steps are exact once the last digits are gone
    rule, _ = _shuffled(start, _rows(FOUR, [0, 1, 1, 0]), most=200, seed=seed)
    assert rule.came_back
    for gate in ([0, 1, 1, 1], [0, 0, 0, 1], [1, 0, 0, 0]):
        rule, _ = _shuffled(start, _rows(FOUR, gate), most=200, seed=seed)
        assert rule.separated
        assert not rule.came_back


def test_weights_before_an_interruption_may_come_back_after_it() -> None:
    model, rule = _perceptron()
    rows = _rows(FOUR, [0, 1, 1, 0])
    _epochs(model, rule, rows, most=2)
    twin = copy.deepcopy(model)
    successor = Rosenblatt()
    successor.start(twin, _plan())
    successor.load_state_dict(copy.deepcopy(rule.state_dict()))
    assert _epochs(twin, successor, rows, most=1) == 1
    assert successor.came_back
    assert successor.passes == 3


def test_rounding_is_never_taken_for_weights_that_come_back() -> None:
    """Beside w = 10⁸ a change by 1 is rounded away: the weights stay, although the classes are separable."""
    rows = _rows([[1.0], [2.0]], [0, 1])
    rule, passes = _shuffled((1e8, 1e8), rows, most=30)
    assert passes == 30
    assert not rule.finished
    assert rule.remark().startswith("; the classes are linearly separable (margin γ = ")


def test_a_row_without_weight_is_no_error_and_changes_nothing() -> None:
    model, rule = _perceptron()
    rows = Batch(torch.tensor(FOUR), torch.tensor([0, 1, 1, 0]), torch.tensor([1.0, 1.0, 1.0, 0.0]))
    _epochs(model, rule, rows, most=50)
    assert rule.separated


def test_what_is_said_after_the_last_pass() -> None:
    """Not separated after N passes: proven not to be separable, or with the margin, or unknown."""
    noisy = torch.randn(40, 2, generator=torch.Generator().manual_seed(1))
    model, rule = _perceptron()
    _epochs(model, rule, Batch(noisy, torch.arange(40) % 2), most=3)
    proof = "the classes are not linearly separable (proven by a linear programme)"
    assert rule.remark() == f"; not separated after 3 passes: {proof}"
    model, rule = _perceptron()
    _epochs(model, rule, _rows(FOUR, [0, 0, 0, 1]), most=1)
    margin = "(margin γ = 0.243; from w = 0 at most 51 changes are needed)"
    text = f"the classes are linearly separable {margin}, but not yet separated after 1 pass: train longer"
    assert rule.remark() == f"; {text}"
    rule.load_state_dict(rule.state_dict())
    rule._rows = None
    unknown = "perhaps the classes are not linearly separable"
    assert rule.remark() == f"; not separated after 1 pass: {unknown}"


@settings(max_examples=60, deadline=None)
@given(
    points=st.lists(st.tuples(*[st.integers(-8, 8)] * 3), min_size=2, max_size=25, unique=True),
    plane=st.tuples(st.integers(-5, 5), *[st.integers(-5, 5)] * 3).filter(lambda plane: any(plane[1:])),
    rate=st.sampled_from([0.25, 1.0, 4.0]),
)
def test_changes_stay_within_novikoffs_bound(
    points: list[tuple[int, ...]], plane: tuple[int, ...], rate: float
) -> None:
    """At most (R/γ)² changes from w = 0 wherever a plane separates the classes with margin γ; then no error
    is left.
    """
    rows = [[float(value) for value in point] for point in points]
    sides = [plane[0] + sum(w * x for w, x in zip(plane[1:], row, strict=True)) for row in rows]
    assume(all(sides))
    targets = [int(side > 0) for side in sides]
    margin = min(abs(side) for side in sides) / math.hypot(*plane)
    bound = (1 + max(sum(x * x for x in row) for row in rows)) / margin**2
    model, rule = _perceptron((0, 0, 0, 0), rate=rate)
    changes = 0
    for _ in range(int(bound) + 2):
        wrong = round(float(rule.step(model, _rows(rows, targets))["errors"]) * len(rows))
        rule.end_epoch(model)
        changes += wrong
        assert changes <= bound
        if rule.finished:
            break
    assert rule.finished
    assert ((model(torch.tensor(rows))[:, 0] > 0).int().tolist()) == targets


def _clusters(classes: int, rows: int = 60) -> Batch:
    """Classes around the corners of a regular polygon, well apart, in no order."""
    generator = torch.Generator().manual_seed(classes)
    targets = torch.arange(rows) % classes
    angles = targets * (2 * math.pi / classes)
    inputs = torch.stack([angles.cos(), angles.sin()], dim=1) * 3 + 0.3 * torch.randn(
        rows, 2, generator=generator
    )
    return Batch(inputs, targets)


@pytest.mark.parametrize("classes", [3, 5])
def test_several_classes(classes: int) -> None:
    rows = _clusters(classes)
    model, rule = _perceptron(units=classes)
    assert _epochs(model, rule, rows, most=100) <= 100
    assert torch.equal(model(rows.inputs).argmax(dim=1), rows.targets)


def test_the_true_class_gains_what_the_winner_loses() -> None:
    model, rule = _perceptron(units=3, rate=0.5)
    rule.step(model, _rows([[2.0, -4.0]], [2]))  # all scores are 0: the first class wins
    assert model.head.weight.tolist() == [[-1.0, 2.0], [0.0, 0.0], [1.0, -2.0]]
    assert model.head.bias.tolist() == [-0.5, 0.0, 0.5]


@pytest.mark.parametrize("units", [1, 4])
@pytest.mark.parametrize("size", [1, 7, 59])
def test_the_batch_size_changes_no_bit(units: int, size: int) -> None:
    rows = _clusters(units + 1 if units == 1 else units)
    noisy = Batch(
        rows.inputs + torch.randn(rows.inputs.shape, generator=torch.Generator().manual_seed(1)), rows.targets
    )
    whole, cut = _perceptron(units=units, rate=0.3), _perceptron(units=units, rate=0.3)
    _epochs(*whole, noisy, most=5)
    _epochs(*cut, noisy, most=5, size=size)
    assert torch.equal(whole[0].head.weight, cut[0].head.weight)
    assert torch.equal(whole[0].head.bias, cut[0].head.bias)


def test_one_right_epoch_in_two_halves_is_needed_to_finish() -> None:
    """An error in the first batch of an epoch counts although the last batch had none."""
    model, rule = _perceptron()
    rule.step(model, _rows([[1.0, 1.0]], [1]))
    rule.step(model, _rows([[1.0, 1.0]], [1]))
    rule.end_epoch(model)
    assert not rule.finished
    rule.step(model, _rows([[1.0, 1.0]], [1]))
    rule.end_epoch(model)
    assert rule.finished


def test_errors_before_an_interruption_count_after_it() -> None:
    model, rule = _perceptron()
    rule.step(model, _rows([[1.0, 1.0]], [1]))
    successor = Rosenblatt()
    successor.start(model, _plan())
    successor.load_state_dict(rule.state_dict())
    successor.step(model, _rows([[1.0, 1.0]], [1]))
    successor.end_epoch(model)
    assert not successor.finished


def test_a_rows_weight_multiplies_its_rate() -> None:
    model, rule = _perceptron()
    batch = _rows([[1.0, 2.0]], [1])
    rule.step(model, Batch(batch.inputs, batch.targets, torch.tensor([3.0])))
    assert _weights(model) == (3, 3, 6)


@pytest.mark.parametrize("task", ["regression", "multi-label"])
def test_tasks_without_classes_are_refused(task: str) -> None:
    with pytest.raises(RecipeError, match=f"learning.rosenblatt: found the task '{task}', expected classes"):
        Rosenblatt().start(nn.Linear(2, 1), _plan(task))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)), "Linear, Linear"),
        (nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), "Linear, LayerNorm"),
        (nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 1)), "Dropout, Linear"),
        (nn.Linear(2, 1, bias=False), "Linear"),
        (nn.Identity(), "nothing"),
        (build("model", {"mlp": {"hidden": [], "weight_noise": 0.1}}, 2, 1), "NoisyLinear"),
        (build("model", {"mlp": {"hidden": [], "input_noise": 0.1}}, 2, 1), "GaussianNoise, Linear"),
    ],
)
def test_anything_but_a_single_layer_is_refused(model: nn.Module, name: str) -> None:
    with pytest.raises(
        RecipeError,
        match=rf"found a model of {name}; expected one linear layer with a bias \(model: linear\)",
    ):
        Rosenblatt().start(model, _plan())


def test_penalties_which_it_would_ignore_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"objective\.penalties: have no effect under learning\.rosenblatt"):
        Rosenblatt().start(nn.Linear(2, 1), _plan(penalties=("l2",)))


def test_a_network_without_hidden_layers_is_a_perceptron_too() -> None:
    model = build("model", {"mlp": {"hidden": []}}, 2, 1)
    rule = Rosenblatt()
    rule.start(model, _plan())
    assert _epochs(model, rule, _rows(FOUR, [0, 1, 1, 1]), most=50) <= 50


def test_same_answers_as_scikit_learns_perceptron() -> None:
    """Rows in order, η = 1, from zero: the same weights after the same epochs, on classes that overlap.

    At a score of exactly 0 its rule differs (it always changes the weights); only the first row has one here.
    """
    from sklearn.linear_model import Perceptron

    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(80, 3, generator=generator)
    targets = ((inputs.sum(dim=1) + torch.randn(80, generator=generator)) > 0).long()
    targets[0] = 1
    model, rule = _perceptron((0, 0, 0, 0))
    _epochs(model, rule, Batch(inputs, targets), most=4)
    theirs: Any = Perceptron(shuffle=False, tol=cast(Any, None), max_iter=4)
    theirs.fit(inputs.numpy(), targets.numpy())
    assert model.head.weight[0].tolist() == pytest.approx(theirs.coef_[0].tolist(), rel=1e-4)
    assert model.head.bias.item() == pytest.approx(theirs.intercept_[0])

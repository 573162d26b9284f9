"""The closed form against NumPy's and scikit-learn's."""

from typing import TypeVar

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import Tensor, nn

from handrail.components import build
from handrail.errors import RecipeError
from handrail.layers.precision import Lowered
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.least_squares import LeastSquares
from handrail.models.linear import Linear
from handrail.objectives.objective import Objective

ROWS = 200

Model = TypeVar("Model", bound=nn.Module)


def _plan(task: str = "regression", penalties: tuple[str, ...] = ()) -> TrainingPlan:
    return TrainingPlan(task=task, objective=Objective("mse", penalties), epochs=1, steps=1, seed=0)


def _learned(
    model: Model, rows: Batch, *, task: str = "regression", ridge: float = 0.0, size: int = ROWS
) -> Model:
    """The model after one pass, in double precision so that figures can be compared closely."""
    model = model.double()
    rule = LeastSquares(ridge=ridge)
    rule.start(model, _plan(task))
    for start in range(0, len(rows), size):
        rule.step(model, rows.cut(start, start + size))
    assert not rule.finished
    rule.end_epoch(model)
    assert rule.finished
    return model


def _inputs(columns: int = 4, rows: int = ROWS) -> Tensor:
    return torch.randn(rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def _values(inputs: Tensor, outputs: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(inputs.shape[1], outputs, dtype=torch.float64, generator=generator)
    return (
        inputs.sin() @ weights
        + 2
        + 0.1 * torch.randn(len(inputs), outputs, dtype=torch.float64, generator=generator)
    )


def _with_ones(inputs: Tensor) -> np.ndarray:
    return np.column_stack([inputs.numpy(), np.ones(len(inputs))])


def _linear(inputs: int, outputs: int) -> Linear:
    torch.manual_seed(0)
    return build("model", "linear", inputs, outputs)


def _ridge(
    features: np.ndarray, targets: np.ndarray, share: float, weights: np.ndarray | None = None
) -> Ridge:
    """scikit-learn's ridge with the alpha that our share stands for."""
    phi = np.column_stack([features, np.ones(len(features))])
    scaled = phi**2 if weights is None else weights[:, None] * phi**2
    return Ridge(alpha=share * scaled.sum(axis=0).mean()).fit(features, targets, sample_weight=weights)


def test_regression_with_several_outputs_is_numpys_least_squares() -> None:
    inputs = _inputs()
    targets = _values(inputs)
    model = _learned(_linear(4, 3), Batch(inputs, targets))
    expected = np.linalg.lstsq(_with_ones(inputs), targets.numpy(), rcond=None)[0]
    np.testing.assert_allclose(model.head.weight.detach().numpy().T, expected[:-1], atol=1e-10)
    np.testing.assert_allclose(model.head.bias.detach().numpy(), expected[-1], atol=1e-10)


@pytest.mark.parametrize("share", [1e-6, 0.05, 2.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_ridge_is_scikit_learns_and_spares_the_bias(share: float, weighted: bool) -> None:
    inputs = _inputs() + torch.tensor([0.0, 5.0, -3.0, 0.0])
    targets = _values(inputs)
    weights = (
        torch.rand(ROWS, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
        if weighted
        else None
    )
    model = _learned(_linear(4, 3), Batch(inputs, targets, weights), ridge=share)
    theirs = _ridge(inputs.numpy(), targets.numpy(), share, None if weights is None else weights.numpy())
    np.testing.assert_allclose(model.head.weight.detach().numpy(), theirs.coef_, atol=1e-8)
    np.testing.assert_allclose(model.head.bias.detach().numpy(), theirs.intercept_, atol=1e-8)


def test_a_weight_counts_as_so_many_rows() -> None:
    inputs = _inputs(rows=30)
    targets, counts = _values(inputs), torch.arange(30) % 3
    repeated = Batch(inputs.repeat_interleave(counts, dim=0), targets.repeat_interleave(counts, dim=0))
    weighted = _learned(_linear(4, 3), Batch(inputs, targets, counts.float()))
    torch.testing.assert_close(
        weighted.head.weight, _learned(_linear(4, 3), repeated).head.weight, rtol=0, atol=1e-10
    )


@pytest.mark.parametrize(("task", "outputs"), [("binary", 1), ("multi-class", 3), ("multi-label", 3)])
def test_classes_are_minus_one_and_one(task: str, outputs: int) -> None:
    inputs = _inputs()
    scores = _values(inputs, outputs)
    scores = scores - scores.mean(dim=0)
    signs = torch.where(scores > 0, 1.0, -1.0).double()
    targets = (scores > 0).double() if task == "multi-label" else (scores[:, 0] > 0).long()
    if task == "multi-class":
        targets = scores.argmax(dim=1)
        signs = 2 * nn.functional.one_hot(targets, 3).double() - 1
    model = _learned(_linear(4, outputs), Batch(inputs, targets), task=task)
    expected = np.linalg.lstsq(_with_ones(inputs), signs.numpy(), rcond=None)[0]
    np.testing.assert_allclose(model.head.weight.detach().numpy().T, expected[:-1], atol=1e-10)
    answers = model(inputs)
    right = (answers.argmax(dim=1) == targets) if task == "multi-class" else ((answers > 0) == (signs > 0))
    assert right.double().mean() > 0.8


@pytest.mark.parametrize("activation", ["sigmoid", "heaviside", "relu"])
def test_random_features_then_ridge_is_the_extreme_learning_machine(activation: str) -> None:
    """Huang, Zhu & Siew 2006: the hidden layer keeps its first weights; the last is ridge regression on what
    it gives. No gradient is needed.
    """
    inputs = _inputs()
    targets = _values(inputs)
    torch.manual_seed(0)
    model = build("model", {"mlp": {"hidden": [40], "activation": activation}}, 4, 3).double()
    before = model.features[0].weight.detach().clone()
    features = model.features(inputs).detach().numpy()
    linear = np.square(
        _learned(_linear(4, 3), Batch(inputs, targets))(inputs).detach().numpy() - targets.numpy()
    ).mean()
    _learned(model, Batch(inputs, targets), ridge=1e-4)
    theirs = _ridge(features, targets.numpy(), 1e-4)
    np.testing.assert_allclose(model(inputs).detach().numpy(), theirs.predict(features), atol=1e-8)
    assert torch.equal(model.features[0].weight, before)
    assert np.square(model(inputs).detach().numpy() - targets.numpy()).mean() < 0.8 * linear


@pytest.mark.parametrize("size", [1, 7, 64])
def test_neither_batches_nor_order_matter(size: int) -> None:
    inputs = _inputs()
    rows, order = (
        Batch(inputs, _values(inputs)),
        torch.randperm(ROWS, generator=torch.Generator().manual_seed(4)),
    )
    whole = _learned(_linear(4, 3), rows, ridge=1e-6)
    cut = _learned(_linear(4, 3), rows.take(order), ridge=1e-6, size=size)
    torch.testing.assert_close(whole.head.weight, cut.head.weight, rtol=0, atol=1e-9)
    torch.testing.assert_close(whole.head.bias, cut.head.bias, rtol=0, atol=1e-9)


@pytest.mark.parametrize("ridge", [0.0, 1e-6])
def test_columns_that_depend_on_each_other_do_no_harm(ridge: float) -> None:
    """A full one-hot beside the bias, a column twice in other units, a constant and an empty one."""
    plain = _inputs(2)
    onehot = nn.functional.one_hot(torch.arange(ROWS) % 5, 5).double()
    extra = torch.stack([3 * plain[:, 0] - 7, torch.full((ROWS,), 4.0), torch.zeros(ROWS)], dim=1)
    # Rounded to single precision, as encoded tables are.
    inputs = torch.cat([plain, onehot, extra], dim=1).float()
    targets = _values(torch.cat([plain, onehot], dim=1)).float()
    model = _learned(_linear(10, 3).float(), Batch(inputs.double(), targets.double()), ridge=ridge)
    phi = np.column_stack([plain.numpy(), onehot.numpy()])
    expected = phi @ np.linalg.lstsq(phi, targets.double().numpy(), rcond=None)[0]
    np.testing.assert_allclose(model(inputs.double()).detach().numpy(), expected, atol=1e-4)
    assert model.head.weight.abs().max() < 10


def test_columns_in_very_different_units_all_count() -> None:
    inputs = _inputs(3)
    targets = _values(inputs)
    scale = torch.tensor([1e6, 1.0, 1e-5], dtype=torch.float64)
    model = _learned(_linear(3, 3), Batch(inputs * scale, targets))
    expected = _learned(_linear(3, 3), Batch(inputs, targets))
    torch.testing.assert_close(model(inputs * scale), expected(inputs), rtol=0, atol=1e-8)


def test_the_measured_loss_is_that_before_the_solution() -> None:
    inputs = _inputs()
    targets, model, rule = _values(inputs), _linear(4, 3).double(), LeastSquares()
    rule.start(model, _plan())
    expected = nn.functional.mse_loss(model(inputs), targets).item()
    assert rule.step(model, Batch(inputs, targets))["loss"].item() == pytest.approx(expected)


class _Squashed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x).tanh()


@pytest.mark.parametrize("model", [nn.Sequential(nn.Linear(4, 3), nn.Sigmoid()), _Squashed()])
def test_models_that_do_not_end_in_a_linear_layer_are_refused(model: nn.Module) -> None:
    rule = LeastSquares()
    rule.start(model, _plan())
    with pytest.raises(RecipeError, match="the model's answer is not its last linear layer's"):
        rule.step(model, Batch(_inputs().float(), _values(_inputs()).float()))


def test_models_without_a_linear_layer_are_refused() -> None:
    with pytest.raises(RecipeError, match="the model has no linear layer; expected one at its end"):
        LeastSquares().start(nn.Conv1d(1, 1, 1), _plan())


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"dropout": 0.5}, "Dropout"),
        ({"input_noise": 0.1}, "GaussianNoise"),
        ({"weight_noise": 0.1}, "NoisyLinear"),
        ({"normalisation": "batch"}, "BatchNormRows"),
    ],
)  # fmt: skip
def test_layers_that_would_do_nothing_are_refused(settings: dict[str, object], name: str) -> None:
    with pytest.raises(RecipeError, match=rf"learning\.least_squares: {name} would have no effect"):
        LeastSquares().start(build("model", {"mlp": settings}, 4, 3), _plan())


def test_features_are_those_of_evaluation() -> None:
    """RReLU draws its slope at random in training."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 20), nn.RReLU(), nn.Linear(20, 3)).double()
    inputs = _inputs()
    features = model[:2].eval()(inputs).detach().numpy()
    targets = _values(inputs)
    model.train()
    _learned(model, Batch(inputs, targets), ridge=1e-4)
    assert all(layer.training for layer in model)
    expected = _ridge(features, targets.numpy(), 1e-4).predict(features)
    np.testing.assert_allclose(model.eval()(inputs).detach().numpy(), expected, atol=1e-8)


def test_penalties_which_it_would_ignore_are_refused() -> None:
    with pytest.raises(
        RecipeError, match=r"objective\.penalties: have no effect under learning\.least_squares"
    ):
        LeastSquares().start(_linear(4, 3), _plan(penalties=("l2",)))


def test_a_value_that_is_no_number_is_not_blamed_on_the_model() -> None:
    """The engine then says what is wrong with the loss."""
    rule, model, inputs = LeastSquares(), _linear(4, 3), _inputs().float()
    targets = _values(_inputs()).float()
    inputs[3, 1] = torch.nan
    rule.start(model, _plan())
    assert rule.step(model, Batch(inputs, targets))["loss"].isnan()


def test_a_ridge_for_each_epoch_from_the_strongest_on() -> None:
    """Each solution is scikit-learn's; the loss is that of the solution before, without another pass."""
    inputs = _inputs()
    targets = _values(inputs)
    weights = torch.rand(ROWS, generator=torch.Generator().manual_seed(2), dtype=torch.float64) + 0.1
    model = _linear(4, 3).double()
    rule = LeastSquares(ridge="auto")
    rule.start(model, _plan())
    before = None
    for power in range(13):
        assert not rule.finished
        measured = rule.step(model, Batch(inputs, targets, weights))
        if before is not None:
            np.testing.assert_allclose(float(measured["loss"]), before, rtol=1e-9)
        rule.end_epoch(model)
        theirs = _ridge(inputs.numpy(), targets.numpy(), 10.0**-power, weights.numpy())
        np.testing.assert_allclose(model(inputs).detach().numpy(), theirs.predict(inputs.numpy()), atol=1e-8)
        errors = (model(inputs) - targets).detach().square()
        before = float((errors * weights[:, None]).sum() / (3 * weights.sum()))
    assert rule.finished
    rule.step(model, Batch(inputs, targets, weights))  # a step more changes nothing
    rule.end_epoch(model)
    assert rule.tried == 13


def test_it_goes_on_where_it_was_among_the_ridges() -> None:
    inputs = _inputs()
    batch = Batch(inputs, _values(inputs))
    rules = [LeastSquares(ridge="auto"), LeastSquares(ridge="auto")]
    models = [_linear(4, 3).double(), _linear(4, 3).double()]
    for rule, model in zip(rules, models, strict=True):
        rule.start(model, _plan())
    for _ in range(3):
        rules[0].step(models[0], batch)
        rules[0].end_epoch(models[0])
    rules[1].load_state_dict(rules[0].state_dict())
    models[1].load_state_dict(models[0].state_dict())
    for rule, model in zip(rules, models, strict=True):
        rule.step(model, batch)
        rule.end_epoch(model)
    assert torch.equal(models[0].head.weight, models[1].head.weight)


def test_features_in_half_the_bits_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that computes in bfloat16 still ends in its last layer."""
    monkeypatch.setattr("handrail.layers.precision.has_fast_bfloat16", lambda *_: True)
    torch.manual_seed(0)
    model = Lowered(build("model", {"mlp": {"hidden": [20]}}, 4, 3))
    inputs = _inputs().float()
    rule = LeastSquares(ridge=1e-2)
    rule.start(model, _plan())
    rule.step(model, Batch(inputs, _values(inputs.double()).float()))
    rule.end_epoch(model)
    assert model(inputs).isfinite().all()

"""Losses against NumPy formulas and torch's own functions, and their slopes against finite differences."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from beartype import beartype
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import jaxtyped
from torch import Tensor
from torch.nn import functional

from handrail.components import available, build
from handrail.errors import RecipeError
from handrail.recipe.alone import LONE_TASKS

ROWS = 17
TASKS = {"binary": 1, "multi-class": 4, "multi-label": 3, "regression": 2}
PAIRS = [(name, task) for name, entry in available("loss").items() for task in TASKS if task in entry.tasks]


def _case(task: str, seed: int = 0, rows: int = ROWS) -> tuple[Tensor, Tensor]:
    """Outputs and targets of a task; float64, so that formulas agree to the last digits."""
    source = torch.Generator().manual_seed(seed)
    width = TASKS[task]
    outputs = 2 * torch.randn(rows, width, dtype=torch.float64, generator=source)
    if task == "regression":
        return outputs, torch.randn(rows, width, dtype=torch.float64, generator=source)
    if task == "multi-label":
        return outputs, torch.randint(0, 2, (rows, width), generator=source).double()
    return outputs, torch.randint(0, max(width, 2), (rows,), generator=source)


def _loss(name: str, **arguments: Any) -> Any:
    return build("loss", {name: arguments})


def _probabilities(outputs: Tensor) -> np.ndarray:
    """Of all classes, two in a binary task: [rows, classes]."""
    scores = outputs.numpy()
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def _one_hot(targets: Tensor, classes: int) -> np.ndarray:
    return np.eye(classes)[targets.numpy()]


def test_every_loss_serves_a_task() -> None:
    others = {
        name
        for name, entry in available("loss").items()
        if entry.tasks
        & {"mask", "boxes", "bit-sequence", "next-token", "sequence", "text-to-image", *LONE_TASKS}
    }
    assert {name for name, _ in PAIRS} | others == set(available("loss"))


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_one_finite_value_a_row_whatever_the_other_rows(name: str, task: str) -> None:
    outputs, targets = _case(task)
    loss = jaxtyped(typechecker=beartype)(available("loss")[name].target)
    values = loss(outputs.float(), targets.float() if targets.is_floating_point() else targets)
    assert values.shape == (ROWS,)
    assert values.isfinite().all()
    alone = torch.cat([loss(outputs[i : i + 1].float(), _single(targets, i)) for i in range(ROWS)])
    torch.testing.assert_close(values, alone)


def _single(targets: Tensor, row: int) -> Tensor:
    part = targets[row : row + 1]
    return part.float() if part.is_floating_point() else part


@pytest.mark.parametrize(("name", "task"), PAIRS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_slopes_equal_finite_differences(name: str, task: str, seed: int) -> None:
    outputs, targets = _case(task, seed, rows=3)
    loss = _loss(name)
    outputs.requires_grad_()
    (slope,) = torch.autograd.grad(loss(outputs, targets).sum(), outputs)
    step = 1e-6
    for index in np.ndindex(*outputs.shape):
        moved = torch.zeros_like(outputs)
        moved[index] = step
        high, low = (loss(outputs.detach() + sign * moved, targets).sum().item() for sign in (1, -1))
        assert slope[index].item() == pytest.approx((high - low) / (2 * step), abs=1e-6)


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_extreme_scores_stay_finite(name: str, task: str) -> None:
    outputs, targets = _case(task)
    outputs = (outputs.sign() * 1e4).float().requires_grad_()
    values = _loss(name)(outputs, targets.float() if targets.is_floating_point() else targets)
    values.sum().backward()
    assert values.isfinite().all()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()


def test_mse() -> None:
    outputs, targets = _case("regression")
    np.testing.assert_allclose(
        _loss("mse")(outputs, targets), ((outputs - targets).numpy() ** 2).mean(axis=1)
    )
    outputs, targets = _case("multi-class")
    expected = ((_probabilities(outputs) - _one_hot(targets, 4)) ** 2).mean(axis=1)
    np.testing.assert_allclose(_loss("mse")(outputs, targets), expected)
    outputs, targets = _case("binary")
    np.testing.assert_allclose(
        _loss("mse")(outputs, targets), (_probabilities(outputs)[:, 1] - targets.numpy()) ** 2
    )


def test_mae_and_huber() -> None:
    outputs, targets = _case("regression")
    error = np.abs((outputs - targets).numpy())
    np.testing.assert_allclose(_loss("mae")(outputs, targets), error.mean(axis=1))
    expected = np.where(error <= 0.7, error**2 / 2, 0.7 * (error - 0.35)).mean(axis=1)
    np.testing.assert_allclose(_loss("huber", delta=0.7)(outputs, targets), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropies(smoothing: float) -> None:
    outputs, targets = _case("multi-class")
    expected = (1 - smoothing) * _one_hot(targets, 4) + smoothing / 4
    np.testing.assert_allclose(
        _loss("cross_entropy", label_smoothing=smoothing)(outputs, targets),
        -(expected * np.log(_probabilities(outputs))).sum(axis=1),
    )
    for task in ("binary", "multi-label"):
        outputs, targets = _case(task)
        p = 1 / (1 + np.exp(-outputs.numpy()))
        t = targets.numpy().reshape(p.shape) * (1 - smoothing) + smoothing / 2
        np.testing.assert_allclose(
            _loss("binary_cross_entropy", label_smoothing=smoothing)(outputs, targets),
            -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(axis=1),
        )


def test_kl_divergence_is_cross_entropy_less_the_targets_entropy() -> None:
    for task, classes in (("binary", 2), ("multi-class", 4)):
        outputs, targets = _case(task)
        t, p = 0.9 * _one_hot(targets, classes) + 0.1 / classes, _probabilities(outputs)
        np.testing.assert_allclose(
            _loss("kl_divergence", label_smoothing=0.1)(outputs, targets),
            (t * np.log(t / p)).sum(axis=1),
            atol=1e-12,
        )
        plain = _loss("binary_cross_entropy" if task == "binary" else "cross_entropy")
        torch.testing.assert_close(_loss("kl_divergence")(outputs, targets), plain(outputs, targets))


def test_kl_divergence_is_zero_where_both_agree() -> None:
    outputs, _ = _case("multi-class")
    np.testing.assert_allclose(
        _loss("kl_divergence")(outputs, outputs.softmax(dim=1)), np.zeros(ROWS), atol=1e-12
    )


def test_negative_log_likelihood() -> None:
    outputs, targets = _case("regression")
    normal = torch.distributions.Normal(outputs, 1.7)
    torch.testing.assert_close(
        _loss("negative_log_likelihood", std=1.7)(outputs, targets), -normal.log_prob(targets).sum(dim=1)
    )
    outputs, targets = _case("multi-class")
    torch.testing.assert_close(
        _loss("negative_log_likelihood")(outputs, targets),
        functional.nll_loss(outputs.log_softmax(1), targets, reduction="none"),
    )
    outputs, targets = _case("binary")
    bernoulli = torch.distributions.Bernoulli(logits=outputs[:, 0])
    torch.testing.assert_close(
        _loss("negative_log_likelihood")(outputs, targets), -bernoulli.log_prob(targets.double())
    )


@pytest.mark.parametrize("squared", [False, True])
def test_hinge(squared: bool) -> None:
    power = 2 if squared else 1
    for task in ("binary", "multi-label"):
        outputs, targets = _case(task)
        t = 2 * targets.numpy().reshape(outputs.shape) - 1
        expected = (np.maximum(0, 0.8 - t * outputs.numpy()) ** power).mean(axis=1)
        np.testing.assert_allclose(_loss("hinge", margin=0.8, squared=squared)(outputs, targets), expected)
    outputs, targets = _case("multi-class")
    scores, true = outputs.numpy(), targets.numpy()
    crammer = [max(0.0, 1 + max(np.delete(s, y)) - s[y]) ** power for s, y in zip(scores, true, strict=True)]
    np.testing.assert_allclose(_loss("hinge", squared=squared)(outputs, targets), crammer)
    t = 2 * _one_hot(targets, 4) - 1
    rest = (np.maximum(0, 1 - t * scores) ** power).sum(axis=1)
    np.testing.assert_allclose(
        _loss("hinge", squared=squared, multi_class="one_vs_rest")(outputs, targets), rest
    )


def test_label_smoothing_moves_the_best_score_inside() -> None:
    """The minimum over the score lies where the probability equals the smoothed target."""
    scores = torch.linspace(-10, 10, 20_001, dtype=torch.float64).unsqueeze(1)
    values = _loss("binary_cross_entropy", label_smoothing=0.1)(
        scores, torch.ones(len(scores), dtype=torch.int64)
    )
    assert scores[values.argmin()].item() == pytest.approx(math.log(0.95 / 0.05), abs=1e-3)


@pytest.mark.parametrize("name", ["mse", "mae", "huber", "negative_log_likelihood", "binary_cross_entropy"])
def test_shapes_that_torch_would_stretch_are_refused(name: str) -> None:
    outputs, _ = _case("regression")
    with pytest.raises(RecipeError, match=r"outputs have shape \[17, 2\] and the targets \[17, 1\]"):
        _loss(name)(outputs, torch.zeros(ROWS, 1, dtype=torch.float64))


@pytest.mark.parametrize(
    "name", ["mse", "mae", "huber", "negative_log_likelihood", "binary_cross_entropy", "hinge"]
)
def test_a_lone_column_of_real_targets_is_not_taken_for_classes(name: str) -> None:
    with pytest.raises(RecipeError, match=r"outputs have shape \[5, 1\] and the targets \[5\]"):
        _loss(name)(torch.zeros(5, 1), torch.ones(5))


def test_settings_without_effect_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"negative_log_likelihood\.std: found 2\.0, but a classification"):
        _loss("negative_log_likelihood", std=2.0)(*_case("multi-class"))
    with pytest.raises(RecipeError, match=r"hinge\.multi_class: found 'one_vs_rest'"):
        _loss("hinge", multi_class="one_vs_rest")(*_case("binary"))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("huber", {"delta": 0}),
        ("cross_entropy", {"label_smoothing": 1.0}),
        ("hinge", {"margin": -1}),
        ("negative_log_likelihood", {"std": 0}),
    ],
)
def test_impossible_settings_are_refused(name: str, arguments: dict[str, float]) -> None:
    ((key, value),) = arguments.items()
    with pytest.raises(RecipeError, match=f"{key}: found {value}"):
        _loss(name, **arguments)


def test_margin() -> None:
    """Must show: the margin loss, m⁺ = 0.9, m⁻ = 0.1, λ = 0.5 (Sabour, Frosst & Hinton 2017, equation 4)."""
    for task in ("binary", "multi-class", "multi-label"):
        outputs, targets = _case(task)
        v = 1 / (1 + np.exp(-outputs.numpy()))
        t = _one_hot(targets, 4) if task == "multi-class" else targets.numpy().reshape(v.shape)
        expected = t * np.maximum(0, 0.9 - v) ** 2 + 0.5 * (1 - t) * np.maximum(0, v - 0.1) ** 2
        np.testing.assert_allclose(_loss("margin")(outputs, targets), expected.sum(axis=1))
    # By hand: the class is there with 0.6, another is claimed with 0.3, a third with 0.05 costs nothing.
    scores = torch.tensor([[0.6, 0.3, 0.05]], dtype=torch.float64).logit()
    assert _loss("margin")(scores, torch.tensor([0])).item() == pytest.approx(0.09 + 0.5 * 0.04)
    other = _loss("margin", present=0.8, absent=0.2, weight=1.0)(scores, torch.tensor([0]))
    assert other.item() == pytest.approx(0.04 + 0.01)

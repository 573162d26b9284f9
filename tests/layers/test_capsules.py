"""Capsules: squashing, routing against the paper's procedure, and what they keep of a batch."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from handrail.layers import capsules as module
from handrail.layers.capsules import PrimaryCapsules, RoutedCapsules, length_scores, route, squash


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def squash_by_formula(s: np.ndarray) -> np.ndarray:
    """Equation 1 of the paper for one vector."""
    norm = np.linalg.norm(s)
    return norm**2 / (1 + norm**2) * s / norm


def route_by_procedure(u_hat: np.ndarray, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """Procedure 1 of the paper for one row, line by line: û is `[capsules, outputs, dims]`."""
    lower, upper, _ = u_hat.shape
    b, v, c = np.zeros((lower, upper)), np.zeros(0), np.zeros(0)
    for _ in range(iterations):
        c = np.array([np.exp(b[i]) / np.exp(b[i]).sum() for i in range(lower)])
        s = [np.sum([c[i, j] * u_hat[i, j] for i in range(lower)], axis=0) for j in range(upper)]
        v = np.array([squash_by_formula(each) for each in s])
        for i in range(lower):
            for j in range(upper):
                b[i, j] += u_hat[i, j] @ v[j]
    return v, c


@pytest.mark.parametrize("iterations", [1, 2, 3, 5])
def test_routing_is_the_papers_procedure(iterations: int) -> None:
    """Must show: routing agrees with the paper's algorithm (Sabour, Frosst & Hinton 2017, procedure 1)."""
    predictions = drawn(4, 3, 7, 5)  # [rows, outputs, capsules, dims]
    capsules, couplings = route(predictions, iterations=iterations)
    for row in range(4):
        v, c = route_by_procedure(predictions[row].transpose(0, 1).numpy(), iterations)
        np.testing.assert_allclose(capsules[row], v, rtol=1e-10)
        np.testing.assert_allclose(couplings[row].T, c, rtol=1e-10)


def test_routing_by_hand_step_by_step() -> None:
    """Must show: a case computed by hand (Sabour, Frosst & Hinton 2017, procedure 1).

    Two capsules agree on the first output, (1, 0) and (1, 0), and disagree on the second, (0, 1) and (0, −1).
    The second output's sum is 0 for ever. Of the first: c = ½, s = 1, v = ½; then b = ½, c = σ(½) = 0.62246,
    s = 1.24492, v = 1.54982 / 2.54982 = 0.60782; then b = 1.10782, c = 0.75172, s = 1.50344, v = 0.69328.
    """
    predictions = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, -1.0]]]], dtype=torch.float64)
    for iterations, coupling, length in ((1, 0.5, 0.5), (2, 0.62246, 0.60782), (3, 0.75172, 0.69328)):
        capsules, couplings = route(predictions, iterations=iterations)
        expected = torch.tensor([[[coupling] * 2, [1 - coupling] * 2]], dtype=torch.float64)
        torch.testing.assert_close(couplings, expected, atol=1e-5, rtol=0)
        expected = torch.tensor([[[length, 0.0], [0.0, 0.0]]], dtype=torch.float64)
        torch.testing.assert_close(capsules, expected, atol=1e-5, rtol=0)


def test_the_gradient_flows_through_all_iterations_and_is_that_of_finite_differences() -> None:
    predictions = drawn(2, 3, 4, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: route(given, iterations=3)[0], predictions)
    assert torch.autograd.gradcheck(
        lambda given: length_scores(squash(given)), drawn(2, 3, 4).requires_grad_()
    )


def test_squash_keeps_directions_and_bounds_lengths() -> None:
    sums = drawn(50, 6) * torch.logspace(-3, 3, 50, dtype=torch.float64)[:, None]
    squashed = squash(sums)
    np.testing.assert_allclose(squashed, [squash_by_formula(each) for each in sums.numpy()], rtol=1e-6)
    assert (squashed.norm(dim=1) < 1).all()
    none = torch.zeros(3, 4, requires_grad=True)
    squash(none).sum().backward()
    assert none.grad is not None
    assert none.grad.isfinite().all()


def test_the_score_of_a_length_is_its_log_odds() -> None:
    sums = drawn(5, 3, 4)
    scores = length_scores(squash(sums))
    torch.testing.assert_close(scores.sigmoid(), squash(sums).norm(dim=2))
    torch.testing.assert_close(scores, sums.square().sum(dim=2).log())
    extreme = length_scores(torch.stack([torch.zeros(2), torch.tensor([1.0, 0.0])])[None])
    assert extreme.tolist()[0] == pytest.approx([-math.log(1e7), math.log(1e7)], rel=1e-4)


def test_capsules_stand_type_by_type_in_reading_order() -> None:
    torch.manual_seed(0)
    layer = PrimaryCapsules(2, types=3, dims=4, kernel=3, stride=2)
    x = drawn(2, 2, 7, 9, dtype=torch.float32)
    maps = layer.convolution(x)  # [rows, 3 · 4, 3, 4]
    capsules = layer(x)
    assert capsules.shape == (2, 3 * 3 * 4, 4)
    for kind, down, right in ((0, 0, 0), (1, 2, 1), (2, 1, 3)):
        expected = squash(maps[:, 4 * kind : 4 * kind + 4, down, right])
        torch.testing.assert_close(capsules[:, 12 * kind + 4 * down + right], expected)


def routed(seed: int = 0, *, capsules: int = 6) -> RoutedCapsules:
    torch.manual_seed(seed)
    return RoutedCapsules(capsules, 4, outputs=3, output_dims=5, iterations=3)


def test_predictions_are_each_capsules_own_matrix_times_it() -> None:
    layer, x = routed(), drawn(2, 6, 4, dtype=torch.float32)
    matrices = layer.weight.detach().unflatten(2, (3, 5))  # [capsules, dims, outputs, dims]
    predictions = torch.einsum("rie,iejd->rjid", x, matrices)
    capsules, couplings = route(predictions, iterations=3)
    torch.testing.assert_close(layer(x), capsules)
    torch.testing.assert_close(layer.couplings(x), couplings)
    torch.testing.assert_close(couplings.sum(dim=1), torch.ones(2, 6))


def test_rows_do_not_depend_on_who_is_routed_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = routed(), drawn(11, 6, 4, dtype=torch.float32)
    whole = layer(x)
    torch.testing.assert_close(torch.cat([layer(x[:4]), layer(x[4:])]), whole)
    monkeypatch.setattr(module, "_NUMBERS_AT_ONCE", 2 * 6 * 15)
    torch.testing.assert_close(layer(x), whole)


def test_routing_is_in_single_precision_within_autocast() -> None:
    layer, x = routed(), drawn(3, 6, 4, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(x), layer(x))
        torch.testing.assert_close(layer(x), routed()(x), rtol=0, atol=0)
        assert layer(x).dtype == torch.float32


@pytest.mark.parametrize("capsules", [8, 64, 512])
def test_sums_begin_about_half_as_long_as_one(capsules: int) -> None:
    x = squash(drawn(20, capsules, 4, dtype=torch.float32))
    x = 0.5 * x / x.norm(dim=2, keepdim=True)
    layer = routed(capsules=capsules)
    layer.iterations = 1
    odds = length_scores(layer(x)).exp()  # ‖s‖²
    assert 0.1 < odds.mean().sqrt() < 1

"""Penalties against sums in NumPy."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from handrail.components import build
from handrail.errors import RecipeError
from handrail.objectives.penalties import wants_activity


def _net() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3), nn.LayerNorm(3))


def _weights(net: nn.Sequential) -> np.ndarray:
    parameters = (net.get_parameter("0.weight"), net.get_parameter("2.weight"))
    return np.concatenate([weight.detach().numpy().ravel() for weight in parameters])


def _penalty(name: str, model: nn.Module, activity: list[Tensor], **arguments: float) -> Tensor:
    return build("penalty", {name: arguments})(model, activity)


def test_l1_and_l2_sum_over_weights_and_spare_biases() -> None:
    net = _net()
    weights = _weights(net)
    assert _penalty("l1", net, [], strength=0.3).item() == pytest.approx(
        0.3 * np.abs(weights).sum(), rel=1e-5
    )
    assert _penalty("l2", net, [], strength=0.3).item() == pytest.approx(0.3 * (weights**2).sum(), rel=1e-5)


def test_l2_is_a_weight_decay_of_twice_its_strength() -> None:
    penalised, decayed = _net(), _net()
    _penalty("l2", penalised, [], strength=0.05).backward()
    torch.optim.SGD(penalised.parameters(), lr=0.1).step()
    for parameter in decayed.parameters():
        parameter.grad = torch.zeros_like(parameter)
    torch.optim.SGD(decayed.parameters(), lr=0.1, weight_decay=0.1).step()
    for index in (0, 2):
        torch.testing.assert_close(penalised[index].weight, decayed[index].weight)


def test_frozen_weights_are_spared() -> None:
    net = _net()
    net[0].weight.requires_grad_(False)
    squares = (net.get_parameter("2.weight").detach() ** 2).sum().item()
    assert _penalty("l2", net, [], strength=1.0).item() == pytest.approx(squares, rel=1e-5)


@pytest.mark.parametrize("name", ["l1", "l2"])
def test_a_model_without_weights_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match=f"the penalty {name} would do nothing"):
        _penalty(name, nn.LayerNorm(3), [])


def test_activity_penalties() -> None:
    layers = [torch.rand(6, 4), torch.rand(6, 2, 3)]
    expected = 0.2 * np.mean([layer.abs().mean().item() for layer in layers])
    assert _penalty("activity_l1", nn.Identity(), layers, strength=0.2).item() == pytest.approx(
        expected, rel=1e-5
    )
    rates = np.concatenate([layer.reshape(6, -1).mean(dim=0).numpy() for layer in layers]).astype(np.float64)
    each = 0.1 * np.log(0.1 / rates) + 0.9 * np.log(0.9 / (1 - rates))
    penalty = _penalty("sparsity_kl", nn.Identity(), layers, strength=0.2, rate=0.1).item()
    assert penalty == pytest.approx(0.2 * each.sum(), rel=1e-5)


def test_sparsity_is_zero_at_the_rate_and_finite_where_units_are_silent() -> None:
    assert _penalty("sparsity_kl", nn.Identity(), [torch.full((5, 4), 0.05)]).item() == pytest.approx(
        0.0, abs=1e-9
    )
    silent = torch.zeros(5, 4, requires_grad=True)
    assert _penalty("sparsity_kl", nn.Identity(), [silent]).isfinite()


def test_sparsity_needs_activations_that_are_rates() -> None:
    with pytest.raises(
        RecipeError, match=r"found mean activations from -1 to 2, expected 0 to 1. Use sigmoid"
    ):
        _penalty("sparsity_kl", nn.Identity(), [torch.tensor([[-1.0, 2.0]])])


def test_penalties_on_activity_are_marked() -> None:
    marked = {
        name: wants_activity(build("penalty", name)) for name in ("l1", "l2", "activity_l1", "sparsity_kl")
    }
    assert marked == {"l1": False, "l2": False, "activity_l1": True, "sparsity_kl": True}

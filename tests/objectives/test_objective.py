"""The objective: weighted means, penalties, losses from elsewhere, and clear words where they do not fit."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from handrail.errors import RecipeError
from handrail.objectives.objective import Objective, forward_with_activity
from handrail.objectives.penalties import needs_activity


def _net(outputs: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Sigmoid(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, outputs))


def _batch(rows: int = 8) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(rows, 4), torch.randint(0, 3, (rows,))


def test_plain_mean_is_torchs() -> None:
    net, (inputs, targets) = _net(), _batch()
    total, outputs = Objective("cross_entropy")(net, inputs, targets)
    assert torch.equal(outputs, net(inputs))
    torch.testing.assert_close(total, nn.functional.cross_entropy(outputs, targets))


@settings(max_examples=30, deadline=None)
@given(weights=st.lists(st.floats(0, 10, width=32), min_size=8, max_size=8).filter(lambda w: sum(w) > 0.01))
def test_weighted_mean(weights: list[float]) -> None:
    net, (inputs, targets) = _net(), _batch()
    objective = Objective("cross_entropy")
    total, outputs = objective(net, inputs, targets, torch.tensor(weights))
    rows = objective.rows(outputs, targets).detach().numpy()
    assert total.item() == pytest.approx(np.average(rows, weights=weights), rel=1e-4)


def test_only_the_ratios_of_the_weights_count() -> None:
    net, (inputs, targets) = _net(), _batch()
    weights = torch.rand(8)
    objective = Objective("cross_entropy")
    torch.testing.assert_close(
        objective(net, inputs, targets, weights)[0], objective(net, inputs, targets, 1e-3 * weights)[0]
    )


def test_a_row_of_weight_two_counts_like_two_rows() -> None:
    net, (inputs, targets) = _net(), _batch(3)
    objective = Objective({"cross_entropy": {"label_smoothing": 0.1}})
    weighted, _ = objective(net, inputs, targets, torch.tensor([1.0, 2.0, 1.0]))
    repeated = [0, 1, 1, 2]
    torch.testing.assert_close(weighted, objective(net, inputs[repeated], targets[repeated])[0])


def test_a_batch_of_weightless_rows_says_nothing() -> None:
    net, (inputs, targets) = _net(), _batch()
    total, _ = Objective("cross_entropy")(net, inputs, targets, torch.zeros(8))
    total.backward()
    assert total.item() == 0
    gradient = net.get_parameter("0.weight").grad
    assert gradient is not None
    assert not gradient.any()


def test_penalties_are_added() -> None:
    net, (inputs, targets) = _net(), _batch()
    total, _ = Objective("cross_entropy", [{"l2": {"strength": 0.1}}, {"activity_l1": {"strength": 0.5}}])(
        net, inputs, targets
    )
    first = net[:2](inputs)
    second = net[:4](inputs)
    weights = sum((net.get_parameter(f"{i}.weight") ** 2).sum() for i in (0, 2, 4))
    activity = (first.abs().mean() + second.abs().mean()) / 2
    plain = nn.functional.cross_entropy(net(inputs), targets)
    torch.testing.assert_close(total, plain + 0.1 * weights + 0.5 * activity)


def test_activity_leaves_no_trace_on_the_model_and_leaves_out_the_outputs() -> None:
    net = nn.Sequential(*_net(), nn.Softmax(dim=1))
    inputs, _ = _batch()
    outputs, activity = forward_with_activity(net, inputs)
    assert [layer.shape[1] for layer in activity] == [6, 5]
    assert torch.equal(outputs, net(inputs))
    assert not any(module._forward_hooks for module in net.modules())


def test_hooks_are_removed_when_the_model_fails() -> None:
    net = _net()
    with pytest.raises(RuntimeError, match="shapes"):
        forward_with_activity(net, torch.zeros(2, 3))
    assert not any(module._forward_hooks for module in net.modules())
    copy.deepcopy(net)


def test_ones_own_penalty_sees_the_activity_only_when_it_asks() -> None:
    seen: list[int] = []

    def careless(model: nn.Module, activity: list[Tensor]) -> Tensor:
        seen.append(len(activity))
        return torch.zeros(())

    @needs_activity
    def curious(model: nn.Module, activity: list[Tensor]) -> Tensor:
        seen.append(len(activity))
        return torch.zeros(())

    net, (inputs, targets) = _net(), _batch()
    Objective("cross_entropy", [careless])(net, inputs, targets)
    Objective("cross_entropy", [curious])(net, inputs, targets)
    assert seen == [0, 2]


def test_activity_penalty_on_a_model_without_hidden_layers_is_refused() -> None:
    inputs, targets = _batch()
    with pytest.raises(RecipeError, match="needs hidden layers with activations, but the model has none"):
        Objective("cross_entropy", ["activity_l1"])(nn.Linear(4, 3), inputs, targets)


def test_losses_from_elsewhere_by_import_path() -> None:
    net, (inputs, _) = _net(2), _batch()
    targets = torch.randn(8, 2)
    objective = Objective({"torch.nn:HuberLoss": {"reduction": "none", "delta": 0.5}})
    ours = Objective({"huber": {"delta": 0.5}})
    weights = torch.rand(8)
    torch.testing.assert_close(
        objective(net, inputs, targets, weights)[0], ours(net, inputs, targets, weights)[0]
    )
    outputs = net(inputs)
    torch.testing.assert_close(objective.rows(outputs, targets), ours.rows(outputs, targets))
    torch.testing.assert_close(objective.mean(outputs, targets), ours.mean(outputs, targets))


def test_losses_that_give_one_number_serve_without_weights_only() -> None:
    net, (inputs, _) = _net(2), _batch()
    targets = torch.randn(8, 2)
    objective = Objective("torch.nn:HuberLoss")
    torch.testing.assert_close(
        objective(net, inputs, targets)[0], nn.functional.huber_loss(net(inputs), targets)
    )
    with pytest.raises(RecipeError, match=r"HuberLoss gives one number for all rows.*reduction 'none'"):
        objective(net, inputs, targets, torch.ones(8))


def test_a_loss_that_does_not_fit_is_named_with_both_shapes() -> None:
    inputs, targets = _batch()
    with pytest.raises(
        RecipeError,
        match=r"the loss BCEWithLogitsLoss cannot compare outputs float32\[8, 3\] with targets int64\[8\]",
    ):
        Objective("torch.nn:BCEWithLogitsLoss")(_net(), inputs, targets)
    with pytest.raises(RecipeError, match="the loss cross_entropy cannot compare"):
        Objective("cross_entropy")(_net(2), inputs, torch.full((8,), 2))
    with pytest.raises(RecipeError, match="outputs have shape"):
        Objective("mse")(_net(2), inputs, torch.zeros(8, 1))


@pytest.mark.parametrize("result", [torch.zeros(3), 1.0, None])
def test_a_loss_with_a_strange_answer_is_named(result: object) -> None:
    inputs, targets = _batch()
    with pytest.raises(
        RecipeError, match=r"the loss odd gives .* expected a tensor with one value for each of the 8 rows"
    ):
        Objective(_odd(result))(_net(), inputs, targets)


def _odd(result: object) -> object:
    def odd(outputs: Tensor, targets: Tensor) -> object:
        return result

    return odd


def test_unknown_names_are_reported() -> None:
    with pytest.raises(RecipeError, match="Did you mean 'cross_entropy'"):
        Objective("cross_entrpy")
    with pytest.raises(RecipeError, match=r"penalties\[1\].*Did you mean 'l2'"):
        Objective("mse", ["l1", "l22"])

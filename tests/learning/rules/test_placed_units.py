"""Units placed by k-means in a first epoch, and the last layer solved for in a second."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from handrail.components import build
from handrail.errors import RecipeError
from handrail.learning.kmeans import nearest
from handrail.learning.placing import Placing
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.least_squares import LeastSquares
from handrail.models.rbf import RBF, RadialUnits
from handrail.objectives.objective import Objective


def _plan(epochs: int = 2) -> TrainingPlan:
    return TrainingPlan(task="regression", objective=Objective("mse"), epochs=epochs, steps=1, seed=0)


def _rows(rows: int = 300) -> Batch:
    inputs = torch.randn(rows, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return Batch(inputs, inputs.sin().sum(dim=1, keepdim=True))


def _network(units: int = 12, **settings: Any) -> RBF:
    torch.manual_seed(0)
    return build("model", {"rbf": {"units": units, **settings}}, 2, 1).double()


def _epoch(rule: LeastSquares, model: nn.Module, rows: Batch, size: int = 50, begin: int = 0) -> None:
    for start in range(begin, len(rows), size):
        rule.step(model, rows.cut(start, start + size))
    rule.end_epoch(model)


def _started(model: nn.Module, ridge: float = 0.0) -> LeastSquares:
    rule = LeastSquares(ridge=ridge)
    rule.start(model, _plan())
    return rule


@pytest.mark.parametrize("local_linear", [False, True])
def test_centres_are_those_of_k_means_and_weights_those_of_least_squares(local_linear: bool) -> None:
    """Broomhead & Lowe 1988, centres as in Moody & Darken 1989: each is the mean of the nearest rows."""
    rows, model = _rows(), _network(local_linear=local_linear)
    rule = _started(model)
    _epoch(rule, model, rows)
    assert not rule.finished
    assert bool((model(rows.inputs) == 0).all())
    centres = model.units.centres.detach()
    codes = nearest(rows.inputs, centres)
    means = torch.stack([rows.inputs[codes == code].mean(dim=0) for code in range(12)])
    torch.testing.assert_close(centres, means, rtol=0, atol=0.05)
    _epoch(rule, model, rows)
    assert rule.finished
    assert torch.equal(centres, model.units.centres)
    phi = model.units(rows.inputs).detach().numpy()
    if local_linear:
        lines = phi[:, :, None] * rows.inputs.numpy()[:, None]
        phi = np.column_stack([phi, lines.reshape(len(phi), -1)])
    phi = np.column_stack([phi, np.ones(len(phi))])
    expected = phi @ np.linalg.lstsq(phi, rows.targets.numpy(), rcond=None)[0]
    np.testing.assert_allclose(model(rows.inputs).detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("steps", [0, 2, 5])
def test_a_rule_resumed_while_units_are_placed_goes_on_to_the_same_bits(steps: int) -> None:
    rows, model = _rows(), _network()
    rule = _started(model)
    for start in range(0, 50 * steps, 50):
        rule.step(model, rows.cut(start, start + 50))
    saved = copy.deepcopy((model.state_dict(), rule.state_dict()))
    twin = _network()
    successor = _started(twin)
    twin.load_state_dict(saved[0])
    successor.load_state_dict(saved[1])
    for each, learner in ((model, rule), (twin, successor)):
        _epoch(learner, each, rows, begin=50 * steps)
    again = _started(twin)
    again.load_state_dict(copy.deepcopy(successor.state_dict()))
    _epoch(rule, model, rows)
    _epoch(again, twin, rows)
    assert again.finished
    assert all(map(torch.equal, model.parameters(), twin.parameters()))


def test_of_many_rows_a_sample_of_bounded_size_is_kept_each_with_the_same_chance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("handrail.learning.placing._ROWS", 40)
    monkeypatch.setattr("handrail.learning.placing._ROWS_A_UNIT", 1)
    kept = np.zeros(400)
    for seed in range(200):
        placing = Placing(RadialUnits(1, 3, basis="gaussian", width=None), seed)
        for start in range(0, 400, 25):
            placing.add(torch.arange(start, start + 25).float().unsqueeze(1))
            assert sum(len(keys) for _, keys in placing.parts) < 2 * 40 + 25
        rows = placing._largest()[0].flatten().long().numpy()
        assert len(set(rows)) == 40
        kept[rows] += 1
    np.testing.assert_allclose(kept.reshape(8, 50).mean(axis=1), 20, atol=2)


class _Behind(nn.Module):
    """Radial units behind a layer of another kind."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 5)
        self.units = RadialUnits(5, 8, basis="gaussian", width=None)
        self.head = nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.units(self.first(x).tanh()))


def test_units_stand_among_what_their_layer_is_given() -> None:
    torch.manual_seed(0)
    model, rows = _Behind().double(), _rows()
    _epoch(_started(model), model, rows)
    given = model.first(rows.inputs).tanh().detach()
    codes = nearest(given, model.units.centres.detach())
    means = torch.stack([given[codes == code].mean(dim=0) for code in range(8)])
    torch.testing.assert_close(model.units.centres.detach(), means, rtol=0, atol=0.05)


def test_one_epoch_is_too_short_for_both() -> None:
    with pytest.raises(
        RecipeError, match=r"training\.epochs: found 1, expected 2 or more: least_squares first"
    ):
        LeastSquares().start(_network(), _plan(epochs=1))


def test_more_units_than_different_rows_are_refused() -> None:
    model, rows = _network(units=7), _rows(6)
    rule = _started(model)
    with pytest.raises(
        RecipeError, match=r"model: the units .* 6 rows for 7 centres; expected 1 to 6 .* fewer units"
    ):
        _epoch(rule, model, rows)

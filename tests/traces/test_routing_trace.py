"""Routing by agreement, beside the library's layers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import handrail
from handrail.errors import DataError
from handrail.layers.capsules import RoutedCapsules, route
from handrail.traces.given import Given, given_by
from handrail.traces.layers.routing import routing
from handrail.traces.trace import Trace

EVERY: dict[str, Any] = {"capsules": 999, "outputs": 99, "numbers": 99}


def follow(**settings: Any) -> Trace:
    return handrail.trace("routing", **settings)


def ends(trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """v and c of the last iteration, [outputs, numbers] and [capsules, outputs]."""
    above, couplings = trace["Capsules above"], trace["Couplings and agreement"]
    last, outputs = above["iteration"].max(), int(above["above"].max())
    shares = couplings["c"][couplings["iteration"] == last]
    return above["v"][above["iteration"] == last], shares.reshape(-1, outputs)


def test_the_example_is_worked_out_by_hand() -> None:
    """Halves first: s is (1.5, 0) and (1.5, 2), of lengths 1.5 and 2.5."""
    trace = follow()
    above = trace["Capsules above"]
    assert above["s"][:2].tolist() == [[1.5, 0], [1.5, 2]]
    assert above["‖v‖"][:2] == pytest.approx([2.25 / 3.25, 6.25 / 7.25])
    couplings = trace["Couplings and agreement"]
    assert couplings["c"][:8].tolist() == [0.5] * 8
    first = trace["Couplings and agreement"].frame.to_dicts()[0]
    assert first["û·v"] == pytest.approx(2 * 2.25 / 3.25)
    _, shares = ends(trace)
    assert (shares.argmax(axis=1) == [0, 0, 1, 1]).all()
    assert shares.max(axis=1).min() > 0.85


@pytest.mark.parametrize("iterations", [1, 3, 4])
def test_capsules_and_couplings_are_those_of_the_library(iterations: int) -> None:
    predictions = torch.randn(1, 3, 5, 4, dtype=torch.float64)  # [rows, outputs, capsules, dims]
    capsules, couplings = route(predictions, iterations=iterations)
    written = predictions[0].transpose(0, 1).tolist()
    above, shares = ends(follow(predictions=written, iterations=iterations, **EVERY))
    assert above == pytest.approx(capsules[0].numpy(), abs=1e-6)
    assert shares == pytest.approx(couplings[0].numpy().T, abs=1e-6)


def test_the_routed_capsules_of_a_network_are_followed() -> None:
    layer, x = RoutedCapsules(5, 3, outputs=2, output_dims=4, iterations=2), torch.randn(1, 5, 3)
    above, shares = ends(routing(Given(layer, "binary", x, None, (), "a row"), **EVERY))
    with torch.no_grad():
        assert above == pytest.approx(layer(x)[0].numpy(), abs=1e-6)
        assert shares == pytest.approx(layer.couplings(x)[0].numpy().T, abs=1e-6)


def test_a_run_is_followed_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    small = {"maps": 4, "types": 2, "primary": 4, "dims": 5, "decoder": [8], "kernel": 3}
    changes = {"model": {"capsule_net": small}, "training.epochs": 1, "evaluation.resamples": 100}
    run = handrail.fit("toy:shapes,rows=60,side=9", changes=changes, out=tmp_path / "run")
    given = given_by(run, None, 0)
    assert given is not None
    model: Any = given.model
    with torch.no_grad():
        wanted = model.classes(model.primary(model.features(given.inputs)))[0].numpy()
    trace = follow(run=run, capsules=2)
    assert ends(trace)[0] == pytest.approx(wanted[:, :3], abs=1e-6)
    assert "more capsules below, 2 more numbers of each are left out" in trace["Capsules above"].note
    with pytest.raises(DataError, match="predictions: without effect"):
        follow(run=run, predictions=[[[1.0]]])


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(DataError, match="predictions: found rows of several lengths"):
        follow(predictions=[[[1, 2]], [[1]]])
    with pytest.raises(DataError, match="found no routed capsules in its network, Linear"):
        routing(Given(nn.Linear(2, 1), "regression", torch.zeros(1, 2), None, (), "a row"))

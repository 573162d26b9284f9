"""An LSTM gate by gate, beside torch's."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import handrail
from handrail.errors import DataError
from handrail.traces.given import Given, given_by
from handrail.traces.layers.lstm import lstm
from handrail.traces.trace import Trace

EVERY: dict[str, Any] = {"steps": 99, "units": 99}


def follow(**settings: Any) -> Trace:
    return handrail.trace("lstm", **settings)


def states(trace: Trace, name: str = "h new") -> np.ndarray:
    """[steps, units]"""
    steps = trace["Cell and state"]
    return steps[name].reshape(int(steps["t"].max()), -1)


class Reader(nn.Module):
    """A model that gives its LSTM what it is given; with the lengths of rows, packed."""

    def __init__(self, core: nn.LSTM, lengths: list[int] | None = None) -> None:
        super().__init__()
        self.core, self.lengths = core, lengths

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows: Any = x if self.lengths is None else pack_padded_sequence(x, self.lengths, batch_first=True)
        return self.core(rows)[1][0]


def test_the_example_is_worked_out_by_hand() -> None:
    """The first step of the first unit: z is 1, 1, 2, 1."""
    trace = follow()
    assert trace["Gate by gate"]["z"][:4].tolist() == [1, 1, 2, 1]
    sigmoid = 1 / (1 + np.exp(-1))
    assert trace["Gate by gate"]["value"][:4] == pytest.approx([sigmoid, sigmoid, np.tanh(2), sigmoid])
    assert trace["Cell and state"]["c new"][0] == pytest.approx(sigmoid * np.tanh(2))
    assert trace["Cell and state"]["c"][2] == trace["Cell and state"]["c new"][0]


def test_all_states_are_those_of_torch() -> None:
    rng = np.random.default_rng(2)
    core: Any = nn.LSTM(3, 4, batch_first=True).double()
    x = rng.normal(size=(5, 3))
    settings = {"inputs": x, "input_weights": core.weight_ih_l0, "state_weights": core.weight_hh_l0}
    written = {name: torch.as_tensor(value).tolist() for name, value in settings.items()}
    biases = (core.bias_ih_l0 + core.bias_hh_l0).tolist()
    trace = follow(**written, biases=biases, **EVERY)
    with torch.no_grad():
        hidden, (_, cells) = core(torch.from_numpy(x)[None])
    assert states(trace) == pytest.approx(hidden[0].numpy(), abs=1e-12)
    assert states(trace, "c new")[-1] == pytest.approx(cells[0, 0].numpy(), abs=1e-12)


@pytest.mark.parametrize("options", [{"batch_first": True}, {"bias": False}, {"bidirectional": True}])
def test_the_first_layer_of_a_network_is_followed(options: dict[str, bool]) -> None:
    core = nn.LSTM(2, 3, num_layers=2, **options)  # pyright: ignore
    x = torch.randn((1, 4, 2) if core.batch_first else (4, 1, 2))
    alone = nn.LSTM(2, 3, **{**options, "bidirectional": False})  # pyright: ignore
    alone.load_state_dict({name: getattr(core, name) for name in alone.state_dict()})
    with torch.no_grad():
        wanted = alone(x)[0].reshape(4, 3).numpy()
    trace = lstm(Given(Reader(core), "regression", x, None, (), "a row"), **EVERY)
    assert states(trace) == pytest.approx(wanted, abs=1e-6)


def test_a_packed_row_ends_where_it_ends() -> None:
    core = nn.LSTM(2, 3, batch_first=True)
    given = Given(Reader(core, [3]), "regression", torch.randn(1, 5, 2), None, (), "a row")
    assert len(states(lstm(given, **EVERY))) == 3


def test_a_run_is_followed_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    changes = {"model": {"lstm": {"width": 5}}, "training.epochs": 1, "evaluation.resamples": 100}
    run = handrail.fit("toy:moods,rows=60", changes=changes, out=tmp_path / "run")
    given = given_by(run, None, 0)
    assert given is not None
    model: Any = given.model
    with torch.no_grad():
        wanted = model.core(model.vectors(given.inputs))[0][0].numpy()
    trace = follow(run=run, steps=2, units=3)
    assert states(trace) == pytest.approx(wanted[:2, :3], abs=1e-6)
    assert f"{len(wanted) - 2} more steps and 2 more units are left out" in trace["Gate by gate"].note
    with pytest.raises(DataError, match="inputs, biases: without effect"):
        follow(run=run, inputs=[[1]], biases=[0])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"inputs": [[1, 2]]}, "input_weights: found 8×1 numbers, expected 8×2"),
        ({"state_weights": [[1, 2]]}, "state_weights: found 1 rows of 2, expected four rows for each unit"),
        ({"biases": [1]}, "biases: found 1×1 numbers, expected 1×8"),
        ({"inputs": []}, "inputs: expected one number or more"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        follow(**settings)


def test_what_does_not_fit_a_network_is_said() -> None:
    with pytest.raises(DataError, match="found no LSTM layer in its network, Linear"):
        lstm(Given(nn.Linear(2, 1), "regression", torch.zeros(1, 2), None, (), "a row"))


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_projected_states_are_not_followed() -> None:
    projected = Given(nn.LSTM(2, 3, proj_size=2), "regression", torch.zeros(1, 1, 2), None, (), "a row")
    with pytest.raises(DataError, match="projected states"):
        lstm(projected)

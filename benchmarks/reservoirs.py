"""Echo state networks beside reservoirpy: the same reservoir, series and readout, in turns.

Both are given the same connections. First one series through the reservoir, step by step, and the ridge
regression of the next value on its states: the same work. Then a forecast as handrail makes it, by windows
that each begin at rest, which lets rows be shuffled, split and sealed as any others; reservoirpy goes through
the series once. Writes `benchmarks/results/reservoirs.md`.

    python benchmarks/reservoirs.py [--turns 3]
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
import torch
from reservoirpy.nodes import Reservoir as Theirs
from reservoirpy.nodes import Ridge

from _common import facts, write_result
from handrail.components import build
from handrail.data.sources.toys.systems import mackey_glass
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.least_squares import LeastSquares
from handrail.models.echo_state import EchoState
from handrail.objectives.objective import Objective
from handrail.shapes import SeriesShape

_TRAIN, _HELD, _HISTORY, _RIDGE = 4000, 1000, 100, 1e-10
_HEAD = """# Echo state networks

{facts}

Mackey–Glass, τ = 17: {train:,} rows to learn from, {held:,} held out; errors are those of the next value, as
a share of the standard deviation. Seconds are the processor's, of one thread. The ratio is how many times as
long reservoirpy takes: below 1 it is the faster one.
"""
_TABLE = "| units, work | ours, s | reservoirpy, s | ratio | error | reservoirpy |"


def series() -> np.ndarray:
    """Standardised by the rows to learn from."""
    y = mackey_glass(rows=_TRAIN + _HELD + 1, seed=2).frame["y"].to_numpy()
    return ((y - y[:_TRAIN].mean()) / y[:_TRAIN].std()).astype(np.float32).astype(np.float64)


def network(units: int) -> EchoState:
    torch.manual_seed(0)
    return build("model", {"echo_state": {"units": units}}, SeriesShape(1, _HISTORY), 1)


def theirs(model: EchoState, z: np.ndarray) -> float:
    """The error on rows held out, by one pass over the series."""
    own = model.reservoir
    node = Theirs(
        own.units,
        lr=own.leak,
        W=scipy.sparse.csr_array(own.matrix().to_dense().numpy()),
        Win=own.input_weights.numpy(),
        bias=own.biases[:, 0].numpy(),
        dtype=np.float64,
    )
    states = np.hstack([node.run(z[:-1, None]), z[:-1, None]])
    known = slice(_HISTORY, _TRAIN)
    # Their ridge is not a share of the states' size.
    ridge = Ridge(ridge=_RIDGE * float(np.square(states[known]).sum(axis=0).mean()))
    answers = ridge.fit(states[known], z[1:, None][known]).run(states[_TRAIN:])
    return float(np.sqrt(np.square(answers - z[_TRAIN + 1 :, None]).mean()) / z.std())


@torch.no_grad()
def one_pass(model: EchoState, z: np.ndarray) -> float:
    """As `theirs`."""
    inputs, matrix = torch.from_numpy(z[:-1]).unsqueeze(1), model.reservoir.matrix()
    state, states = torch.zeros(model.reservoir.units, 1, dtype=torch.float64), []
    for u in inputs.split(1):
        state = model.reservoir.step(state, u, matrix)
        states.append(state)
    features = torch.cat([torch.cat(states, dim=1).T, inputs], dim=1)
    head, targets = model.head, torch.from_numpy(z[1:]).unsqueeze(1)
    learn(head, features[_HISTORY:_TRAIN], targets[_HISTORY:_TRAIN])
    return float((head(features[_TRAIN:]) - targets[_TRAIN:]).square().mean().sqrt() / z.std())


@torch.no_grad()
def by_windows(model: EchoState, z: np.ndarray) -> float:
    """As a forecast: every row of the training is a window of its own."""
    rows = torch.from_numpy(z).float()
    windows, following = rows.unfold(0, _HISTORY, 1)[:-1].unsqueeze(1), rows[_HISTORY:].unsqueeze(1)
    known = _TRAIN - _HISTORY
    learn(model, windows[:known], following[:known])
    return float((model(windows[known:]) - following[known:]).square().mean().sqrt() / z.std())


def learn(model: torch.nn.Module, rows: torch.Tensor, targets: torch.Tensor) -> None:
    """The readout, by the rule."""
    rule = LeastSquares(ridge=_RIDGE)
    rule.start(model, TrainingPlan("regression", Objective("mse"), epochs=1, steps=1, seed=0))
    rule.step(model, Batch(rows, targets))
    rule.end_epoch(model)


def measured(units: int, turns: int) -> list[str]:
    """Two rows of the table."""
    z = series()
    ways: dict[str, Callable[[EchoState, np.ndarray], float]] = {
        "one pass": one_pass,
        "windows": by_windows,
        "theirs": theirs,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    errors: dict[str, float] = {}
    for _ in range(turns):
        for name, way in ways.items():
            model, began = network(units), time.process_time()
            errors[name] = way(model, z)
            seconds[name].append(time.process_time() - began)
    took: dict[str, Any] = {name: statistics.median(each) for name, each in seconds.items()}
    rows = []
    for name in ("one pass", "windows"):
        times = f"{took[name]:.2f} | {took['theirs']:.2f} | {took['theirs'] / took[name]:.2f}"
        rows.append(f"| {units:,}, {name} | {times} | {errors[name]:.1e} | {errors['theirs']:.1e} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    measured(20, 1)  # what is done once is no work
    rows = [row for units in (100, 500, 1000) for row in measured(units, asked.turns)]
    head = _HEAD.format(facts=facts("torch", "reservoirpy"), train=_TRAIN, held=_HELD)
    text = "\n".join([head, _TABLE, "|---" * 6 + "|", *rows])
    write_result("reservoirs.md", f"{text}\n")


if __name__ == "__main__":
    main()

"""Echo state networks beside reservoirpy: the same reservoir, series and readout, in turns.

Both are given the same connections, and learn the next value by a ridge regression on the states. handrail
does so by windows, which can be divided and sealed as any other rows; it reads neighbouring ones in one pass
where the network has forgotten what came before a window. reservoirpy goes through the series step by step.
Writes `benchmarks/results/reservoirs.md`.

    python benchmarks/reservoirs.py [--turns 7]
"""

import argparse
import statistics
import time
from collections.abc import Sequence

import numpy as np
import scipy.sparse
import torch
from reservoirpy.nodes import Reservoir as Theirs
from reservoirpy.nodes import Ridge
from threadpoolctl import threadpool_limits

from _common import facts, write_result
from handrail.components import build
from handrail.data.sources.toys.systems import mackey_glass
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.least_squares import LeastSquares
from handrail.models.echo_state import EchoState
from handrail.objectives.objective import Objective
from handrail.shapes import SeriesShape

_TRAIN, _HELD, _HISTORY = 4300, 1000, 300
_HEAD = """# Echo state networks

{facts}

Mackey–Glass, τ = 17: {train:,} rows to learn from, {held:,} held out, windows of {history}; errors are those
of the next value, as a share of the standard deviation, with the best of the ridges that are tried. Seconds
are the processor's, of one thread, without the drawing of the connections. The ratio is how many times as
long reservoirpy takes: below 1 it is the faster one.
"""
_TABLE = "| units | ridges | ours, s | reservoirpy, s | ratio | error | reservoirpy |"


def series() -> np.ndarray:
    """Standardised by the rows to learn from."""
    y = mackey_glass(rows=_TRAIN + _HELD + 1, seed=2).frame["y"].to_numpy()
    return ((y - y[:_TRAIN].mean()) / y[:_TRAIN].std()).astype(np.float32).astype(np.float64)


def network(units: int) -> EchoState:
    torch.manual_seed(0)
    return build("model", {"echo_state": {"units": units}}, SeriesShape(1, _HISTORY), 1)


def theirs(model: EchoState, z: np.ndarray, exponents: Sequence[int]) -> float:
    """The error on rows held out with the best ridge, by one pass over the series."""
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
    known, truth, errors = states[_HISTORY:_TRAIN], z[1:, None], []
    size = float(np.square(known).sum(axis=0).mean())  # their ridge is not a share of the states' size
    for exponent in exponents:
        ridge = Ridge(ridge=10.0**exponent * size).fit(known, truth[_HISTORY:_TRAIN])
        errors.append(np.sqrt(np.square(ridge.run(states[_TRAIN:]) - truth[_TRAIN:]).mean()) / z.std())
    return float(min(errors))


@torch.no_grad()
def ours(model: EchoState, z: np.ndarray, exponents: Sequence[int]) -> float:
    """As `theirs`, by windows: every row of the training is one."""
    rows = torch.from_numpy(z).float()
    windows, following = rows.unfold(0, _HISTORY, 1)[:-1].unsqueeze(1), rows[_HISTORY:].unsqueeze(1)
    known, errors = _TRAIN - _HISTORY, []
    rule = LeastSquares(ridge="auto" if len(exponents) > 1 else 10.0 ** exponents[0])
    objective = Objective("mse")
    rule.start(model, TrainingPlan("regression", objective, epochs=len(exponents), steps=1, seed=0))
    held = model.features(windows[known:])
    while not rule.finished:
        rule.step(model, Batch(windows[:known], following[:known]))
        rule.end_epoch(model)
        wrong = model.head(held) - following[known:]
        errors.append(float(wrong.square().mean().sqrt() / z.std()))
    return min(errors)


def measured(units: int, exponents: Sequence[int], turns: int) -> str:
    """A row of the table."""
    z = series()
    ways = {"ours": ours, "theirs": theirs}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    errors: dict[str, float] = {}
    for _ in range(turns):
        for name, way in ways.items():
            model, began = network(units), time.process_time()
            errors[name] = way(model, z, exponents)
            seconds[name].append(time.process_time() - began)
    own, other = (statistics.median(each) for each in seconds.values())
    what = f"{units:,} | {len(exponents)}"
    times = f"{own:.2f} | {other:.2f} | {other / own:.1f}"
    return f"| {what} | {times} | {errors['ours']:.1e} | {errors['theirs']:.1e} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=7)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    measured(20, [-10], 1)  # what is done once is no work
    with threadpool_limits(1):
        rows = [
            measured(units, exponents, asked.turns)
            for exponents in ([-10], range(0, -13, -1))
            for units in (100, 500, 1000)
        ]
    head = _HEAD.format(
        facts=facts("torch", "reservoirpy"), train=_TRAIN - _HISTORY, held=_HELD, history=_HISTORY
    )
    text = "\n".join([head, _TABLE, "|---" * 7 + "|", *rows])
    write_result("reservoirs.md", f"{text}\n")


if __name__ == "__main__":
    main()

"""Kohonen maps beside MiniSom: the same rows, grid, start, number of passes, first and last radius, in turns.

MiniSom learns row by row, as it is usually called, and by its own batch rule; ours by both rules. Errors are
those of the rows that were learned, by one yardstick, with the grid of whoever made the map. A second table
says what a map of 1,000,000 rows of 50 columns needs beside them. Writes `benchmarks/results/kohonen.md`.

    python benchmarks/kohonen.py [--turns 3]
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from minisom import MiniSom
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits, load_iris, load_wine, make_blobs
from sklearn.preprocessing import StandardScaler

from _common import Job, facts, in_turns, peak_memory, resident, write_result
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.kohonen import Kohonen
from handrail.models.kohonen import KohonenMap
from handrail.objectives.objective import Objective
from handrail.shapes import NoTarget

_MANY, _COLUMNS, _EPOCHS = 1_000_000, 50, 3
_HEAD = """# Kohonen maps

{facts}

Batch and online are ours; `train` and `train_batch_offline` are MiniSom's. The ratio is how many times as
long MiniSom takes for the same kind of rule. Seconds are the processor's, of one thread.
"""
_TIMES = "| rows, units, passes | batch, s | offline, s | ratio | online, s | train, s | ratio |"
_ERRORS = "| quantisation / topographic error | batch | offline | online | train |"


@dataclass(frozen=True)
class Work:
    """A map of one data set."""

    load: Callable[..., Any]
    side: int
    passes: int
    grid: Any = "square"

    @property
    def rows(self) -> np.ndarray:
        raw = np.asarray(self.load(return_X_y=True)[0])
        return np.asarray(StandardScaler().fit_transform(raw)).astype(np.float32)


def blobs(*, return_X_y: bool) -> Any:  # noqa: N803 - as scikit-learn's loaders
    """Ten groups of 1,000 rows."""
    return make_blobs(10_000, 20, centers=10, cluster_std=4.0, random_state=0)


_WORKS = {
    "iris": Work(load_iris, 8, 50),
    "wine": Work(load_wine, 8, 50),
    "digits": Work(load_digits, 12, 20),
    "digits, hexagonal": Work(load_digits, 12, 20, "hexagonal"),
    "blobs": Work(blobs, 20, 20),
}


def begin(rows: torch.Tensor, work: Work, mode: Any) -> tuple[KohonenMap, Kohonen, Batch]:
    """A map at its start."""
    fitted = KohonenMap(rows.shape[1], NoTarget("map"), height=work.side, width=work.side, grid=work.grid)
    rule, batch = Kohonen(mode=mode), Batch(rows, torch.zeros(len(rows), dtype=torch.int64))
    objective = Objective("distance_to_nearest")
    steps = -(-len(rows) // 8192)
    plan = TrainingPlan("map", objective, epochs=work.passes, steps=steps, seed=0, rows=batch)
    rule.start(fitted, plan)
    return fitted, rule, batch


def learn(fitted: KohonenMap, rule: Kohonen, batch: Batch, passes: int) -> None:
    """All passes, in batches of 8,192 rows in a random order."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(passes):
        for some in torch.randperm(len(batch), generator=generator).split(8192):
            rule.step(fitted, batch.take(some))
        rule.end_epoch(fitted)


def errors(prototypes: np.ndarray, rows: np.ndarray, apart: np.ndarray) -> tuple[float, float]:
    """Quantisation error, and the share of rows whose two nearest units are no neighbours.

    Arguments:
        apart: whether two units are no neighbours.
    """
    gaps = cdist(rows, prototypes)
    first, second = np.argsort(gaps, axis=1)[:, :2].T
    return float(gaps.min(axis=1).mean()), float(apart[first, second].mean())


def ours(rows: np.ndarray, work: Work, mode: str) -> tuple[float, tuple[float, float]]:
    """Seconds, start included, and the errors."""
    began = time.process_time()
    fitted, rule, batch = begin(torch.from_numpy(rows), work, mode)
    learn(fitted, rule, batch, work.passes)
    seconds = time.process_time() - began
    units = torch.arange(fitted.grid.units)
    beside = fitted.grid.adjoin(units.repeat_interleave(len(units)), units.repeat(len(units)))
    apart = ~beside.reshape(len(units), -1).numpy()
    return seconds, errors(fitted.prototypes.detach().numpy(), rows, apart)


def theirs(rows: np.ndarray, work: Work, way: str) -> tuple[float, tuple[float, float]]:
    """As `ours`, from the same start and with the same first and last radius."""
    start = begin(torch.from_numpy(rows), work, "batch")[0].prototypes.detach().double().numpy()
    side, form = work.side, {"square": "rectangular", "hexagonal": "hexagonal"}[work.grid]
    options: Any = {"sigma_decay_function": "linear_decay_to_one", "topology": form, "random_seed": 0}
    options["sigma"] = side / 2
    if way == "train_batch_offline":
        options["decay_function"] = lambda rate, *_: (
            rate
        )  # each prototype to the mean, as Kohonen 2013 has it
    model = MiniSom(side, side, rows.shape[1], learning_rate=0.5, **options)
    if way == "train_batch_offline":
        model._learning_rate = 1.0
    model._weights = start.reshape(side, side, -1)
    points = rows.astype(np.float64)
    began = time.process_time()
    if way == "train":
        model.train(points, work.passes * len(points), random_order=True)
    else:
        model.train_batch_offline(points, work.passes)
    seconds = time.process_time() - began
    places = np.array([model.convert_map_to_euclidean(at) for at in np.ndindex(side, side)])
    reach = 1.42 if work.grid == "square" else 1.01
    apart = np.linalg.norm(places[:, None] - places, axis=2) > reach
    return seconds, errors(model.get_weights().reshape(side * side, -1), rows, apart)


def measured(name: str, work: Work, turns: int) -> tuple[str, str]:
    """A row of each table."""
    rows, ways = work.rows, ("batch", "train_batch_offline", "online", "train")
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    reached: dict[str, tuple[float, float]] = {}
    for _ in range(turns):
        for way in ways:
            took, reached[way] = (ours if way in ("batch", "online") else theirs)(rows, work, way)
            seconds[way].append(took)
    median = {way: statistics.median(each) for way, each in seconds.items()}
    pairs = [("batch", "train_batch_offline"), ("online", "train")]
    times = [f"{median[a]:.3f} | {median[b]:.2f} | {median[b] / median[a]:.1f}" for a, b in pairs]
    found = [f"{reached[way][0]:.3f} / {reached[way][1]:.3f}" for way in ways]
    size = f"{name}: {len(rows):,} × {rows.shape[1]}, {work.side} × {work.side}, {work.passes}"
    return f"| {size} | {' | '.join(times)} |", f"| {name} | {' | '.join(found)} |"


def many_rows() -> dict[str, float]:
    """In a process of its own: what a map of many rows needs beside them, and how long an epoch takes."""
    rows = torch.randn(_MANY, _COLUMNS, generator=torch.Generator().manual_seed(0))
    before, began = resident(), time.process_time()
    fitted, rule, batch = begin(rows, Work(load_iris, 16, _EPOCHS), "batch")
    learn(fitted, rule, batch, _EPOCHS)
    seconds = (time.process_time() - began) / _EPOCHS
    return {"data": rows.nbytes / 2**20, "beside": peak_memory() - before, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--many", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.many:
        print(json.dumps(many_rows()))
        return
    ours(_WORKS["iris"].rows, Work(load_iris, 4, 1), "batch")  # imports are no work
    times, found = zip(*(measured(name, work, asked.turns) for name, work in _WORKS.items()), strict=True)
    lines = [_HEAD.format(facts=facts("torch", "minisom")), _TIMES, "|---" * 7 + "|", *times]
    lines += ["", _ERRORS, "|---" * 5 + "|", *found]
    with tempfile.TemporaryDirectory() as folder:
        script, jobs = str(Path(__file__).resolve()), {"many": Job(["--many"])}
        (needs,) = in_turns(script, jobs, turns=1, folder=Path(folder))["many"]
    lines += [
        "",
        f"A batch map of 16 × 16 units on {_MANY:,} rows of {_COLUMNS} columns ({needs['data']:.0f} MB) "
        f"needs {needs['beside']:.0f} MB beside them, and {needs['seconds']:.1f} s an epoch.",
    ]
    text = "\n".join(lines)
    write_result("kohonen.md", f"{text}\n")
    print(text)


if __name__ == "__main__":
    main()

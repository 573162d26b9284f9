"""Extreme learning machines beside multilayer perceptrons of the same width, and beside a linear model.

Each is fitted on the same rows and judged on rows that no fit has seen. A second table says what 1,000,000
rows of 50 columns need beside them. Writes `benchmarks/results/extreme_learning.md`.

    python benchmarks/extreme_learning.py [--seeds 3]

Source: Huang, Zhu & Siew 2006
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.datasets import load_breast_cancer, load_digits

import handrail
from _common import Job, facts, in_turns, peak_memory, resident, write_result
from handrail.data.sources.toys.classes import spirals

_MANY, _COLUMNS, _UNITS = 1_000_000, 50, 500
_HELD = 0.25
_HEAD = """# Extreme learning machines

{facts}

Accuracy on a quarter of the rows, which no fit has seen: the mean over seeds, which draw the rows and the
weights, and in brackets the lowest and the highest. Seconds of training, by the clock.
"""
_TABLE = "| rows, hidden units | linear | extreme learning, s | accuracy | perceptron, s | accuracy | ratio |"
Rows = tuple[np.ndarray, np.ndarray]


def _spirals() -> Rows:
    frame = spirals(rows=4000).frame
    return frame.select("x1", "x2").to_numpy(), frame["class"].to_numpy()


def _loaded(load: Callable[..., Any]) -> Rows:
    rows, classes = load(return_X_y=True)
    return np.asarray(rows), np.asarray(classes)


_WORKS: dict[str, tuple[Callable[[], Rows], int]] = {
    "two spirals": (_spirals, 300),
    "breast cancer": (lambda: _loaded(load_breast_cancer), 100),
    "digits": (lambda: _loaded(load_digits), 500),
}


def systems(units: int) -> dict[str, dict[str, Any]]:
    """Recipes; the perceptron is handrail's usual one but for its width."""
    hidden = {"mlp": {"hidden": [units]}}
    return {
        "linear": {"model": "linear"},
        "extreme learning": {
            "model": {"mlp": {"hidden": [units], "activation": "tanh"}},
            "learning": {"least_squares": {"ridge": 1e-4}},
        },
        "perceptron": {"model": hidden},
    }


def measured(rows: Rows, recipe: dict[str, Any], seed: int, folder: Path) -> tuple[float, float]:
    """Seconds of training, and accuracy on rows held out."""
    order = np.random.default_rng(seed).permutation(len(rows[0]))
    frame = pl.DataFrame(rows[0][order], schema=[f"x{place}" for place in range(rows[0].shape[1])])
    frame = frame.with_columns(y=pl.Series(rows[1][order].astype(str)))
    held, known = frame[: round(_HELD * len(frame))], frame[round(_HELD * len(frame)) :]
    run = handrail.fit(known, "y", changes={**recipe, "seed": seed}, out=folder / "run", overwrite=True)
    answers = run.predict(held.drop("y")).frame
    right = answers["prediction"].cast(pl.String).to_numpy() == held["y"].to_numpy()
    return run.summary["training"]["seconds"], float(right.mean())


def compared(name: str, seeds: int, folder: Path) -> str:
    """A row of the table."""
    load, units = _WORKS[name]
    rows, found = load(), {}
    for system, recipe in systems(units).items():
        found[system] = [measured(rows, recipe, seed, folder) for seed in range(seeds)]
    seconds = {name: statistics.median(took for took, _ in each) for name, each in found.items()}
    right = {name: _spread([share for _, share in each]) for name, each in found.items()}
    ratio = seconds["perceptron"] / seconds["extreme learning"]
    size = f"{name}: {len(rows[0]):,} × {rows[0].shape[1]}, {units}"
    return (
        f"| {size} | {right['linear']} | {seconds['extreme learning']:.2f} | {right['extreme learning']} | "
        f"{seconds['perceptron']:.2f} | {right['perceptron']} | {ratio:.0f} |"
    )


def _spread(shares: list[float]) -> str:
    low, mean, high = (100 * share for share in (min(shares), statistics.mean(shares), max(shares)))
    return f"{mean:.1f} % ({low:.1f} to {high:.1f})"


def many_rows() -> dict[str, float]:
    """In a process of its own: what the rule needs beside many rows, and how long it takes."""
    import torch

    from handrail.components import build
    from handrail.learning.rule import Batch, TrainingPlan
    from handrail.learning.rules.least_squares import LeastSquares
    from handrail.objectives.objective import Objective

    rows = torch.randn(_MANY, _COLUMNS, generator=torch.Generator().manual_seed(0))
    targets = (rows[:, :1] * rows[:, 1:2]).clone()
    before, began = resident(), time.process_time()
    model = build("model", {"mlp": {"hidden": [_UNITS], "activation": "tanh"}}, _COLUMNS, 1)
    rule, batch = LeastSquares(), Batch(rows, targets)
    rule.start(model, TrainingPlan("regression", Objective("mse"), epochs=1, steps=1, seed=0))
    for start in range(0, _MANY, 8192):
        rule.step(model, batch.cut(start, start + 8192))
    rule.end_epoch(model)
    seconds = time.process_time() - began
    return {"data": rows.nbytes / 2**20, "beside": peak_memory() - before, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--many", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.many:
        print(json.dumps(many_rows()))
        return
    with tempfile.TemporaryDirectory() as folder:
        lines = [compared(name, asked.seeds, Path(folder)) for name in _WORKS]
        script, jobs = str(Path(__file__).resolve()), {"many": Job(["--many"])}
        (needs,) = in_turns(script, jobs, turns=1, folder=Path(folder))["many"]
    text = "\n".join([_HEAD.format(facts=facts("torch")), _TABLE, "|---" * 7 + "|", *lines])
    many = (
        f"{_UNITS} hidden units on {_MANY:,} rows of {_COLUMNS} columns ({needs['data']:.0f} MB) need "
        f"{needs['beside']:.0f} MB beside them, and {needs['seconds']:.0f} s of a processor."
    )
    write_result("extreme_learning.md", f"{text}\n\n{many}\n")


if __name__ == "__main__":
    main()

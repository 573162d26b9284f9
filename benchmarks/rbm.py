"""A restricted Boltzmann machine beside scikit-learn's BernoulliRBM, until both have one pseudo-likelihood.

Both get the same 10,000 binarised MNIST digits, 50 a step, at a learning rate of 0.1, in turns in one
process: scikit-learn for three passes, as it is; ours by CD-1 until it is as good on 2,000 other digits.
Looking is not counted. Writes `benchmarks/results/rbm.md`.

    HANDRAIL_DATA=folder python benchmarks/rbm.py [--turns 3]
"""

import argparse
import gzip
import os
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.neural_network import BernoulliRBM
from torch import Tensor

from _common import facts
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.contrastive_divergence import ContrastiveDivergence
from handrail.models.rbm import RBM
from handrail.objectives.objective import Objective
from handrail.shapes import NoTarget

_RESULTS = Path(__file__).parent / "results" / "rbm.md"
_DIGITS, _OTHERS, _SIZE, _PASSES, _LOOK = 10_000, 2_000, 50, 3, 10
_HEAD = "| hidden units | handrail, s | BernoulliRBM, s | theirs / ours | our figure | BernoulliRBM's |"


def digits() -> tuple[np.ndarray, Tensor]:
    """Rows to learn and rows to judge by, each pixel black or white by its grey level."""
    path = Path(os.environ["HANDRAIL_DATA"]) / "mnist" / "train-images-idx3-ubyte.gz"
    with gzip.open(path) as file:
        grey = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784) / 255
    grey = grey[: _DIGITS + _OTHERS]
    rows = (np.random.default_rng(0).random(grey.shape) < grey).astype(np.float32)
    return rows[:_DIGITS], torch.from_numpy(rows[_DIGITS:])


@torch.no_grad()
def figure(machine: RBM, others: Tensor) -> float:
    """The mean pseudo-log-likelihood, in nats."""
    return float(machine(others)[:, 1].mean())


def theirs(rows: np.ndarray, others: Tensor, units: int) -> tuple[float, float]:
    """Seconds, and the figure reached."""
    began = time.perf_counter()
    model = BernoulliRBM(units, learning_rate=0.1, batch_size=_SIZE, n_iter=_PASSES, random_state=0).fit(rows)
    seconds = time.perf_counter() - began
    machine = RBM(784, NoTarget("density"), units=units)
    with torch.no_grad():
        machine.weights.copy_(torch.from_numpy(model.components_.T))
        machine.visible_bias.copy_(torch.from_numpy(model.intercept_visible_))
        machine.hidden_bias.copy_(torch.from_numpy(model.intercept_hidden_))
    return seconds, figure(machine, others)


def ours(rows: np.ndarray, others: Tensor, units: int, goal: float) -> tuple[float, float]:
    """Seconds until the figure is at least the goal, and the figure reached."""
    torch.manual_seed(0)
    machine, rule = RBM(784, NoTarget("density"), units=units), ContrastiveDivergence(final=1.0)
    batch = Batch(torch.from_numpy(rows), torch.zeros(len(rows), dtype=torch.int64))
    generator, steps = torch.Generator().manual_seed(0), len(rows) // _SIZE
    objective = Objective("negative_log_density")
    began = time.perf_counter()
    rule.start(machine, TrainingPlan("density", objective, epochs=20, steps=steps, seed=0, rows=batch))
    seconds, reached = time.perf_counter() - began, -np.inf
    for _ in range(20):
        began = time.perf_counter()
        shuffled = batch.take(torch.randperm(len(rows), generator=generator))
        for number, start in enumerate(range(0, len(rows), _SIZE), start=1):
            rule.step(machine, shuffled.cut(start, start + _SIZE))
            if number % _LOOK == 0:
                seconds += time.perf_counter() - began
                reached = figure(machine, others)
                if reached >= goal:
                    return seconds, reached
                began = time.perf_counter()
    return seconds, float(reached)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    turns = parser.parse_args().turns
    rows, others = digits()
    lines = [_HEAD, "|---" * 6 + "|"]
    for units in (64, 256, 500):
        pairs = []
        for _ in range(turns):
            their = theirs(rows, others, units)
            pairs.append((ours(rows, others, units, their[1]), their))
        own, other = (statistics.median(pair[side][0] for pair in pairs) for side in (0, 1))
        reached = " | ".join(f"{pairs[-1][side][1]:.1f}" for side in (0, 1))
        lines.append(f"| {units} | {own:.2f} | {other:.2f} | {other / own:.1f} | {reached} |")
    table = "\n".join(lines)
    _RESULTS.write_text(f"# Restricted Boltzmann machine\n\n{facts('torch', 'scikit-learn')}\n\n{table}\n")
    print(table)


if __name__ == "__main__":
    main()

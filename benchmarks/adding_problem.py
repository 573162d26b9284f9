"""The adding problem: two of a hundred numbers are marked, and their sum is to be told: error, seconds and
steps.

Each row has 100 numbers between 0 and 1 and a mark at one of the first fifty and at one of the last. Saying 1
each time gives an error of 1/6 = 0.167; to do better, a network has to remember for about fifty steps. Every
network has one layer of 64 units and is trained in the same way (Adam, learning rate 0.005, batches of 64 new
rows, gradients clipped to a norm of 1) until its error on 1,000 rows is below 0.003, or for 2,000 steps; it
is then measured once on 4,000 other rows.

    python benchmarks/adding_problem.py [--seeds 2] [--steps 2000] [--output FILE]

Source: Hochreiter & Schmidhuber 1997; in this form Le, Jaitly & Hinton 2015
"""

import argparse
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional, utils

from handrail.components import build
from handrail.shapes import SeriesShape
from handrail.tools.files import write_text

LENGTH, WIDTH, BATCH, RATE, CLIP, EVERY, ENOUGH = 100, 64, 64, 0.005, 1.0, 50, 0.003
NETWORKS = ("rnn", "lstm", "gru")


class Result(NamedTuple):
    """What one network with one seed came to."""

    network: str
    seed: int
    error: float
    seconds: float
    "Of the processor, which others cannot lengthen much."
    steps: int
    below: int | None
    "The first measured step with an error below 0.01 on the rows that training is stopped by."


def rows(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """New rows `[count, 2, 100]`, numbers and marks, and their sums `[count, 1]`."""
    numbers, marks = torch.rand(count, LENGTH, generator=generator), torch.zeros(count, LENGTH)
    half = LENGTH // 2
    for begins in (0, half):
        marks.scatter_(1, torch.randint(begins, begins + half, (count, 1), generator=generator), 1.0)
    return torch.stack([numbers, marks], dim=1), (numbers * marks).sum(dim=1, keepdim=True)


@torch.no_grad()
def error(model: torch.nn.Module, data: tuple[Tensor, Tensor]) -> float:
    """The mean squared error."""
    return float(functional.mse_loss(model(data[0]), data[1]))


def train(network: str, seed: int, steps: int) -> Result:
    """One network from its first weights until it is good enough, or the steps are used up."""
    torch.set_num_threads(1)  # a step is small, and the networks are trained side by side
    torch.manual_seed(seed)
    model = build("model", {network: {"width": WIDTH}}, SeriesShape(2, LENGTH), 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    generator = torch.Generator().manual_seed(seed)
    watched, test = (rows(count, torch.Generator().manual_seed(1000 + count)) for count in (1000, 4000))
    begun, below, step = time.process_time(), None, 0
    for step in range(1, steps + 1):
        inputs, sums = rows(BATCH, generator)
        optimizer.zero_grad()
        functional.mse_loss(model(inputs), sums).backward()
        utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        if step % EVERY == 0:
            now = error(model, watched)
            below = step if below is None and now < 0.01 else below
            if now < ENOUGH:
                break
    return Result(network, seed, error(model, test), time.process_time() - begun, step, below)


def table(results: Sequence[Result]) -> str:
    """The results in Markdown."""
    lines = [
        f"The adding problem at T = {LENGTH}; saying 1 each time gives an error of 0.167. One layer of "
        f"{WIDTH} units, Adam at {RATE}, "
        f"batches of {BATCH}, gradients clipped to {CLIP:g}, one thread for each network.",
        "",
        "| network | seed | mean squared error | processor seconds | steps | below 0.01 at step |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.network} | {r.seed} | {r.error:.4f} | {r.seconds:.0f} | {r.steps} | {r.below or 'never'} |"
        for r in results
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train all networks, two at a time, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=2, help="how often each network is trained")
    parser.add_argument("--steps", type=int, default=2000, help="at most so many")
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parent / "results" / "adding_problem.md"
    )
    arguments = parser.parse_args()
    tasks = [(network, seed, arguments.steps) for network in NETWORKS for seed in range(arguments.seeds)]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(train, *zip(*tasks, strict=True)))
    text = table(results)
    print(text)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    write_text(arguments.output, text)


if __name__ == "__main__":
    main()

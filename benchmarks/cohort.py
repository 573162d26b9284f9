"""Many networks at once: replicas by handrail and one after another by a plain PyTorch loop over tensors in
memory.

Both get the same encoded rows, train the same networks (AdamW, learning rate 0.001, weight decay 0.01) for
the same epochs, look at the validation rows after every epoch, and take the accuracy of the epoch with the
lowest validation loss. Each runs in a process of its own, in turns; what counts is building and training,
imports and reading excluded. As machines are noisy, read the ratios.

    python benchmarks/cohort.py [--turns 3] [--data FOLDER]
"""

import argparse
import itertools
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _common import DATA, Found, Job, facts, in_turns, medians, write_result


@dataclass(frozen=True)
class Work:
    """So many networks on one table: layers of units, rows a step, passes over the training rows."""

    title: str
    source: str
    target: str | int
    networks: int
    hidden: tuple[int, ...]
    batch: int
    epochs: int


WORKS = {
    "seeds": Work(
        "64 seeds of 30-64-64-1 on breast cancer", "bundled:breast_cancer", -1, 64, (64, 64), 32, 50
    ),
    "digits": Work("5 replicas of 60-128-64-10 on digits", "bundled:digits", -1, 5, (128, 64), 32, 50),
    "adult": Work(
        "5 replicas of 108-128-64-1 on Adult", "adult-census/adult-train.csv", 15, 5, (128, 64), 256, 10
    ),
}


def prepared(work: Work, data: Path) -> tuple[Any, Any]:
    """handrail's own split and encoding, the same for both, and a pipeline with all networks at their
    beginning.
    """
    from handrail.data.prepare import prepare
    from handrail.recipe import Recipe
    from handrail.runs.assembly import assemble, make_training_data

    source = work.source if work.source.startswith("bundled:") else str(data / work.source)
    recipe = Recipe.parse(
        {
            "data": {"source": source, "target": work.target},
            "model": {"mlp": {"hidden": list(work.hidden)}},
            "learning": {"gradient": {"optimizer": {"adamw": {"learning_rate": 1e-3, "weight_decay": 0.01}}}},
            "training": {
                "epochs": work.epochs,
                "batch_size": work.batch,
                "patience": None,
                "replicas": work.networks,
            },
        }
    )
    import torch

    dataset = prepare(recipe.data)
    recipe, _, pipeline = assemble(
        recipe, dataset.train, schema=dataset.schema, task=dataset.task, device=torch.device("cpu")
    )
    return pipeline, make_training_data(recipe, pipeline, dataset.train, dataset.validation)


def with_handrail(work: Work, pipeline: Any, training_data: Any) -> Callable[[], list[float]]:
    """handrail's replicas, by the road that `fit` takes."""
    import torch

    from handrail.runs.assembly import threads_for, with_network
    from handrail.runs.replicas import train_replicas
    from handrail.training.callbacks import Callback

    class Best(Callback):
        def __init__(self) -> None:
            self.figures: dict[int, tuple[float, float]] = {}

        def on_epoch_end(self, training: Any, epoch: int, figures: Any) -> None:
            now = (figures["val_loss"], figures["val_accuracy"])
            self.figures[id(training)] = min(self.figures.get(id(training), now), now)

    def train() -> list[float]:
        torch.set_num_threads(threads_for(training_data.recipe, pipeline, len(training_data.targets)))
        replicas = with_network(training_data.recipe, pipeline.encoder, pipeline.decoder)
        best = Best()
        train_replicas(training_data, replicas, callbacks=(best,))
        return [accuracy for _, accuracy in best.figures.values()]

    return train


def with_loop(work: Work, pipeline: Any, training_data: Any) -> Callable[[], list[float]]:
    """A plain loop, one network after another, as a careful user writes it."""
    import torch
    from torch import nn

    x, y, held_x, held_y = (
        training_data.inputs,
        training_data.targets,
        training_data.validation.inputs,
        training_data.validation.targets,
    )
    outputs = pipeline.decoder.outputs
    two = outputs == 1

    def network() -> nn.Sequential:
        sizes = (x.shape[1], *work.hidden)
        layers = [layer for a, b in itertools.pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
        return nn.Sequential(*layers, nn.Linear(work.hidden[-1], outputs))

    def loss_of(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if two:
            return nn.functional.binary_cross_entropy_with_logits(scores[:, 0], targets.float())
        return nn.functional.cross_entropy(scores, targets)

    def one(seed: int) -> float:
        torch.manual_seed(seed)
        made = network()
        optimizer = torch.optim.AdamW(made.parameters(), lr=1e-3, weight_decay=0.01)
        best = (float("inf"), 0.0)
        for _ in range(work.epochs):
            made.train()
            for rows in torch.randperm(len(x)).split(work.batch):
                optimizer.zero_grad()
                loss_of(made(x[rows]), y[rows]).backward()
                optimizer.step()
            made.eval()
            with torch.no_grad():
                scores = made(held_x)
                said = (scores[:, 0] > 0).long() if two else scores.argmax(1)
                best = min(best, (float(loss_of(scores, held_y)), float((said == held_y).float().mean())))
        return best[1]

    return lambda: [one(seed) for seed in range(work.networks)]


CONTENDERS = {"handrail": with_handrail, "PyTorch loop": with_loop}


def run_one(name: str, contender: str, data: Path) -> Found:
    """Train by one contender in this process."""
    warnings.simplefilter("ignore")
    # Torch imports its compiler at the first step of an optimizer; that is no training.
    __import__("torch._dynamo")
    work = WORKS[name]
    pipeline, training_data = prepared(work, data)
    train = CONTENDERS[contender](work, pipeline, training_data)
    began = time.perf_counter()
    scores = train()
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "accuracy": statistics.fmean(scores), "spread": statistics.stdev(scores)}


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--works", default=",".join(WORKS), help=f"some of {', '.join(WORKS)}")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--one", nargs=2, metavar=("WORK", "CONTENDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        work, contender = asked.one
        print(json.dumps(run_one(work, contender, asked.data)))
        return
    names = asked.works.split(",")
    jobs = {
        (name, contender): Job(["--one", name, contender, "--data", str(asked.data.absolute())])
        for name in names
        for contender in CONTENDERS
    }
    with tempfile.TemporaryDirectory() as folder:
        figures = {
            key: medians(runs)
            for key, runs in in_turns(__file__, jobs, turns=asked.turns, folder=Path(folder)).items()
        }
    lines = [
        "# Many networks at once",
        "",
        facts("handrail", "torch"),
        f"Medians of {asked.turns} turns.",
        "",
    ]
    for name in names:
        lines += [f"## {WORKS[name].title}, batch {WORKS[name].batch}, {WORKS[name].epochs} epochs", ""]
        lines += [
            "| | seconds | times handrail | validation accuracy (mean ± standard deviation) |",
            "|---|---|---|---|",
        ]
        own = figures[name, "handrail"]["seconds"]
        for contender in CONTENDERS:
            run = figures[name, contender]
            lines.append(
                f"| {contender} | {run['seconds']:.2f} | {run['seconds'] / own:.1f} | {run['accuracy']:.4f} "
                f"± {run['spread']:.4f} |"
            )
        lines.append("")
    text = "\n".join(lines)
    if set(names) == set(WORKS):
        write_result("cohort.md", text)
    print(text)


if __name__ == "__main__":
    main()

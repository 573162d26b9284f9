"""Which rule for the temperature gives the best log loss on rows that it has not seen?

Small networks are trained on many tables with many seeds; the temperature is chosen on a few validation rows
and measured on test rows. Writes `benchmarks/results/temperature.md`.

    python benchmarks/temperature.py [--seeds 8]
"""

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy.optimize import minimize_scalar
from sklearn.datasets import make_classification

import handrail
from handrail.evaluation import calibration
from handrail.tasks.scoring import all_scores

_RESULTS = Path(__file__).parent / "results" / "temperature.md"
Margins = np.ndarray  # [rows, classes]: how far each score lies above that of the truth


@dataclass(frozen=True)
class Scored:
    """The scores of a trained network on validation and test rows, as margins."""

    table: str
    validation: Margins
    test: Margins


def loss(margins: Margins, temperature: float) -> float:
    """Mean log loss in nats."""
    scaled = margins / temperature
    highest = scaled.max(axis=1)
    return float(np.mean(np.log(np.exp(scaled - highest[:, None]).sum(axis=1)) + highest))


def _minimise(objective: Callable[[float], float]) -> float:
    found = minimize_scalar(
        lambda logarithm: objective(float(np.exp(logarithm))),
        bounds=(np.log(0.05), np.log(20)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))


def fitted(margins: Margins) -> float:
    """The smallest validation loss, 1 where every row is right: what handrail did until now."""
    return 1.0 if (margins <= 0).all() else _minimise(lambda t: loss(margins, t))


def never_below_one(margins: Margins) -> float:
    """The same, but never sharper than the network's own scores."""
    return max(1.0, fitted(margins))


def pulled_to_one(spread: float) -> Callable[[Margins], float]:
    """A normal prior on ln T with mean 0: rows × loss + (ln T / spread)² / 2."""
    return lambda margins: _minimise(
        lambda t: len(margins) * loss(margins, t) + 0.5 * (np.log(t) / spread) ** 2
    )


def smoothed(margins: Margins) -> float:
    """One more error than was seen: each row is wrong with a chance of 1 / (rows + 2) (Platt 1999)."""
    return _minimise(_smoothed_loss(margins))


def _smoothed_loss(margins: Margins) -> Callable[[float], float]:
    rows, classes = margins.shape
    chance = 1 / (rows + 2)
    # The margin of the truth is 0: the mean over the others is that of all by classes / (classes − 1).
    others = margins.sum(axis=1) / (classes - 1)
    return lambda t: loss(margins, t) - chance * float(others.mean()) / t


def by_folds(margins: Margins) -> float:
    """The fitted T, where T chosen on other folds is better than 1 on the rows of each of ten folds."""
    fold = np.random.default_rng(0).permutation(len(margins)) % 10
    gains = 0.0
    for number in range(10):
        held = margins[fold == number]
        if len(held):
            gains += len(held) * (loss(held, 1.0) - loss(held, fitted(margins[fold != number])))
    return fitted(margins) if gains > 0 else 1.0


RULES: dict[str, Callable[[Margins], float]] = {
    "T = 1": lambda _: 1.0,
    "fitted": fitted,
    "fitted, never below 1": never_below_one,
    "prior, 0.5": pulled_to_one(0.5),
    "prior, 0.25": pulled_to_one(0.25),
    "prior, 0.15": pulled_to_one(0.15),
    "prior, 0.25, never below 1": lambda margins: max(1.0, pulled_to_one(0.25)(margins)),
    "prior, 0.25, below 1 if clear: handrail": calibration.temperature_of,
    "ten folds": by_folds,
    "one more error": smoothed,
}


def tables(seeds: int, folder: Path) -> Iterator[tuple[str, str, dict]]:
    """Name, source and changes of each fit."""
    for name, target in (("digits", "target"), ("breast_cancer", "target"), ("iris", "target")):
        for seed in range(seeds):
            yield name, f"bundled:{name}", {"seed": seed, "data.split.seed": seed, "data.target": target}
    unsure = (
        ("3 epochs", {"training.epochs": 3}),
        ("labels smoothed", {"objective.loss": {"cross_entropy": {"label_smoothing": 0.2}}}),
    )
    for label, changes in unsure:  # networks whose scores should be sharpened
        for seed in range(seeds):
            common = {"seed": seed, "data.split.seed": seed, "data.target": "target"}
            yield f"digits, {label}", "bundled:digits", {**common, **changes}
    for rows, classes, noise in (
        (300, 2, 0.0),
        (300, 2, 0.15),
        (1500, 5, 0.0),
        (1500, 5, 0.15),
        (4000, 3, 0.05),
    ):
        for seed in range(seeds):
            made = make_classification(
                rows,
                12,
                n_informative=8,
                n_classes=classes,
                flip_y=noise,
                class_sep=1.5,
                random_state=seed,
            )
            x, y = (np.asarray(part) for part in made)
            path = folder / f"{rows}-{classes}-{noise}-{seed}.csv"
            frame = {f"x{column}": x[:, column] for column in range(x.shape[1])}
            pl.DataFrame({**frame, "target": [f"c{code}" for code in y]}).write_csv(path)
            name = f"{rows:,} rows, {classes} classes, {noise:.0%} wrong"
            yield name, str(path), {"seed": seed, "data.split.seed": seed, "data.target": "target"}


def score(name: str, source: str, changes: dict, folder: Path) -> Scored:
    """Fit a network and score its validation and test rows."""
    run = handrail.fit(source, changes={"training.epochs": 40, **changes}, out=folder / "run")
    pipeline, parts = run.pipeline, run.parts()[1:]
    validation, test = (
        calibration.margins_of(
            all_scores(pipeline.network, pipeline.rows(part)).double().numpy(),
            part.target.numpy(),
            pipeline.task.name,
        )
        for part in parts
    )
    return Scored(name, validation, test)


def main() -> None:
    """Train, choose, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    seeds = parser.parse_args().seeds
    with tempfile.TemporaryDirectory() as scratch:
        scored = []
        for number, (name, source, changes) in enumerate(tables(seeds, Path(scratch))):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            scored.append(score(name, source, changes, folder))
    _RESULTS.write_text(report(scored, seeds), encoding="utf-8")


def report(scored: list[Scored], seeds: int) -> str:
    """Rules as rows, tables as columns: the change of the test log loss against T = 1, in millinats."""
    by_table: dict[str, list[Scored]] = defaultdict(list)
    for each in scored:
        by_table[each.table].append(each)
    lines = [
        "# Temperatures",
        "",
        f"Change of the test log loss against T = 1, in thousandths of a nat: the mean over {seeds} seeds,",
        "and the worst of them. Made by `benchmarks/temperature.py`.",
        "",
        "| rule | all, mean | all, worst | " + " | ".join(by_table) + " |",
        "|---" * (len(by_table) + 3) + "|",
    ]
    for name, rule in RULES.items():
        cells, every = [], []
        for group in by_table.values():
            changes = [1000 * (loss(s.test, rule(s.validation)) - loss(s.test, 1.0)) for s in group]
            every += changes
            cells.append(f"{np.mean(changes):+.1f} ({max(changes):+.1f})")
        lines.append(f"| {name} | {np.mean(every):+.1f} | {max(every):+.1f} | " + " | ".join(cells) + " |")
    below = [rule(s.validation) < 1 for s in scored for rule in (RULES["fitted"],)]
    lines += [
        "",
        f"Loss at T = 1: {np.mean([loss(s.test, 1.0) for s in scored]):.3f} on average; the fitted T is "
        f"below 1 in {np.mean(below):.0%} of the fits.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

"""Classes by their distributions: p(x | y)·p(y), beside networks that learn p(y | x), over numbers of rows.

Of any density model one is fitted to the rows of each class, and a row belongs to the class with the largest
log p(x | y) + log p(y). Beside it stand networks that tell classes apart directly, on the same rows. With few
rows what a distribution assumes helps; with many the direct way has less to assume, and wins (Ng & Jordan
2002, of naive Bayes and logistic regression).

Columns are standardised by the rows that are fitted, all classes together, and no class scales them anew, so
that densities of different classes are in the same units. Each number of rows and each seed draws other rows
out of those for training; all are judged by the same rows.

    HANDRAIL_DATA=folder python experiments/class_distributions.py [--rows 50 150 500 1500 5000 --seeds 3]

Writes `benchmarks/results/class_distributions.md`. Source: Ng & Jordan 2002
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, Int

import handrail
from handrail.tasks.baselines.densities import full_gaussian, independent_gaussian

ROOT = Path(__file__).parents[1]
HELD = 5000  # rows that all are judged by
Cloud = Float[np.ndarray, "rows width"]
Classes = Int[np.ndarray, " rows"]
Density = Callable[[Cloud, Cloud, Path, int], Float[np.ndarray, " rows"]]
"log p of the second rows, by what is fitted to the first; with a folder for a run, and a seed."


def housing(data: Path) -> tuple[Cloud, Classes]:
    """Whether houses of a district of California are dearer than in most, by its other numbers."""
    rows = pl.read_csv(data / "california-housing/housing.csv").drop_nulls()
    value = rows["median_house_value"]
    x = rows.drop("median_house_value", "ocean_proximity").to_numpy()
    return x.astype(np.float64), (value > value.median()).to_numpy().astype(np.int64)


def table(x: Cloud) -> pl.DataFrame:
    """Rows as a table of numbers."""
    return pl.DataFrame({f"x{place}": x[:, place] for place in range(x.shape[1])})


def fitted_density(model: Any) -> Density:
    """A density model of handrail."""

    def density(known: Cloud, asked: Cloud, out: Path, seed: int) -> Float[np.ndarray, " rows"]:
        changes = {"model": model, "data.encoding": {"scaling": "none"}, "seed": seed, **QUICK}
        kinds = {f"x{place}": "numeric" for place in range(known.shape[1])}
        run = handrail.fit(
            table(known), changes={**changes, "data.columns": kinds}, out=out, progress="plain"
        )
        return run.use("score", table(asked)).frame["log_density"].to_numpy()

    return density


QUICK: dict[str, Any] = {"evaluation.resamples": 100, "data.split.test": 0.05}
DENSITIES: dict[str, Density] = {
    "normal, independent columns (naive Bayes)": lambda known, asked, _out, _seed: independent_gaussian(
        known, asked
    ),
    "normal": lambda known, asked, _out, _seed: full_gaussian(known, asked),
    "realnvp": fitted_density("realnvp"),
}
DIRECT: dict[str, Any] = {"linear (logistic regression)": "linear", "mlp": "mlp"}


def by_distributions(
    density: Density, known: Cloud, classes: Classes, asked: Cloud, *, out: Path, seed: int
) -> Classes:
    """The class with the largest log p(x | y) + log p(y)."""
    scores = []
    for each in range(int(classes.max()) + 1):
        own = known[classes == each]
        scores.append(density(own, asked, out / f"class{each}", seed) + np.log(len(own) / len(known)))
    return np.argmax(scores, axis=0)


def directly(model: Any, known: Cloud, classes: Classes, asked: Cloud, *, out: Path, seed: int) -> Classes:
    """The class that a network finds most probable."""
    rows = table(known).with_columns(pl.Series("y", classes))
    changes = {"model": model, "data.target": "y", "seed": seed, **QUICK}
    run = handrail.fit(rows, changes=changes, out=out, progress="plain")
    return run.predict(table(asked)).frame["prediction"].cast(pl.Int64).to_numpy()


def accuracies(x: Cloud, classes: Classes, count: int, *, seed: int, out: Path) -> dict[str, float]:
    """Of each way, fitted to so many rows."""
    order = np.random.default_rng(0).permutation(len(x))
    held, rest = order[:HELD], order[HELD:]
    chosen = np.random.default_rng(1 + seed).permutation(rest)[:count]
    middle, spread = x[chosen].mean(axis=0), x[chosen].std(axis=0)
    known, asked = ((x[some] - middle) / spread for some in (chosen, held))
    found: dict[str, float] = {}
    ways: dict[str, tuple[Callable[..., Classes], Any]] = {
        **{f"p(x given y): {name}": (by_distributions, way) for name, way in DENSITIES.items()},
        **{f"p(y given x): {name}": (directly, way) for name, way in DIRECT.items()},
    }
    for place, (name, (classify, way)) in enumerate(ways.items()):
        answers = classify(way, known, classes[chosen], asked, out=out / f"way{place}", seed=seed)
        found[name] = float((answers == classes[held]).mean())
    return found


def lines_of(results: Mapping[int, list[dict[str, float]]]) -> list[str]:
    """A table: a line a way, a column a number of rows."""
    head = ["| |" + "".join(f" {count:,} rows |" for count in results), "|---|" + "---|" * len(results)]
    for name in next(iter(results.values()))[0]:
        cells = []
        for found in results.values():
            own = [each[name] for each in found]
            cells.append(f"{statistics.mean(own):.3f} ({min(own):.3f} to {max(own):.3f})")
        head.append(f"| {name} | {' | '.join(cells)} |")
    return head


def main(arguments: list[str] | None = None) -> dict[int, list[dict[str, float]]]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("HANDRAIL_DATA", ROOT / "shared/data"))
    )
    parser.add_argument("--rows", type=int, nargs="*", default=[50, 150, 500, 1500, 5000])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results")
    asked = parser.parse_args(arguments)
    x, classes = housing(asked.data)
    results: dict[int, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in asked.rows:
            results[count] = [
                accuracies(x, classes, count, seed=seed, out=Path(folder) / f"{count}-{seed}")
                for seed in range(asked.seeds)
            ]
            print(count, results[count], flush=True)
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("handrail", "torch"))
    text = [
        "# Classes by their distributions",
        "",
        f"{versions}, {datetime.now(UTC):%Y-%m-%d}. Districts of California: dearer than most or not, "
        f"by {x.shape[1]} numbers. Accuracy on {HELD:,} rows that were held out; {asked.seeds} draws of the "
        "rows that are fitted: mean, least, most. Networks take rows for validation, and a few for a test, "
        "out of these.",
        "",
        *lines_of(results),
    ]
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "class_distributions.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    return results


if __name__ == "__main__":
    main()

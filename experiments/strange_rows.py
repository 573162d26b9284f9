"""Strange rows and gaps of tables: a variational autoencoder beside what people would use.

Anomalies: one row in a hundred is spoilt, and nobody says which. In *mixed-up* rows each number comes from
another row, so that every column looks as it should and only together they do not fit; in *far* rows three of
the numbers lie three to six standard deviations from the mean. The network and an isolation forest learn from
all rows and score all; shown are the average precision (of all rows .01 by chance) and the area under the
curve, over seeds that choose other rows and begin anew.

Gaps: a tenth of the numbers of rows that nobody learned from is taken out, and filled by the network, by
chained regressions (scikit-learn's `IterativeImputer`), by the five nearest rows (`KNNImputer`) and by the
mean. Shown is the root of the mean squared error, in standard deviations of the column.

    HANDRAIL_DATA=folder python experiments/strange_rows.py [--seeds 3]

Writes `benchmarks/results/strange_rows.md`. Sources: Kingma & Welling 2014; Liu, Ting & Zhou 2008 (forest);
van Buuren & Groothuis-Oudshoorn 2011 (chained regressions)
"""

import argparse
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Float
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - as scikit-learn asks
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

import handrail

ROOT = Path(__file__).parents[1]
SPOILT, FAR, NEAR_END, FAR_END, GAPS, HELD = 0.01, 3, 3.0, 6.0, 0.1, 0.2
EPOCHS = 100
Table = Float[np.ndarray, "rows columns"]
Found = dict[tuple[str, str], list[tuple[float, ...]]]


def cancer(_data: Path) -> Table:
    """Measures of cells."""
    return np.asarray(load_breast_cancer(return_X_y=True)[0], dtype=np.float64)


def wine(data: Path) -> Table:
    """Chemical measures of white wines."""
    rows = pl.read_csv(data / "wine-quality/winequality-white.csv", has_header=False)
    return rows.to_numpy()[:, :-1].astype(np.float64)


def housing(data: Path) -> Table:
    """Districts of California; the category and districts with gaps are left out."""
    return (
        pl.read_csv(data / "california-housing/housing.csv").drop("ocean_proximity").drop_nulls().to_numpy()
    )


TABLES: dict[str, Callable[[Path], Table]] = {"breast cancer": cancer, "wine": wine, "housing": housing}


def mixed_up(rows: Table, chosen: np.ndarray, rng: np.random.Generator) -> Table:
    """Rows of which each number is that of another row."""
    spoilt = rows.copy()
    for column in range(rows.shape[1]):
        spoilt[chosen, column] = rows[rng.integers(len(rows), size=len(chosen)), column]
    return spoilt


def far(rows: Table, chosen: np.ndarray, rng: np.random.Generator) -> Table:
    """Rows of which three numbers lie far from the mean."""
    spoilt, width = rows.copy(), rows.shape[1]
    for row in chosen:
        columns = rng.permutation(width)[:FAR]
        moves = rng.choice([-1, 1], len(columns)) * rng.uniform(NEAR_END, FAR_END, len(columns))
        spoilt[row, columns] = rows.mean(axis=0)[columns] + moves * rows.std(axis=0)[columns]
    return spoilt


KINDS = {"mixed-up": mixed_up, "far": far}


def as_frame(rows: Table) -> pl.DataFrame:
    """With a gap where a number is missing."""
    frame = pl.DataFrame(rows, schema=[f"x{place}" for place in range(rows.shape[1])])
    return frame.fill_nan(None)


def fitted(rows: Table, seed: int, out: Path) -> handrail.Run:
    changes = {"model": "vae", "training.epochs": EPOCHS, "seed": seed, "evaluation.resamples": 100}
    return handrail.fit(as_frame(rows), changes=changes, out=out)


def find_anomalies(rows: Table, kind: str, seed: int, out: Path) -> dict[str, tuple[float, ...]]:
    """Average precision and area under the curve, by who scored."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(rows))[: max(1, round(SPOILT * len(rows)))]
    spoilt = KINDS[kind](rows, chosen, rng)
    strange: Bool[np.ndarray, " rows"] = np.isin(np.arange(len(rows)), chosen)
    run = fitted(spoilt, seed, out)
    ours = -run.score(as_frame(spoilt)).frame["log_density"].to_numpy()
    scaled = StandardScaler().fit_transform(spoilt)
    theirs = -IsolationForest(random_state=seed).fit(scaled).score_samples(scaled)
    return {
        name: (float(average_precision_score(strange, given)), float(roc_auc_score(strange, given)))
        for name, given in (("vae", ours), ("isolation forest", theirs))
    }


def fill_gaps(rows: Table, seed: int, out: Path) -> dict[str, tuple[float, ...]]:
    """The error of each way to fill, in standard deviations."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(rows))
    held = round(HELD * len(rows))
    known, asked = rows[order[held:]], rows[order[:held]]
    scale = StandardScaler().fit(known)
    gaps = rng.random(asked.shape) < GAPS
    given = np.where(gaps, np.nan, asked)
    filled = {"vae": fitted(known, seed, out).use("fill", as_frame(given)).frame.to_numpy()}
    others = {
        "chained regressions": IterativeImputer(random_state=seed, max_iter=20),
        "nearest rows": KNNImputer(),
        "mean": SimpleImputer(),
    }
    for name, way in others.items():
        way.fit(scale.transform(known))
        filled[name] = scale.inverse_transform(way.transform(scale.transform(given)))
    return {name: (_error((made - asked) / scale.scale_, gaps),) for name, made in filled.items()}


def _error(gaps_apart: Table, gaps: Bool[np.ndarray, "rows columns"]) -> float:
    return float(np.sqrt(np.square(gaps_apart[gaps]).mean()))


def line(name: str, values: Sequence[tuple[float, ...]]) -> str:
    """Means and standard deviations over the seeds."""
    columns = zip(*values, strict=True)
    spread = [f"{np.mean(each):.3f} ± {np.std(each, ddof=min(1, len(each) - 1)):.3f}" for each in columns]
    return f"| {name} | {' | '.join(spread)} |"


def main(arguments: Sequence[str] | None = None) -> tuple[Found, Found]:
    """Find and fill, write the page; the figures of both tables by data and system."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HANDRAIL_DATA", ROOT)))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results")
    asked = parser.parse_args(arguments)
    anomalies: Found = {}
    gaps: Found = {}
    with tempfile.TemporaryDirectory() as place:
        os.environ["HANDRAIL_HOME"] = str(Path(place) / "home")  # a ledger for this experiment alone
        for name in asked.tables:
            rows = TABLES[name](asked.data)
            for seed in range(asked.seeds):
                for kind in KINDS:
                    out = Path(place) / f"{name}-{kind}-{seed}"
                    for system, found in find_anomalies(rows, kind, seed, out).items():
                        anomalies.setdefault((f"{name}, {kind}", system), []).append(found)
                for system, found in fill_gaps(rows, seed, Path(place) / f"{name}-gaps-{seed}").items():
                    gaps.setdefault((name, system), []).append(found)
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("handrail", "torch", "scikit-learn"))
    machine = f"{platform.machine()}, {os.cpu_count()} processors, {datetime.now(UTC):%Y-%m-%d}"
    lines = [
        "# Strange rows, and gaps",
        "",
        f"experiments/strange_rows.py, {asked.seeds} seeds, {EPOCHS} epochs at most; {versions}, {machine}. "
        "Means ± standard deviations over the seeds.",
        "",
        "## One row in a hundred is strange",
        "",
        "| rows | scored by | average precision | area under the curve |",
        "|---|---|---|---|",
        *(line(f"{name} | {system}", values) for (name, system), values in anomalies.items()),
        "",
        "## A tenth of the numbers is missing",
        "",
        "| rows | filled by | error, standard deviations |",
        "|---|---|---|",
        *(line(f"{name} | {system}", values) for (name, system), values in gaps.items()),
    ]
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "strange_rows.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return anomalies, gaps


if __name__ == "__main__":
    main()

"""How good the rows are that a variational autoencoder makes of tables with columns of several kinds.

A network is trained on the training rows, what is to be told among the columns, and draws as many new ones.
Gradient boosted trees are trained on these, on the real training rows, and on rows of which each column was
shuffled by itself; all three are judged by real rows that were held out (Xu et al. 2019 call it machine
learning efficacy). Beside it stands the log-likelihood of the held-out rows, in nats, which is a bound, and
that of independent columns.

Rows are divided at random into 60 % for training, 20 % for validation, by which the epoch is chosen, and
20 % for the test. `--judge validation` judges by the second, and is what settings were chosen by.

    HANDRAIL_DATA=folder python experiments/made_tables.py [--seeds 3 --tables adult credit wine housing]

Writes `benchmarks/results/made_tables.md`. Sources: Kingma & Welling 2014; Xu et al. 2019
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import OrdinalEncoder

import handrail

ROOT = Path(__file__).parents[1]
TARGET = "asked"
SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
Settings = dict[str, Any]


def adult(data: Path) -> pl.DataFrame:
    """Whether an income is above 50,000 dollars."""
    text = (data / "adult-census/adult-train.csv").read_text(encoding="utf-8").replace(", ", ",")
    read: Settings = {"null_values": ["?"], "infer_schema_length": None, "has_header": False}
    rows = pl.read_csv(text.encode(), **read)
    last = rows.columns[-1]
    return _asked(rows.drop(last), rows[last].str.contains(">"))


def credit(data: Path) -> pl.DataFrame:
    """Whether a loan is paid back; the columns of categories are written as numbers."""
    rows = pl.read_csv(data / "credit-scoring/CreditScoring.csv")
    return _asked(rows.drop("Status"), rows["Status"] == 2)


def wine(data: Path) -> pl.DataFrame:
    """Whether a white wine is better than most."""
    path = data / "wine-quality/winequality-white.csv"
    rows = pl.read_csv(path, has_header=False, new_columns=[f"measure_{place}" for place in range(12)])
    return _asked(rows.drop("measure_11"), rows["measure_11"] >= 7)


def housing(data: Path) -> pl.DataFrame:
    """Whether houses of a district of California are dearer than in most."""
    rows = pl.read_csv(data / "california-housing/housing.csv")
    value = rows["median_house_value"]
    return _asked(rows.drop("median_house_value"), value > value.median())


def _asked(rows: pl.DataFrame, answer: pl.Series) -> pl.DataFrame:
    words = answer.replace_strict([True, False], ["yes", "no"], return_dtype=pl.String)
    return rows.with_columns(words.alias(TARGET))


TABLES: dict[str, Callable[[Path], pl.DataFrame]] = {
    "adult": adult,
    "credit": credit,
    "wine": wine,
    "housing": housing,
}


def divided(rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The three parts, always the same."""
    order = np.random.default_rng(0).permutation(len(rows))
    ends = np.cumsum([round(share * len(rows)) for share in SHARES.values()])[:-1]
    return {part: rows[some] for part, some in zip(SHARES, np.split(order, ends), strict=True)}


def judged(train: pl.DataFrame, held: pl.DataFrame) -> float:
    """The area under the curve on real rows, of trees trained on these."""
    words = [name for name, kind in held.schema.items() if kind == pl.String and name != TARGET]
    numbers = [name for name in held.columns if name not in (*words, TARGET)]
    coder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    coder.fit(train[words].fill_null("?")) if words else None

    def encoded(rows: pl.DataFrame) -> np.ndarray:
        parts = [rows[numbers].cast(pl.Float64).to_numpy()]
        return np.hstack([*parts, coder.transform(rows[words].fill_null("?"))] if words else parts)

    known = (train[TARGET] == "yes").fill_null(False).to_numpy()
    if known.all() or not known.any():  # trees have nothing to tell apart
        return 0.5
    trees = HistGradientBoostingClassifier(random_state=0).fit(encoded(train), known)
    return float(roc_auc_score(held[TARGET] == "yes", trees.predict_proba(encoded(held))[:, 1]))


def shuffled(rows: pl.DataFrame) -> pl.DataFrame:
    """Each column by itself."""
    rng = np.random.default_rng(0)
    return rows.select(pl.col(name).gather(rng.permutation(len(rows))) for name in rows.columns)


def made(parts: dict[str, pl.DataFrame], settings: Settings, seed: int, judge: str, out: Path) -> Settings:
    """What a network's rows are worth, and the bounds of the validation rows."""
    out.mkdir(parents=True)
    files = {part: str(out / f"{part}.csv") for part in parts}
    for part, rows in parts.items():
        rows.write_csv(files[part])
    began = time.monotonic()
    changes = {
        "data.source": files["train"],
        "data.validation": files["validation"],
        "data.test": files["test"],
        "data.columns": {TARGET: "category"},
        "seed": seed,
        **settings,
    }
    run = handrail.fit(changes=changes, out=out / "run")
    minutes = (time.monotonic() - began) / 60
    drawn = run.generate(len(parts["train"]), seed=0).frame
    # Columns that the network sets aside are no part of what is judged.
    kept = [name for name in parts["train"].columns if name in drawn.columns]
    own = run.summary["metrics"]["log_likelihood"]["value"]
    beside = run.summary["baselines"]["independent columns"]["log_likelihood"]["value"]
    auc = judged(drawn[kept], parts[judge][kept])
    return {"auc": auc, "own": own, "independent": beside, "minutes": minutes}


def row(name: str, parts: dict[str, pl.DataFrame], found: list[Settings], judge: str) -> str:
    """A row of the table."""
    real, apart = (judged(rows, parts[judge]) for rows in (parts["train"], shuffled(parts["train"])))
    aucs = [each["auc"] for each in found]
    spread = f"{statistics.mean(aucs):.3f} ({min(aucs):.3f} to {max(aucs):.3f})"
    nats = [statistics.mean(each[key] for each in found) for key in ("own", "independent", "minutes")]
    cells = [name, f"{len(parts['train']):,}", f"{real:.3f}", spread, f"{apart:.3f}"]
    return f"| {' | '.join([*cells, *(f'{each:.2f}' for each in nats)])} |"


def main(arguments: list[str] | None = None) -> dict[str, list[Settings]]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("HANDRAIL_DATA", ROOT / "shared/data"))
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tables", nargs="*", choices=[*TABLES], default=[*TABLES])
    parser.add_argument("--judge", choices=["validation", "test"], default="test")
    parser.add_argument(
        "--settings", type=json.loads, default={"model": "vae"}, help="of the recipe, as JSON"
    )
    asked = parser.parse_args(arguments)
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("handrail", "torch"))
    lines = [
        "# Tables that a variational autoencoder makes",
        "",
        f"{versions}, {datetime.now(UTC):%Y-%m-%d}. `{json.dumps(asked.settings)}`; {asked.seeds} seeds: "
        f"mean, least, most. Area under the curve on real {asked.judge} rows of trees trained on real "
        "rows, on made ones, and on rows whose columns were shuffled apart; the mean bound on log p(x) of a "
        "validation row, in nats, beside that of independent columns; minutes of a fit.",
        "",
        "| table | rows | real | made | independent | nats | of independent columns | minutes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    results: dict[str, list[Settings]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.tables:
            parts = divided(TABLES[name](asked.data))
            results[name] = [
                made(parts, asked.settings, seed, asked.judge, Path(folder) / f"{name}-{seed}")
                for seed in range(asked.seeds)
            ]
            lines.append(row(name, parts, results[name], asked.judge))
            print(lines[-1], flush=True)
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "made_tables.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return results


if __name__ == "__main__":
    main()

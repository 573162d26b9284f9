"""Split first: whatever stands in the test rows, nothing that is fitted and no validation figure changes by a
bit.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from handrail import convert, fit
from handrail.data.writers import infer_types
from handrail.run import Run

RULES = {
    "gradient": {
        "learning": "gradient",
        "model": {"mlp": {"hidden": [16], "dropout": 0.1}},
        "training.epochs": 4,
    },
    "rosenblatt": {"learning": "rosenblatt", "model": "linear", "training.epochs": 4},
    "delta": {"learning": "delta", "model": "linear", "training.epochs": 4},
    "least_squares": {"learning": "least_squares", "model": "linear"},
    "placed units": {"learning": "least_squares", "model": {"rbf": {"units": 20}}},
    "stages": {
        "stages": [{"model": {"rbm": {"visible": "gaussian", "units": 8}}, "epochs": 2}],
        "training.epochs": 3,
    },
}
SOURCES = [
    "csv",
    "tsv",
    "json",
    "jsonl",
    "parquet",
    "arrow",
    "npz",
    "sqlite",
    "postgresql",
    "csv.gz",
    "polars",
    "pandas",
    "pyarrow",
    "dict",
]


def a_table(rows: int = 400) -> pl.DataFrame:
    """Numbers with gaps, whole numbers, categories, yes and no, dates; two classes."""
    chance = np.random.default_rng(5)
    x = chance.normal(size=rows)
    c = chance.choice(["red", "green", "blue", "rare"], size=rows, p=[0.4, 0.3, 0.27, 0.03])
    label = np.where(x + (c == "red") + chance.normal(size=rows) * 0.5 > 0.3, "up", "down")
    days = chance.integers(0, 2000, size=rows)
    return pl.DataFrame(
        {
            "x": [
                None if gap else float(v)
                for v, gap in zip(x.round(6), chance.random(rows) < 0.1, strict=True)
            ],
            "n": chance.integers(0, 50, size=rows),
            "c": c,
            "flag": chance.choice(["yes", "no"], size=rows),
            "day": [str(np.datetime64("2019-01-01") + int(d)) for d in days],
            "label": label,
        }
    )


def garbage(table: pl.DataFrame, rows: np.ndarray) -> pl.DataFrame:
    """Other values of the right type in these rows, the target included."""
    chance = np.random.default_rng(99)
    count = len(rows)
    other = {
        "x": chance.normal(size=count) * 1e6,
        "n": chance.integers(-9999, 9999, size=count),
        "c": chance.choice(["violet", "red"], size=count),
        "flag": chance.choice(["yes", "no"], size=count),
        "day": [f"{year}-07-07" for year in chance.integers(1700, 2200, size=count)],
        "label": chance.choice(["up", "down"], size=count, p=[0.9, 0.1]),
    }
    columns = []
    for name in table.columns:
        values = table[name].to_list()
        for row, value in zip(rows, other[name], strict=True):
            values[row] = value.item() if hasattr(value, "item") else value
        columns.append(pl.Series(name, values, dtype=table[name].dtype))
    return pl.DataFrame(columns)


def as_source(table: pl.DataFrame, kind: str, folder: Path, postgres: str | None = None) -> Any:
    if kind in ("polars", "pandas", "pyarrow", "dict"):
        return {
            "polars": table,
            "pandas": table.to_pandas(),
            "pyarrow": table.to_arrow(),
            "dict": {c: table[c].to_numpy() for c in table.columns},
        }[kind]
    folder.mkdir(exist_ok=True)
    destination = postgres or str(folder / f"table.{kind}")
    convert(table, destination, table="rows" if kind in ("sqlite", "postgresql") else None, overwrite=True)
    return destination


def fitted(run: Run) -> tuple[bytes, bytes, list, dict]:
    """Everything that was learned, and every validation figure."""
    lines = [json.loads(line) for line in run.folder.metrics.read_text().splitlines()]
    records = [{key: value for key, value in line.items() if key != "seconds"} for line in lines]
    summary = {
        key: run.summary[key]
        for key in ("task", "columns", "decisions", "metrics", "baselines", "comparison")
    }
    return (
        (run.folder.model / "weights.safetensors").read_bytes(),
        (run.folder.model / "pipeline.json").read_bytes(),
        records,
        summary,
    )


def check(source: Any, other: Any, changes: dict, folder: Path) -> None:
    changes = {"evaluation.resamples": 100, **changes}
    first = fit(source, "label", changes=changes, out=folder / "first")
    second = fit(other, "label", changes=changes, out=folder / "second")
    assert (first.folder.split.read_bytes(), fitted(first)) == (
        second.folder.split.read_bytes(),
        fitted(second),
    )
    assert first.folder.sealed_hashes.read_bytes() != second.folder.sealed_hashes.read_bytes(), (
        "the test rows were not replaced"
    )


def test_rows(table: pl.DataFrame, folder: Path, **changes: Any) -> np.ndarray:
    """The test rows as drawn by a fit of the untouched table."""
    run = fit(
        table,
        "label",
        changes={"training.epochs": 1, "evaluation.resamples": 100, **changes},
        out=folder / "draw",
    )
    parts = pl.read_parquet(run.folder.split)
    return np.flatnonzero((parts["part"] == "test").to_numpy())


test_rows.__test__ = False  # pyright: ignore


@pytest.mark.parametrize("kind", SOURCES)
def test_garbage_in_test_rows_changes_nothing_for_every_kind_of_source(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    postgres = request.getfixturevalue("postgres_url") if kind == "postgresql" else None
    table = a_table()
    other = garbage(table, test_rows(table, tmp_path))
    # One database holds one of the tables at a time: the first fit is over before the second table is
    # written.
    first = fit(
        as_source(table, kind, tmp_path / "a", postgres),
        "label",
        changes=changes_for(kind),
        out=tmp_path / "first",
    )
    second = fit(
        as_source(other, kind, tmp_path / "b", postgres),
        "label",
        changes=changes_for(kind),
        out=tmp_path / "second",
    )
    assert (first.folder.split.read_bytes(), fitted(first)) == (
        second.folder.split.read_bytes(),
        fitted(second),
    )
    assert first.folder.sealed_hashes.read_bytes() != second.folder.sealed_hashes.read_bytes(), (
        "the test rows were not replaced"
    )


def changes_for(kind: str) -> dict:
    reading = {"data.read.table": "rows"} if kind in ("sqlite", "postgresql") else {}
    return {"name": "same", "evaluation.resamples": 100, **RULES["gradient"], **reading}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("method", ["auto", "random"])
def test_garbage_in_test_rows_changes_nothing_for_every_rule(rule: str, method: str, tmp_path: Path) -> None:
    table = a_table()
    changes = {**RULES[rule], "data.split.method": method}
    check(
        table, garbage(table, test_rows(table, tmp_path, **{"data.split.method": method})), changes, tmp_path
    )


@pytest.mark.parametrize("settings", [
    {"data.encoding.scaling": "quantile", "data.encoding.missing": "mean"},
    {"data.encoding.categories": "embedding", "data.encoding.scaling": "robust"},
    {"data.balance": "oversample", "data.sample": 200},
    {"data.duplicates": "drop", "data.balance": "class_weights"},
])  # fmt: skip
def test_garbage_in_test_rows_changes_nothing_for_every_setting_of_the_data(
    settings: dict, tmp_path: Path
) -> None:
    table = a_table()
    check(table, garbage(table, test_rows(table, tmp_path)), {**RULES["gradient"], **settings}, tmp_path)


def test_garbage_in_a_given_test_part_changes_nothing(tmp_path: Path) -> None:
    table = a_table().with_columns(part=pl.Series((["train"] * 7 + ["validation"] * 2 + ["test"]) * 40))
    rows = np.flatnonzero((table["part"] == "test").to_numpy())
    other = garbage(table.drop("part"), rows).with_columns(table["part"])
    check(table, other, {**RULES["gradient"], "data.split": {"method": "column", "column": "part"}}, tmp_path)


def test_garbage_in_a_test_file_changes_nothing(tmp_path: Path) -> None:
    table = a_table()
    table.write_csv(tmp_path / "train.csv")
    a_table(50).write_csv(tmp_path / "test.csv")
    garbage(a_table(50), np.arange(50)).write_csv(tmp_path / "other.csv")
    runs = [
        fit(
            tmp_path / "train.csv",
            "label",
            changes={**RULES["gradient"], "data.test": str(tmp_path / name)},
            out=tmp_path / name[:-4],
        )
        for name in ("test.csv", "other.csv")
    ]
    assert fitted(runs[0]) == fitted(runs[1])


def test_regression_and_garbage(tmp_path: Path) -> None:
    table = a_table().drop("label").with_columns(label=pl.Series(np.random.default_rng(0).normal(size=400)))
    rows = test_rows(table, tmp_path)
    other = (
        garbage(table.with_columns(label=pl.lit("up")), rows).drop("label").with_columns(label=table["label"])
    )
    values = other["label"].to_list()
    for row in rows:
        values[row] = 1e7
    check(table, other.with_columns(label=pl.Series(values)), RULES["gradient"], tmp_path)


def test_a_changed_training_row_does_change_the_fit(tmp_path: Path) -> None:
    """The check can fail: the same garbage in as many training rows is felt."""
    table = a_table()
    rows = test_rows(table, tmp_path)
    others = np.setdiff1d(np.arange(len(table)), rows)[: len(rows)]
    first = fit(table, "label", changes=RULES["gradient"], out=tmp_path / "first")
    second = fit(garbage(table, others), "label", changes=RULES["gradient"], out=tmp_path / "second")
    assert fitted(first)[0] != fitted(second)[0]


def test_typed_and_text_tables_are_the_same(tmp_path: Path) -> None:
    """The fits of one table from CSV, Parquet, JSON lines and SQLite are equal to the bit."""
    table = a_table()
    texts = table.with_columns(pl.all().cast(pl.String))
    assert infer_types(texts)["n"].dtype == pl.Int64
    runs = []
    for kind in ("csv", "parquet", "jsonl", "sqlite", "json", "arrow"):
        runs.append(
            fit(
                as_source(table, kind, tmp_path / kind),
                "label",
                changes=changes_for(kind),
                out=tmp_path / f"run-{kind}",
            )
        )
    first = fitted(runs[0])
    for run in runs[1:]:
        assert fitted(run)[0] == first[0]
        assert fitted(run)[2:] == first[2:]
        assert run.folder.sealed_hashes.read_bytes() == runs[0].folder.sealed_hashes.read_bytes()

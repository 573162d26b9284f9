"""Whatever a column is called: it is taken as that name, or refused in words."""

import contextlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import handrail
from handrail.data.columns.names import without
from handrail.data.sources import read
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions
from handrail.run import predict_source

NAMES = ("*", " a ", "a'b", '"', "[0]", "a\nb", "^a", "a.b", "count", "value", "label")
PATTERNS = ("^a.*$", "^.*$", "^[$")
ROLES: dict[str, tuple[str, dict[str, Any]]] = {  # the column that has the name, and what is asked of it
    "number": ("x", {}),
    "category": ("c", {"data.columns": {"NAME": "category"}}),
    "target": ("y", {"data.target": "NAME"}),
    "value": ("x", {"data.target": "NAME"}),
    "group": ("g", {"data.split": {"method": "group", "column": "NAME"}}),
    "time": ("t", {"data.split": {"method": "time", "column": "NAME"}}),
    "dropped": ("c", {"data.drop": ["NAME"]}),
    "streamed": ("c", {"data.stream": True}),
    "forecast": ("x", {
        "data.target": "NAME", "data.task": "forecast", "data.drop": ["c", "g", "y"],
        "data.forecast": {"history": 3, "horizon": 2},
    }),
}  # fmt: skip


def columns(name: str, place: str) -> dict[str, list[Any]]:
    """A table in which the column at a place has another name."""
    rows = range(60)
    usual = {
        "x": [row * 7 % 31 / 3 for row in rows],
        "c": ["abc"[row * 5 % 3] for row in rows],
        "g": [f"g{row % 12}" for row in rows],
        "t": [f"2024-{row // 28 + 1:02d}-{row % 28 + 1:02d}" for row in rows],
        "y": ["yes" if row * 5 % 7 < 3 else "no" for row in rows],
    }
    return {name if key == place else key: values for key, values in usual.items()}


def named(value: Any, name: str) -> Any:
    """What is asked, with the name in place of NAME."""
    if isinstance(value, Mapping):
        return {named(key, name): named(item, name) for key, item in value.items()}
    if isinstance(value, list):
        return [named(item, name) for item in value]
    return name if value == "NAME" else value


def fit_and_predict(name: str, role: str, folder: Path) -> pl.DataFrame:
    """The answers, behind the table unless they are of other rows."""
    place, asked = ROLES[role]
    path = folder / "table.parquet"
    pl.DataFrame(columns(name, place)).write_parquet(path)
    changes = {"data.target": "y", "model.mlp.hidden": [4], "training.epochs": 1} | named(asked, name)
    changes |= {"evaluation.resamples": 100, "training.batch_size": 16}
    handrail.check(str(path), changes=changes)
    run = handrail.fit(str(path), changes=changes, out=folder / "run")
    return predict_source(run, str(path), keep=role != "forecast").frame


@pytest.mark.parametrize("role", ROLES)
def test_a_column_called_as_a_wildcard_serves_as_anything(role: str, tmp_path: Path) -> None:
    answers = fit_and_predict("*", role, tmp_path)
    assert role == "forecast" or answers.columns[:5] == list(columns("*", ROLES[role][0]))


@pytest.mark.parametrize("name", NAMES)
def test_a_column_may_have_any_name(name: str, tmp_path: Path) -> None:
    assert name in fit_and_predict(name, "number", tmp_path).columns


def test_a_drop_never_means_more_than_it_names(tmp_path: Path) -> None:
    """Of columns that are not there, too: polars would take this for every column."""
    path = tmp_path / "table.json"
    path.write_text(json.dumps(columns("x", "x")))
    changes = {"data.task": "forecast", "data.forecast.horizon": 2, "data.forecast.history": 3}
    with pytest.raises(DataError, match=r"data\.drop: the table has no column '\^\.\*\$'"):
        handrail.check(str(path), "x", changes=changes | {"data.drop": ["^.*$", "c", "g", "y"]})


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("kind", ["csv", "json", "parquet", "db", "frame", "dictionary", "streamed"])
def test_a_name_that_polars_takes_for_a_pattern_is_refused(name: str, kind: str, tmp_path: Path) -> None:
    values = columns(name, "x")
    path = tmp_path / f"table.{'parquet' if kind == 'streamed' else kind}"
    if kind == "json":
        path.write_text(json.dumps(values))
    elif kind == "db":
        marks, quoted = ", ".join("?" * len(values)), ", ".join(f'"{key}"' for key in values)
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute(f"CREATE TABLE answers ({quoted})")
            database.executemany(f"INSERT INTO answers VALUES ({marks})", zip(*values.values(), strict=True))
    elif kind not in ("frame", "dictionary"):
        getattr(pl.DataFrame(values), f"write_{path.suffix[1:]}")(path)
    source: Any = {"frame": pl.DataFrame(values), "dictionary": values}.get(kind, str(path))
    changes = {"data.stream": True} if kind == "streamed" else {}
    with pytest.raises(DataError, match=r"stands for a pattern of names\. Rename them"):
        handrail.check(source, "y", changes=changes)


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_names_given_mend_a_pattern(kind: str, tmp_path: Path) -> None:
    values, path = columns("^a.*$", "x"), tmp_path / f"table.{kind}"
    if kind == "json":
        path.write_text(json.dumps(values))
    else:
        getattr(pl.DataFrame(values), f"write_{kind}")(path)
    names = ["a", "c", "g", "t", "y"]
    assert read(str(path), options=ReadOptions(names=names, header=True if kind == "csv" else None))


@pytest.mark.parametrize("kind", ["csv", "json", "parquet", "frame"])
def test_a_column_without_a_name_is_called_by_its_place(kind: str, tmp_path: Path) -> None:
    values, path = columns("", "g"), tmp_path / f"table.{kind}"
    if kind == "json":
        path.write_text(json.dumps(values))
    elif kind != "frame":
        getattr(pl.DataFrame(values), f"write_{kind}")(path)
    table = read(pl.DataFrame(values) if kind == "frame" else str(path))
    assert table.frame.columns == ["x", "c", "column_3", "t", "y"]


def test_a_streamed_column_without_a_name_is_called_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pl.DataFrame(columns("", "g")).write_parquet(path)
    data, _ = handrail.check(str(path), "y", changes={"data.stream": True})
    assert [column.name for column in data.schema.columns] == ["x", "c", "column_3", "t"]


def test_no_key_is_not_taken_for_none(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(json.dumps(columns("x", "x")))
    with pytest.raises(DataError, match=r"data\.split\.column: the table has no column ''"):
        handrail.check(str(path), "y", changes={"data.split": {"method": "group", "column": ""}})


def test_a_text_to_write_may_stand_in_any_column(tmp_path: Path) -> None:
    """Counting its values makes a table of its own, with columns of its own."""
    for name in ("*", "count"):
        values = {name: ["up", "down"] * 30, "from": [f"{row} {row % 3}" for row in range(60)]}
        changes = {"data.task": "sequence", "training.epochs": 1, "evaluation.resamples": 100}
        handrail.fit(values, name, changes=changes, out=tmp_path / f"run-{len(name)}")


def test_without_all_columns_nothing_is_left():
    assert without(pl.DataFrame({"a": [1, 2]}), ["a"]).shape == (0, 0)

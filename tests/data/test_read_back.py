"""What is written in any of the usual ways is read back: no value is lost or changed, silently or not."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from written_tables import WrittenColumn, WrittenTable, written_tables

from handrail.data.prepare import prepare_with_test
from handrail.recipe import compose

WORDS = ("category", "text", "boolean", "identifier", "constant")


def read_back(table: WrittenTable, folder: Path) -> tuple[dict[str, tuple[str, list[Any]]], list[str]]:
    """Kind and values of each column as a fit would have them, and what is said about the table."""
    path = folder / "table.csv"
    path.write_bytes(table.data)
    recipe = compose(str(path), "target", changes=table.settings)
    data, test = prepare_with_test(recipe.data)
    parts = [data.train, data.validation, test]
    columns = {}
    for column in data.schema.columns:
        as_words = column.kind in WORDS and not column.numbers
        frames = [
            part.raw if as_words or column.name not in part.features else part.features for part in parts
        ]
        values = [value for frame in frames for value in frame[column.name].to_list()]
        columns[column.name] = column.kind, values
    return columns, [str(finding) for finding in data.findings]


def difference(column: WrittenColumn, kind: str, values: list[Any]) -> str | None:
    """What was read otherwise than it was written."""
    expected = {"number": ("numeric", "boolean"), "date": ("datetime",), "word": WORDS}[column.kind]
    if kind not in expected:
        return f"{column.name}: {column.kind} taken as {kind}, {column.cells[:5]} as {values[:5]}"
    if len(values) != len(column.values):
        return f"{column.name}: {len(column.values)} rows, {len(values)} were read"
    for row, (written, value) in enumerate(zip(column.values, values, strict=True)):
        if not is_same(written, value):
            return f"{column.name}, row {row}: {column.cells[row]!r} is {written!r}, read as {value!r}"
    return None


def is_same(written: Any, value: Any) -> bool:
    if isinstance(written, float | int):
        is_number = isinstance(value, float | int)
        return is_number and math.isclose(written, value, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(written, str):
        return isinstance(value, str) and value.replace("\r\n", "\n") == written
    return value is None or value != value  # noqa: PLR0124 (NaN)


def differences(table: WrittenTable, folder: Path) -> list[str]:
    """What was read otherwise than it was written, with a word on whether that was said."""
    columns, findings = read_back(table, folder)
    found = []
    for column in table.columns:
        if column.name not in columns:
            found.append(f"{column.name} is gone; there are {list(columns)}")
            continue
        wrong = difference(column, *columns[column.name])
        if wrong:
            told = [finding for finding in findings if f"'{column.name}'" in finding]
            found.append(f"{'SAID' if told else 'SILENT'} {wrong} {told}")
    return found


@pytest.mark.parametrize("examples", [40, pytest.param(2000, marks=pytest.mark.slow)])
def test_what_was_written_is_read_back(examples: int, tmp_path: Path) -> None:
    @given(table=written_tables())
    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(table: WrittenTable) -> None:
        assert differences(table, tmp_path) == []

    check()

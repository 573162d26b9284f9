"""What is written in any of the usual ways is read back: no value is lost or changed, silently or not."""

import csv
import io
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from written_tables import WrittenColumn, WrittenTable, written_tables

from handrail.data.columns.schema import read_frame
from handrail.data.dataset import Dataset
from handrail.data.part import Part
from handrail.data.prepare import prepare_with_test
from handrail.data.sources import read_expecting
from handrail.recipe import compose
from handrail.recipe.reading import ReadOptions

WORDS = ("category", "text", "boolean", "identifier", "constant")
KINDS = {"number": ("numeric", "boolean"), "date": ("datetime",), "word": WORDS}


def prepare_table(table: WrittenTable, folder: Path) -> tuple[Dataset, Part]:
    """What a fit makes of the file, and its test rows."""
    path = folder / "table.csv"
    path.write_bytes(table.data)
    return prepare_with_test(compose(str(path), "target", changes=table.settings).data)


def differences(table: WrittenTable, folder: Path) -> dict[str, list[str]]:
    """What was read otherwise than it was written, and what a fit says about these columns."""
    data, test = prepare_table(table, folder)
    kinds = {column.name: column.kind for column in data.schema.columns}
    found = []
    for column in table.columns:
        if column.name not in kinds:
            found.append(f"{column.name} is gone; there are {list(kinds)}")
        elif kinds[column.name] not in KINDS[column.kind]:
            found.append(
                f"{column.name}: {column.kind}s are taken as {kinds[column.name]}: {column.cells[:5]}"
            )
        else:
            parts = (data.train, data.validation, test)
            frames = [part.raw if column.kind == "word" else part.features for part in parts]
            found += unlike(column, [value for frame in frames for value in frame[column.name].to_list()])
    told = [finding for finding in data.findings if finding.level != "note" or finding.decided]
    return {what: [str(each) for each in told if f"'{what.split(':')[0]}'" in str(each)] for what in found}


def unlike(column: WrittenColumn, values: list[Any], first: int = 0, rows: int | None = None) -> list[str]:
    """The first value that is not what was written, or another number of them."""
    written = column.values[first : None if rows is None else first + rows]
    if len(values) != len(written):
        return [f"{column.name}: {len(written)} rows, {len(values)} were read"]
    wrong = (row for row, pair in enumerate(zip(written, values, strict=True)) if not is_same(*pair))
    return [
        f"{column.name}: {column.cells[first + row]!r} is {written[row]!r}, read as {values[row]!r}"
        for row in wrong
    ][:1]


def is_same(written: Any, value: Any) -> bool:
    """Whether a value is the one that was written."""
    if isinstance(written, float | int):
        is_number = isinstance(value, float | int)
        return is_number and math.isclose(written, value, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(written, str):
        return isinstance(value, str) and value.replace("\r\n", "\n") == written
    return value is None or value != value  # noqa: PLR0124 (NaN)


@pytest.mark.parametrize("examples", [30, pytest.param(1000, marks=pytest.mark.slow)])
def test_what_was_written_is_read_back(examples: int, tmp_path: Path) -> None:
    @given(table=written_tables())
    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(table: WrittenTable) -> None:
        assert differences(table, tmp_path) == {}

    check()


@pytest.mark.parametrize("examples", [10, pytest.param(500, marks=pytest.mark.slow)])
def test_new_rows_are_read_as_the_training_rows_were(examples: int, tmp_path: Path) -> None:
    """A row or two say nothing of how they are written; what is known of the training rows does."""

    @given(
        table=written_tables(),
        row=st.integers(0, 20),
        rows=st.integers(1, 3),
        delimiter=st.sampled_from(";\t"),
    )
    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(table: WrittenTable, row: int, rows: int, delimiter: str) -> None:
        data, _ = prepare_table(table, tmp_path)
        buffer = io.StringIO()
        writer = csv.writer(buffer, delimiter=delimiter)
        writer.writerow([column.name for column in table.columns])
        writer.writerows([column.cells[at] for column in table.columns] for at in range(row, row + rows))
        path = tmp_path / "new.csv"
        path.write_text(buffer.getvalue(), encoding="utf-8", newline="")
        known = ReadOptions(notations=data.schema.notations, missing=table.settings.get("data.read.missing"))
        used = [column.name for column in data.schema.used]
        new = read_expecting(str(path), used, options=known, labelled=False, drop=None).frame
        features, _ = read_frame(new, data.schema)
        for column in table.columns:
            frame = new if column.kind == "word" else features
            if column.name in used:
                assert unlike(column, frame[column.name].to_list(), row, rows) == []

    check()


@pytest.mark.parametrize("examples", [10, pytest.param(500, marks=pytest.mark.slow)])
def test_where_nothing_decides_a_wrong_guess_is_said(examples: int, tmp_path: Path) -> None:
    """No sign and no setting shows what 4.469 or 04/05/2024 means: it may be misread, but not in silence."""

    @given(table=written_tables(open_questions=True))
    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(table: WrittenTable) -> None:
        for what, said in differences(table, tmp_path).items():
            assert said, what

    check()

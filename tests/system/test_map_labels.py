"""What a user of a map is told of a label with classes that some rows lack, and of one that tells nothing."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from handrail import Run, check, fit
from handrail.components.pictures import Cells
from handrail.layers.grids import Grid
from handrail.tasks.alone.map_pictures import label_pictures

PROBES = ("linear_probe", "neighbour_probe")
CHANGES: dict[str, Any] = {
    "model": {"kohonen": {"height": 3, "width": 4}},
    "training.epochs": 5,
    "evaluation.resamples": 100,
    "data.label": "kind",
    "data.split.method": "column",
    "data.split.column": "part",
}
PART = np.repeat(["train", "validation", "test"], [60, 30, 30])


def a_table(change: Any = None, *, part: str = "", rows: int | None = None) -> pl.DataFrame:
    """Three groups, named; the first rows of one part, or all of them, get another label."""
    rng = np.random.default_rng(0)
    group = rng.permutation(np.arange(120) % 3)
    x = rng.normal(size=(120, 2)) + 3 * group[:, None]
    kind = np.array(["red", "green", "blue"])[group].astype(object)
    kind[np.flatnonzero((part == PART) | (part == "all"))[:rows]] = change
    frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "part": PART})
    return frame.with_columns(pl.Series("kind", kind.tolist(), dtype=pl.String))


def fitted(folder: Path, table: pl.DataFrame) -> Run:
    return fit(table, changes=CHANGES, out=folder / "run")


def said(run: Run) -> list[str]:
    return [str(each["seen"]) for each in run.summary["findings"] if each["name"] == "label-classes"]


@pytest.mark.parametrize(
    ("part", "rows", "sizes"),
    [
        ("train", 1, "'violet' (1 and 0 rows)"),
        ("validation", 6, "'violet' (0 and 6 rows)"),
        (
            "validation",
            None,
            "'blue' (20 and 0 rows), 'green' (20 and 0 rows)",
        ),
    ],
)
def test_a_class_that_training_or_validation_rows_lack_is_named(tmp_path, part, rows, sizes):
    table = a_table("violet", part=part, rows=rows)
    run = fitted(tmp_path, table)
    (seen,) = said(run)
    assert sizes in seen
    assert seen in [finding.seen for finding in check(table, changes=CHANGES).findings]
    answers = pl.read_parquet(run.folder.predictions("validation"))
    for name in PROBES:  # what no training row has counts as wrong, and is counted
        figure = run.summary["metrics"][name]
        most = answers.filter(pl.col("label") != "violet").height / 30
        assert 0 <= figure["value"] <= most
        assert all(math.isfinite(figure[key]) for key in ("value", "low", "high"))


def test_a_class_of_test_rows_alone_is_named_when_they_are_opened(tmp_path):
    run = fitted(tmp_path, a_table("violet", part="test", rows=6))
    assert said(run) == []
    tested = run.test()
    assert tested["remarks"] == [
        "Label 'kind': no training row has 'violet'; what tells the label from codes is wrong about the 6 "
        "test rows with it."
    ]
    assert all(tested["metrics"][name]["value"] <= 24 / 30 for name in PROBES)


@pytest.mark.parametrize(
    ("change", "part", "reason"),
    [
        (None, "all", "no training row has a value of the label 'kind'"),
        (None, "train", "no training row has a value of the label 'kind'"),
        (None, "validation", "none of these rows has a label"),
        ("red", "all", "training rows have fewer than two different labels"),
    ],
)
def test_a_label_that_tells_nothing_has_no_figure_and_a_reason(tmp_path, change, part, reason):
    run = fitted(tmp_path, a_table(change, part=part))
    for name in PROBES:
        figure = run.summary["metrics"][name]
        assert figure["value"] is None
        assert figure["reason"] == reason
    assert run.summary["metrics"]["map_error"]["value"] > 0
    assert said(run) == []


@pytest.mark.pictures
def test_the_report_says_which_part_has_no_label(tmp_path):
    page = fitted(tmp_path, a_table(None, part="validation")).report().read_text()
    assert "Of these rows none has a label." in page


def test_labels_that_are_commonest_nowhere_are_named():
    units = torch.tensor([0, 0, 0, 1])
    groups = [(np.array([0, 0, 1, -1]), ("red", "violet")), (np.array([0, 0, 0, 0]), ("red",))]
    shown = label_pictures(Grid(2, 2), [units, units], groups)
    assert isinstance(shown, Cells)
    assert shown.note.endswith("Of training rows, no unit has 'violet' as its commonest label.")
    assert shown.values.tolist() == [[[0, -1], [-1, -1]], [[0, 0], [-1, -1]]]

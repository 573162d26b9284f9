"""An old run is replaced only by a run, only where that is asked for, and comes back if the new one fails."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import handrail
from handrail.errors import HandrailError
from handrail.run import export_onnx
from handrail.runs.template import write_starter

ROWS = pl.DataFrame({"x": np.arange(60.0), "z": np.arange(60.0) % 7, "y": ["a", "b"] * 30})
TINY = {"training.epochs": 2, "evaluation.resamples": 100, "model": "linear"}
SPACE = {"training.batch_size": [8, 16]}


def test_a_run_is_replaced_where_that_is_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = handrail.fit(ROWS, "y", changes=TINY, out=out)
    with pytest.raises(HandrailError, match="overwrite=True"):
        handrail.fit(ROWS, "y", changes=TINY, out=out)
    with pytest.raises(HandrailError, match="no column 'nothing'"):
        handrail.fit(ROWS, "nothing", changes=TINY, out=out, overwrite=True)
    assert handrail.load(out).validation == first.validation
    second = handrail.fit(ROWS, "y", changes={**TINY, "seed": 3}, out=out, overwrite=True)
    assert handrail.load(out).recipe.seed == second.recipe.seed == 3
    assert [path.name for path in tmp_path.iterdir() if path.name != "handrail-home"] == ["run"]


def test_what_is_no_run_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(HandrailError, match="is no run folder"):
        handrail.fit(ROWS, "y", changes=TINY, out=tmp_path / "mine", overwrite=True)
    with pytest.raises(HandrailError, match="is no search folder"):
        handrail.tune(ROWS, "y", space=SPACE, changes=TINY, out=tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    with pytest.raises(HandrailError, match="overwrite: has no effect"):
        handrail.fit(ROWS, "y", changes=TINY, overwrite=True)


def test_a_check_in_python_prints_its_findings() -> None:
    checked = handrail.check(ROWS.with_columns(copy="y"), "y")
    assert [finding.column for finding in checked.errors] == ["copy"]
    assert "a copy of the target 'y'" in str(checked)
    assert "a copy of the target" in checked._repr_html_()
    assert (
        repr(checked) == f"Check('{checked.data.source}': 1 error, {len(checked.findings)} findings in all)"
    )
    data, findings = checked
    assert (data, findings) == (checked.data, checked.findings)


def test_a_link_that_leads_nowhere_is_something_too(tmp_path: Path) -> None:
    """A file is never written through a link but in its place, so the link would be lost."""
    run = handrail.fit(ROWS, "y", changes=TINY, out=tmp_path / "run")
    writers: dict[str, Callable[[Path], object]] = {
        "table.csv": lambda out: handrail.convert(ROWS, out),
        "run.onnx": lambda out: export_onnx(run, out),
        "starter.yaml": lambda out: write_starter("bundled:iris", "target", out),
        "folder": lambda out: handrail.fit(ROWS, "y", changes=TINY, out=out),
    }
    for name, write in writers.items():
        link = tmp_path / name
        link.symlink_to(tmp_path / "nowhere")
        with pytest.raises(HandrailError, match=r"already exists|in the way"):
            write(link)
        assert link.is_symlink()
        assert not (tmp_path / "nowhere").exists()

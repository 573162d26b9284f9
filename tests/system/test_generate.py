"""The commands that let a network make something, on rows that a network without a target has learned."""

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import handrail
from handrail.cli import app
from handrail.errors import DataError, HandrailError
from handrail.run import Run
from handrail.runs.answers.using import BLOCK

RECIPE = {
    "model": {"vae": {"code": 2, "hidden": [8]}},
    "training.epochs": 3,
    "evaluation.resamples": 100,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return handrail.fit("bundled:iris", changes=RECIPE, out=tmp_path_factory.mktemp("made") / "run")


def invoke(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.output


@pytest.mark.parametrize("command", ["generate", "sample"])
def test_new_rows_are_written_as_the_table_was(run: Run, tmp_path: Path, command: str):
    out = tmp_path / "new.csv"
    assert invoke(command, run.path, "--rows", 7, "--seed", 3, "-o", out)[0] == 0
    written = pl.read_csv(out)
    expected = run.generate(7, seed=3).frame
    assert written.shape == (7, 4)
    assert written.columns == expected.columns
    assert not written.equals(run.generate(7, seed=4).frame)
    code, text = invoke("generate", run.path, "--rows", 2, "--json")
    assert code == 0
    assert '"answers"' in text


def test_any_number_of_rows_is_written_a_block_at_a_time(run: Run, tmp_path: Path):
    """The first block is what is made at once; a billion rows begin at once, and never lie in memory."""
    out = tmp_path / "many.parquet"
    assert invoke("generate", run.path, "--rows", BLOCK + 10, "-o", out)[0] == 0
    written = pl.read_parquet(out)
    assert len(written) == BLOCK + 10
    assert written.head(BLOCK).equals(run.generate(BLOCK).frame)
    assert not written.tail(10).equals(written.head(10))
    blocks = run.generate_blocks(10**9)
    assert len(next(blocks).frame) == BLOCK
    blocks.close()
    result = CliRunner().invoke(
        app, ["generate", str(run.path), "--rows", str(BLOCK + 1), "-o", str(tmp_path / "many.xlsx")]
    )
    assert isinstance(result.exception, HandrailError)
    assert "written a block at a time" in str(result.exception)
    assert not (tmp_path / "many.xlsx").exists()


@pytest.mark.parametrize(("command", "rows"), [("encode", 150), ("reconstruct", 150), ("score", 150)])
def test_uses_of_rows_have_commands_of_their_own(run: Run, tmp_path: Path, command: str, rows: int):
    out = tmp_path / "out.csv"
    assert invoke(command, run.path, "bundled:iris", "-o", out)[0] == 0
    written, expected = pl.read_csv(out), getattr(run, command)("bundled:iris").frame
    assert written.columns == expected.columns
    assert len(written) == rows


def test_ways_lead_from_each_row_to_the_next(run: Run, tmp_path: Path):
    out = tmp_path / "ways.csv"
    assert invoke("interpolate", run.path, "bundled:iris", "-s", "between=3", "-o", out)[0] == 0
    ways, back = pl.read_csv(out), run.reconstruct("bundled:iris").frame
    assert len(ways) == 149 * 5
    assert ways.row(0) == pytest.approx(back.row(0), rel=1e-4)
    assert ways.row(-1) == pytest.approx(back.row(-1), rel=1e-4)


def test_what_a_network_cannot_make_is_said(run: Run):
    with pytest.raises(HandrailError, match="--start: the network writes no text"):
        CliRunner().invoke(app, ["generate", str(run.path), "--start", "once"], catch_exceptions=False)
    with pytest.raises(DataError, match="writes no text"):
        run.sample("once")
    first = run.read("bundled:iris").frame.head(1)
    with pytest.raises(DataError, match="found 1 rows, expected two or more"):
        run.interpolate(first)

"""The commands that let a network make something, on rows that a network without a target has learned."""

from pathlib import Path

import polars as pl
import pytest
from kinds import KINDS
from typer.testing import CliRunner

import handrail
from handrail.cli import app
from handrail.errors import DataError, HandrailError, RecipeError
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


def test_ways_leave_out_rows_that_cannot_be_read(run: Run, tmp_path: Path):
    rows = run.read("bundled:iris").frame.head(5)
    first = rows.columns[0]
    bad = rows.with_columns(pl.Series(first, ["5.1", "4.9", "long", "4.6", "5.0"]))
    with pytest.raises(DataError, match="found 'long'"):
        run.interpolate(bad, between=1)
    ways = run.interpolate(bad, between=1, skip_bad=True)
    assert ways.frame.equals(run.interpolate(bad[[0, 1, 3, 4]], between=1).frame)
    assert not ways.frame.null_count().sum_horizontal()[0]
    assert ways.warnings[-1] == "interpolate: 1 row with such values left out."
    bad.write_csv(tmp_path / "bad.csv")
    code, text = invoke("interpolate", run.path, tmp_path / "bad.csv", "-s", "between=1", "--skip-bad", "-q")
    assert code == 0
    assert text.endswith(ways.frame.write_csv())
    each = run.reconstruct(bad, skip_bad=True).frame
    assert each[first].is_null().to_list() == [False, False, True, False, False]


def test_ways_between_pictures_are_no_pictures_of_a_file(tmp_path: Path):
    kind = KINDS["pictures"]
    source = kind.write(tmp_path / "data", ())
    changes = {
        "data.task": "reconstruction",
        "model": {"autoencoder": {"code": 2, "hidden": []}},
        "training.epochs": 1,
    }
    run = handrail.fit(source, changes=changes, out=tmp_path / "run")
    assert run.encode(source).frame["file"].n_unique() == kind.items
    ways = run.interpolate(source, between=1)
    assert len(ways.maps) == 3 * (kind.items - 1)
    assert "file" not in ways.frame.columns


def test_what_a_network_cannot_make_is_said(run: Run):
    with pytest.raises(HandrailError, match="--start: the network writes no text"):
        CliRunner().invoke(app, ["generate", str(run.path), "--start", "once"], catch_exceptions=False)
    with pytest.raises(DataError, match="writes no text"):
        run.sample("once")
    first = run.read("bundled:iris").frame.head(1)
    with pytest.raises(DataError, match="found 1 rows, expected two or more"):
        run.interpolate(first)


@pytest.fixture(scope="module", params=["next token", "text-to-image"])
def of_tokens(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    kind, folder = KINDS[request.param], tmp_path_factory.mktemp("tokens")
    changes = {**kind.changes, "training.epochs": 1}
    return handrail.fit(
        kind.write(folder / "data", ()), target=kind.target, changes=changes, out=folder / "run"
    )


def refused(*words: object) -> str:
    """What a command is refused with: a mistake of the user, for which the command line exits with 2."""
    with pytest.raises((RecipeError, HandrailError)) as error:
        CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return str(error.value)


def test_a_setting_is_the_option_of_its_name(run: Run):
    by_option = invoke("generate", run.path, "--rows", 3, "--seed", 2)
    assert invoke("generate", run.path, "-s", "rows=3", "-s", "seed=2") == by_option
    assert by_option[1].count("\n") == 4
    told = refused("generate", run.path, "-s", "rows=5", "--rows", 6)
    assert told == "--rows: found 6, and 5 as --set rows; leave one of them out."
    assert "seed" in refused("generate", run.path, "-s", "seed=0", "--seed", 0)


@pytest.mark.parametrize("command", ["generate", "encode", "reconstruct", "interpolate", "score", "fill"])
@pytest.mark.parametrize("name", ["name", "source", "self", "task", "read_options", "skip_bad", "widht"])
def test_a_setting_that_a_use_does_not_have_is_refused(run: Run, command: str, name: str):
    rows = [] if command == "generate" else ["bundled:iris"]
    told = refused(command, run.path, *rows, "-s", f"{name}=1")
    assert told.startswith(f"{command}.{name}: unknown argument. ")
    known = {
        "generate": "Known: given, means, rows, seed, steps.",
        "interpolate": "Known: between.",
        "score": "Known: level.",
        "fill": "Known: seed, steps.",
    }
    assert known.get(command, f"{command} has none.") in told


@pytest.mark.parametrize(
    ("command", "setting", "told"),
    [
        ("generate", "rows=many", "generate.rows: found 'many'; expected a valid integer."),
        ("generate", "steps=0", "generate.steps: found 0; expected greater than 0."),
        ("generate", "means=perhaps", "generate.means: found 'perhaps'; expected a valid boolean"),
        ("interpolate", "between=no", "interpolate.between: found 'no'; expected a valid integer."),
        ("score", "level=3", "score.level: found 3; expected less than 1."),
        ("fill", "steps=few", "fill.steps: found 'few'; expected a valid integer."),
    ],
)
def test_a_setting_of_another_type_is_refused(run: Run, command: str, setting: str, told: str):
    rows = [] if command == "generate" else ["bundled:iris"]
    assert refused(command, run.path, *rows, "-s", setting).startswith(told)


def test_settings_of_what_draws_tokens_are_checked(of_tokens: Run):
    text = of_tokens.pipeline.task.name == "next-token"
    ask = ["generate", of_tokens.path] + ([] if text else ["--caption", "the slow"])
    known = "given, length, rows, seed, start" if text else "caption, given, rows, seed"
    for setting in ("steps=5", "means=true", "self=1", "pipeline=1"):
        told = refused(*ask, "-s", setting)
        assert told == f"generate.{setting.split('=')[0]}: unknown argument. Known: {known}, temperature."
    assert "temperature: found 'hot'" in refused(*ask, "-s", "temperature=hot")
    assert "rows: found 0" in refused(*ask, "-s", "rows=0")
    assert "leave one of them out" in refused(*ask, "-s", "temperature=1", "--temperature", 1)
    assert "told no column" in refused(*ask, "--given", "kind=setosa")
    short = ["--length", 3] if text else []
    assert invoke(*ask, "-s", "rows=2", *short) == invoke(*ask, "--rows", 2, *short)

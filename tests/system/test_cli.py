"""The command line: whatever goes wrong ends with one clear message, exit code 2, no traceback, nothing
half-written.
"""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from handrail.cli import main

Cli = Callable[..., tuple[int, str, str]]
QUICK = ["-s", "training.epochs=3", "-s", "evaluation.resamples=100"]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    """Run a command in an empty folder; answers exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["handrail", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


def table(rows: int = 200) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=rows)
    return pl.DataFrame(
        {"x": x, "c": rng.choice(["a", "b", "c"], size=rows), "y": np.where(x > 0, "yes", "no")}
    )


def assert_refused(answer: tuple[int, str, str], *texts: str) -> None:
    """One message, exit code 2, no traceback."""
    code, out, err = answer
    assert code == 2, err
    assert out == ""
    assert err.startswith("handrail: ")
    assert "Traceback" not in err
    for text in texts:
        assert text in err


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")} - {"handrail-home"}


INFINITE = table().with_columns(x=pl.when(pl.int_range(pl.len()) == 2).then(float("inf")).otherwise("x"))

BAD_TABLES: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "empty": (b"", ("empty", "expected a table")),
    "binary": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 4, ("PNG",)),
    "ragged": (b"x,c,y\n" + b"1,a,yes\n2,b\n" * 30, ("line 3", "2 fields", "expected 3")),
    "one_class": (table().with_columns(y=pl.lit("yes")).write_csv().encode(), ("'y'", "every row", "'yes'")),
    "all_missing": (table().with_columns(y=pl.lit("")).write_csv().encode(), ("'y'", "missing")),
    "infinite": (INFINITE.write_csv().encode(), ("'x'", "inf", "line 4")),
    "few": (table(4).write_csv().encode(), ("4 rows", "at least 10")),
    "no_rows": (b"x,c,y\n", ("no rows",)),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_tables(name: str, cli: Cli, tmp_path: Path) -> None:
    content, texts = BAD_TABLES[name]
    (tmp_path / "table.csv").write_bytes(content)
    assert_refused(cli("fit", "table.csv", "--target", "y", "--out", "run"), *texts)
    assert files(tmp_path) == {"table.csv"}


def test_no_such_file_column_or_run(cli: Cli, tmp_path: Path) -> None:
    table().write_csv(tmp_path / "table.csv")
    assert_refused(cli("fit", "tabel.csv", "--target", "y"), "tabel.csv", "Did you mean 'table.csv'")
    assert_refused(cli("fit", "table.csv", "--target", "z"), "no column 'z'")
    assert_refused(cli("fit", "table.csv", "--target", "9"), "position 9", "columns 1 to 3")
    assert_refused(cli("fit", "table.csv"), "no target was named", "x, c, y")
    assert_refused(cli("resume", "nothing"), "no run folder 'nothing'")
    assert_refused(cli("test", "."), "no run folder")
    assert files(tmp_path) == {"table.csv"}


def test_all_mistakes_of_a_recipe_at_once(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(
        "data: {source: t.csv, targt: y}\nmodel: {mlp: {hiden: [3]}}\ntraining: {epochs: -1}\n"
        "learning: {gradient: {optimizer: adamm}}\n"
    )
    assert_refused(
        cli("fit", "recipe.yaml"),
        "4 mistakes",
        "data.targt",
        "'data.target'",
        "model.mlp.hiden",
        "'model.mlp.hidden'",
        "training.epochs: found -1",
        "'adam'",
    )
    (tmp_path / "recipe.yaml").write_text("data: [1\n")
    assert_refused(cli("fit", "recipe.yaml"), "line 2", "not YAML")
    assert_refused(cli("fit", "t.csv", "--set", "training.epochs"), "NAME=VALUE")


def test_an_unreachable_database_and_its_password(cli: Cli, tmp_path: Path) -> None:
    assert_refused(
        answer := cli("fit", "postgresql://me:secret@127.0.0.1:1/db", "--target", "y", "-r", "table=t"),
        "cannot be reached",
        "me@127.0.0.1",
    )
    assert "secret" not in answer[2]
    assert files(tmp_path) == set()


class Evil:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def test_a_pickle_that_would_run_code_does_not(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Evil()))
    assert_refused(cli("fit", "evil.pkl", "--target", "y"), "--allow-pickle", "Nothing was run")
    (tmp_path / "evil.csv").write_bytes(pickle.dumps(Evil()))
    assert_refused(cli("fit", "evil.csv", "--target", "y"))
    assert files(tmp_path) == {"evil.pkl", "evil.csv"}


@pytest.fixture
def run(cli: Cli, tmp_path: Path) -> Path:
    table().write_csv(tmp_path / "table.csv")
    assert cli("fit", "table.csv", "--target", "y", "--out", "run", "-q", *QUICK) == (0, "", "")
    return tmp_path / "run"


def test_predict(run: Path, cli: Cli, tmp_path: Path) -> None:
    new = table(50)
    new.select("c", "x").with_columns(more=pl.lit(1)).write_csv(tmp_path / "new.csv")
    code, out, err = cli("predict", "run", "new.csv", "-o", "answers.csv")
    assert (code, err) == (0, "")
    assert "50 rows" in out
    answers = pl.read_csv(tmp_path / "answers.csv")
    assert answers.columns == ["prediction", "probability_no", "probability_yes"]
    assert (answers["prediction"] == new["y"]).to_numpy().mean() > 0.8
    assert_refused(cli("predict", "run", "new.csv", "-o", "answers.csv"), "answers.csv", "overwrite")
    code, out, _ = cli("predict", "run", "new.csv", "--json")
    assert [row["prediction"] for row in json.loads(out)["answers"]] == answers["prediction"].to_list()


def test_bad_new_rows(run: Path, cli: Cli, tmp_path: Path) -> None:
    new = table(20).drop("y").with_columns(pl.col("x").cast(pl.String))
    new.with_columns(
        x=pl.when(pl.int_range(pl.len()).is_in([3, 7])).then(pl.lit("much")).otherwise("x")
    ).write_csv(tmp_path / "text.csv")
    new.with_columns(c=pl.when(pl.int_range(pl.len()) == 5).then(pl.lit("zzz")).otherwise("c")).write_csv(
        tmp_path / "unseen.csv"
    )
    new.drop("c").write_csv(tmp_path / "missing.csv")
    assert_refused(cli("predict", "run", "text.csv", "-o", "out.csv"), "'x'", "'much'", "line 5, line 9")
    assert_refused(cli("predict", "run", "missing.csv", "-o", "out.csv"), "no column 'c'")
    assert_refused(cli("predict", "run", "unseen.csv", "-o", "out.csv", "--strict"), "'zzz'", "line 7")
    assert not (tmp_path / "out.csv").exists()
    code, _, err = cli("predict", "run", "unseen.csv", "-o", "out.csv")
    assert code == 0
    assert "'zzz' did not occur in training" in err
    assert "line 7" in err
    assert cli("predict", "run", "text.csv", "-o", "some.csv", "--skip-bad")[0] == 0
    assert pl.read_csv(tmp_path / "some.csv")["prediction"].is_null().to_list() == [
        row in (3, 7) for row in range(20)
    ]


def test_json_and_quiet(run: Path, cli: Cli) -> None:
    code, out, _ = cli("fit", "table.csv", "--target", "y", "--out", "other", "--json", "-q", *QUICK)
    answer = json.loads(out)
    assert code == 0
    assert set(answer) == {"run", "task", "positive", "decisions", "validation"}
    assert set(answer["validation"]["accuracy"]) == {"value", "low", "high"}
    code, out, _ = cli("test", "other", "--json", "-q")
    told = {"run", "task", "positive", "decisions", "validation", "test", "opening", "refit", "shared"}
    assert set(json.loads(out)) == told
    assert_refused(cli("test", "other"), "--again")


def test_the_second_demo_says_that_the_seal_was_opened_before(cli: Cli, tmp_path: Path) -> None:
    table().write_csv(tmp_path / "table.csv")
    first = cli("fit", "table.csv", "--target", "y", "--test", "--out", "a", *QUICK)
    second = cli("fit", "table.csv", "--target", "y", "--test", "--out", "b", *QUICK)
    assert (first[0], second[0]) == (0, 0)
    assert "opened for the first time" in first[1]
    assert "opened before, once" in second[1]
    assert "report: b/report.html" in second[1]


def test_predict_keeps_columns_of_any_name(cli: Cli, tmp_path: Path) -> None:
    table().with_columns(prediction=pl.col("x")).write_csv(tmp_path / "table.csv")
    assert cli("fit", "table.csv", "--target", "y", "--out", "run", "-q", *QUICK)[0] == 0
    assert cli("predict", "run", "table.csv", "-o", "kept.csv", "--keep")[0] == 0
    assert pl.read_csv(tmp_path / "kept.csv").columns == [
        "x",
        "c",
        "y",
        "prediction",
        "prediction_",
        "probability_no",
        "probability_yes",
    ]
    assert_refused(
        cli("predict", "run", "table.csv", "-o", "table.csv", "--overwrite"), "is the table itself"
    )


def test_a_relative_source_is_found_from_everywhere(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").mkdir()
    table().write_csv(tmp_path / "inner" / "table.csv")
    (tmp_path / "inner" / "recipe.yaml").write_text(
        "data: {source: table.csv, target: y}\ntraining: {epochs: 2}\n"
    )
    monkeypatch.chdir(tmp_path / "inner")
    assert cli("fit", "recipe.yaml", "--out", "run", "-q")[0] == 0
    monkeypatch.chdir(tmp_path)
    assert cli("test", "inner/run", "-q")[0] == 0
    (tmp_path / "inner" / "table.csv").rename(tmp_path / "moved.csv")
    assert_refused(cli("test", "inner/run", "--again"), "no file", "table.csv")
    assert cli("test", "inner/run", "--again", "--source", "moved.csv", "-q")[0] == 0


def test_an_empty_folder_of_the_user_stays(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert_refused(cli("fit", "nothing.csv", "--target", "y", "--out", "mine"), "no file")
    assert files(tmp_path) == {"mine"}


def test_rows_without_a_target_are_counted(cli: Cli, tmp_path: Path) -> None:
    table().with_columns(
        y=pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit("")).otherwise("y")
    ).write_csv(tmp_path / "table.csv")
    code, out, _ = cli("fit", "table.csv", "--target", "y", "--out", "run", *QUICK)
    assert code == 0
    assert "rows have no target" in out


def test_a_folder_that_is_there_is_left_alone(run: Path, cli: Cli) -> None:
    before = files(run)
    assert_refused(cli("fit", "table.csv", "--target", "y", "--out", "run"), "already exists")
    assert files(run) == before


def test_damaged_model(run: Path, cli: Cli) -> None:
    path = run / "model" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    assert_refused(cli("predict", "run", "table.csv"), "weights.safetensors' is damaged")
    (run / "model" / "pipeline.json").write_text("{")
    assert_refused(cli("predict", "run", "table.csv"), "pipeline.json' is damaged")
    (run / "model" / "pipeline.json").write_text("[" * 100_000)
    assert_refused(cli("predict", "run", "table.csv"), "pipeline.json' is damaged")


def test_a_model_that_claims_more_networks_than_it_has_weights_of(run: Path, cli: Cli) -> None:
    path = run / "model" / "pipeline.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"replicas": 10**8}))
    assert_refused(cli("predict", "run", "table.csv"), "holds 0 replicas, and pipeline.json says 100,000,000")


def test_a_loss_that_is_not_a_number_stops_the_fit(cli: Cli, tmp_path: Path) -> None:
    table().with_columns(x=pl.col("x") * 1e30).write_csv(tmp_path / "table.csv")
    settings = ["data.encoding.scaling=none", "learning.gradient.optimizer.sgd.learning_rate=1e10"]
    code, _, err = cli(
        "fit",
        "table.csv",
        "--target",
        "y",
        "--out",
        "run",
        "-q",
        *[part for text in settings for part in ("-s", text)],
    )
    assert code == 2
    assert "epoch 1, step" in err
    assert "column 'x'" in err.replace("Column", "column")
    assert "Traceback" not in err
    assert (tmp_path / "run" / "checkpoints" / "best" / "state.safetensors").exists()


def test_check_init_convert_list(cli: Cli, tmp_path: Path) -> None:
    table().write_csv(tmp_path / "table.csv")
    code, out, _ = cli("check", "table.csv", "--target", "y", "--json")
    assert code == 0
    assert json.loads(out)["task"]["name"] == "binary"
    assert cli("init", "table.csv", "--target", "y")[0] == 0
    assert cli("fit", "recipe.yaml", "--out", "run", "-q", *QUICK)[0] == 0
    assert_refused(cli("init", "table.csv", "--target", "y"), "recipe.yaml", "already exists")
    assert cli("convert", "table.csv", "table.parquet")[0] == 0
    assert pl.read_parquet(tmp_path / "table.parquet").equals(table())
    code, out, _ = cli("list", "rule", "--json")
    assert {"gradient", "rosenblatt", "least_squares"} <= set(json.loads(out)["rule"])
    assert_refused(cli("list", "rules"), "Did you mean 'rule'")


def test_check_answers_1_where_a_fit_would_stop(cli: Cli, tmp_path: Path) -> None:
    table().with_columns(copy=pl.col("y")).write_csv(tmp_path / "table.csv")
    code, out, _ = cli("check", "table.csv", "--target", "y")
    assert code == 1
    assert "error: " in out
    assert_refused(cli("fit", "table.csv", "--target", "y"), "'copy'")


@pytest.mark.parametrize(
    "statement", ["import handrail", "import handrail.cli", "from handrail.cli import app"]
)
def test_no_torch_before_it_is_needed(statement: str) -> None:
    heavy = "{'torch', 'polars', 'sklearn', 'matplotlib', 'pydantic'}"
    code = f"{statement}; import sys; found = {heavy} & set(sys.modules); assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_panic_of_a_library_is_an_internal_error_without_a_traceback(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def panic() -> None:
        raise type("PanicException", (BaseException,), {})("index out of range")

    monkeypatch.setattr("handrail.cli.app", panic)
    code, _, err = cli("list")
    assert code == 70
    assert err.startswith("handrail: internal error; please report it: PanicException: index out of range")

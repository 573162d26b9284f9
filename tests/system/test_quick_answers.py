"""Mistakes that need no torch are told before it is imported; predicting imports no more than it needs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import handrail
from handrail.run import Run

_SCRIPT = """
import atexit, sys
heavy = ("torch", "sklearn", "scipy", "pandas", "matplotlib")
atexit.register(lambda: print("heavy:", *[name for name in heavy if name in sys.modules]))
sys.argv = ["handrail", *sys.argv[1:]]
from handrail.cli import main
main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table, a recipe, a file that is no run, and a run."""
    folder = tmp_path_factory.mktemp("quick")
    x = np.random.default_rng(0).normal(size=60)
    pl.DataFrame({"x": x, "z": x[::-1], "y": np.where(x > 0, "yes", "no")}).write_csv(folder / "t.csv")
    (folder / "bad.yaml").write_text("data: {source: t.csv, target: y}\ntraining: {epoch: 3}\n")
    (folder / "norun").mkdir()
    for name in ("holes.csv", "holes.parquet", "holes.csv.gz"):
        with (folder / name).open("wb") as file:
            file.truncate(10**10)
    pl.DataFrame({"x": x, "t": ["a word or two"] * 60}).write_csv(folder / "large.csv")
    changes = {"training.epochs": 2, "evaluation.resamples": 100}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDRAIL_HOME", str(folder / "home"))
        patch.setattr("handrail.report.page.write_report", lambda run: run.folder.report.touch())
        handrail.fit(folder / "t.csv", "y", changes=changes, out=folder / "run")
    return folder


def answer(folder: Path, *arguments: str) -> tuple[int, str, set[str]]:
    """Exit code, standard error, and the heavy modules that were imported."""
    command = [sys.executable, "-c", _SCRIPT, *arguments]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stderr, set(ended.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("fit nofile.csv -t y", "there is no file"),
        ("fit t.csv -t yy", "has no column 'yy'"),
        ("check bad.yaml", "training.epoch: unknown setting"),
        ("tune t.csv -t y -s data.split.method=group", "needs split.column"),
        ("predict norun t.csv", "no run folder"),
        ("predict run nofile.csv", "there is no file"),
        ("fit *.parquet.old -t y", "no file matches"),
        ("fit holes.csv -t y", "is mostly holes"),
        ("fit t.csv -t y -s data.test=holes.parquet", "is mostly holes"),
        ("check holes.parquet -t y", "is mostly holes"),
        ("predict run holes.csv.gz", "is mostly holes"),
        ("predict run large.csv -r limits.unpacked=1e-6", "of a file that is read whole"),
        ("tune large.csv -t x -s data.read.limits.unpacked=1e-6", "of a file that is read whole"),
    ],
)
def test_mistakes_are_told_before_torch_is_imported(folder: Path, command: str, message: str) -> None:
    code, said, heavy = answer(folder, *command.split())
    assert (code, heavy) == (2, set())
    assert message in said


def test_predicting_imports_torch_alone(folder: Path) -> None:
    code, said, heavy = answer(folder, "predict", "run", "t.csv", "--out", "p.csv")
    assert (code, said) == (0, "")
    assert heavy == {"torch"}
    assert len(pl.read_csv(folder / "p.csv")) == 60


def test_a_run_prints_its_summary(folder: Path) -> None:
    run = handrail.load(folder / "run")
    text = str(run)
    assert "binary, target y" in text
    assert "balanced accuracy" in text
    assert "sealed test rows" in text
    assert repr(run) == f"Run('{folder / 'run'}')"
    cell = run._repr_html_()
    assert cell.startswith("<pre>")
    assert "binary, target y" in cell


def test_a_run_that_has_not_ended_says_so(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("data: {source: t.csv}\n")
    assert f"handrail.resume('{tmp_path}')" in str(Run(tmp_path))


@pytest.mark.skipif(not Path("/proc/kmsg").exists(), reason="there is no /proc")
@pytest.mark.parametrize("place", ["/dev/zero", "/proc/kmsg", "/proc/self/environ"])
def test_what_may_have_no_end_is_refused_at_once(folder: Path, place: str) -> None:
    code, said, heavy = answer(folder, "fit", place, "-t", "y")
    assert (code, heavy) == (2, set())
    assert place in said

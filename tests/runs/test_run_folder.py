"""One writer a folder, nothing written through links, nothing left by what ends early."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from safetensors.torch import load_file, save_file

import handrail
from handrail.errors import HandrailError, RunError
from handrail.runs.environment import check_same_recipe
from handrail.runs.lock import LOCK, hold
from handrail.tools.files import sweep

TABLE = pl.DataFrame({"a": [i % 7 / 7 for i in range(40)], "y": ["no", "yes"] * 20})
QUICK = {"training.epochs": 1, "model": "linear"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("finished")
    TABLE.write_csv(place / "t.csv")
    return handrail.fit(place / "t.csv", "y", changes=QUICK, out=place / "run").path


def test_a_folder_is_written_by_one_thread_or_process_at_a_time(tmp_path: Path):
    script = "import sys; from pathlib import Path; from handrail.runs.lock import hold\n"
    script += "with hold(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="is in use"), hold(tmp_path):
            pass
        other.send_signal(signal.SIGKILL)
    with hold(tmp_path), hold(tmp_path):  # a kill has freed it; whoever holds it may hold it again
        pass


def test_a_test_beside_another_changes_nothing(finished: Path):
    from concurrent.futures import ThreadPoolExecutor

    with hold(finished), ThreadPoolExecutor(1) as other, pytest.raises(RunError, match="is in use"):
        other.submit(handrail.load(finished).test).result()
    assert not (finished / "test.json").exists()


@pytest.mark.parametrize("name", ["log.txt", "predictions", "model", "report.html", "checkpoints/last"])
@pytest.mark.parametrize("kind", ["file", "dangling", "device"])
def test_nothing_is_written_through_a_link(finished: Path, tmp_path: Path, name: str, kind: str):
    run, outside = tmp_path / "run", tmp_path / "outside"
    shutil.copytree(finished, run)
    place = run / name
    shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    if kind == "file":
        outside.mkdir() if name in ("predictions", "model", "checkpoints/last") else outside.write_text(
            "mine"
        )
    place.symlink_to("/dev/null" if kind == "device" else outside)
    (run / "validation.json").unlink()
    before = outside.read_text() if outside.is_file() else None
    with pytest.raises(HandrailError, match="symbolic link"):
        handrail.resume(run)
    assert (outside.read_text() if outside.is_file() else None) == before
    assert not outside.is_dir() or not list(outside.iterdir())


@pytest.mark.parametrize("error", [MemoryError, OSError, KeyboardInterrupt, ZeroDivisionError])
def test_no_error_before_training_leaves_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
):
    from handrail import fitting

    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    TABLE.write_csv(tmp_path / "t.csv")
    monkeypatch.setattr(fitting, "prepare", fail)
    with pytest.raises((error, handrail.fitting.Interrupted)):
        handrail.fit(tmp_path / "t.csv", "y", changes=QUICK, out=tmp_path / "new" / "run")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("files", [0, 1, 2, 3, 4])
def test_a_fit_takes_over_what_a_kill_left_before_the_recipe(tmp_path: Path, files: int):
    run, names = tmp_path / "run", [LOCK, "log.txt", "data-source.parquet", "checkpoints/recipe.json"]
    (run / "checkpoints" / "last").mkdir(parents=True)
    for name in names[:files]:
        (run / name).write_text("cut off")
    if files:
        with pytest.raises(RunError, match=r"begin again, into the same folder \(out="):
            handrail.resume(run)
    assert handrail.fit(TABLE, "y", changes=QUICK, out=run).summary


def test_a_folder_with_somebodys_log_is_not_taken_over(tmp_path: Path):
    (tmp_path / "log.txt").write_text("mine")
    with pytest.raises(RunError, match="already exists"):
        handrail.fit(TABLE, "y", changes=QUICK, out=tmp_path)
    assert (tmp_path / "log.txt").read_text() == "mine"


def test_temporary_files_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path):
    script = "import sys, os\nfrom handrail.tools.files import write_atomically\n"
    script += "with write_atomically(sys.argv[1]) as path: path.write_text('x'); os._exit(9)"
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "a.json")], check=False)
    (left,) = tmp_path.iterdir()
    living = tmp_path / left.name.replace(left.name.split("-")[1], str(os.getpid()), 1)
    living.write_text("x")
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [living]


@pytest.mark.pictures
def test_control_characters_reach_neither_pages_nor_log_nor_messages(tmp_path: Path):
    name, target = "a\x1b[31m\x9bRED\u202e", "y\x1b[31m\x9bRED\u202e"
    frame = TABLE.rename({"a": name, "y": target})
    run = handrail.fit(frame, target, changes=QUICK, out=tmp_path / "run")
    pages = [(run.path / page).read_text() for page in ("log.txt", "model/card.md", "report.html")]
    assert r"a\x1b[31m\x9bRED\u202e" in pages[2]
    for text in (*pages, str(run), str(handrail.check(frame, target)), str(RunError(f"no column {name}"))):
        assert not {"\x1b", "\x9b", "\u202e"} & set(text)
    assert str(RunError(name)) == r"a\x1b[31m\x9bRED\u202e"


def test_a_card_holds_no_markup_of_names(tmp_path: Path):
    name = "y`<img src=x onerror=alert(1)>`[x](javascript:alert(1))|"
    run = handrail.fit(TABLE.rename({"y": name}), name, changes=QUICK, out=tmp_path / "run")
    card = (run.path / "model" / "card.md").read_text()
    assert "&#60;img" in card
    assert not any(markup in card for markup in ("<img", "[x]", "javascript:", "|`"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_damage_and_open_no_seal(
    finished: Path, tmp_path: Path, value: float
):
    run = shutil.copytree(finished, tmp_path / "run")
    weights = run / "model" / "weights.safetensors"
    tensors = load_file(weights)
    next(tensor for name, tensor in tensors.items() if name.startswith("network"))[0] = value
    save_file(tensors, weights)
    with pytest.raises(RunError, match=r"weights\.safetensors' is damaged: .* not finite"):
        handrail.load(run).test()
    assert not handrail.load(finished).openings()


@pytest.mark.parametrize("column", [[1, None, 3], [1.5, 2.0, 3.0], ["1", "2", "3"]])
def test_hashes_of_sealed_rows_that_are_no_numbers_are_damage(finished: Path, tmp_path: Path, column: list):
    run = shutil.copytree(finished, tmp_path / "run")
    pl.DataFrame({"hash": column}).write_parquet(run / "sealed.parquet")
    with pytest.raises(RunError, match=r"sealed\.parquet' is missing or damaged"):
        handrail.load(run).test()


@pytest.mark.parametrize(
    "content", ['{"epoch": 1, "val_loss": 0.3}', '{"metrics": {}, "findings": [3], "training": {}}']
)
def test_figures_of_validation_rows_that_are_something_else_are_damage(
    finished: Path, tmp_path: Path, content: str
):
    run = shutil.copytree(finished, tmp_path / "run")
    (run / "validation.json").write_text(content)
    with pytest.raises(RunError, match=r"validation\.json' is damaged"):
        handrail.load(run).test()


@pytest.mark.parametrize("content", ["[]", '{"epoch": 1}', '{"data": "elsewhere"}'])
def test_a_first_recipe_that_is_none_is_damage(finished: Path, tmp_path: Path, content: str):
    run = handrail.load(shutil.copytree(finished, tmp_path / "run"))
    run.folder.first_recipe.parent.mkdir(exist_ok=True)
    run.folder.first_recipe.write_text(content)
    with pytest.raises(RunError, match=r"recipe\.json' is damaged"):
        check_same_recipe(run.folder, run.recipe)

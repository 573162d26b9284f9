"""Processes that train groups of trials: copies of this one, and new ones."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import handrail
from handrail.data.prepare import prepare
from handrail.errors import RunError
from handrail.recipe import compose
from handrail.tuning import executors
from handrail.tuning import search as searching
from handrail.tuning.executors import pool
from handrail.tuning.workspace import Workspace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux copies processes")

SPACE = {"model.mlp.hidden": [[4], [6], [8]], "learning.gradient.optimizer.adamw.learning_rate": [0.01, 0.03]}
CHANGES = {"training.epochs": 4, "evaluation.resamples": 200, "tuning.workers": 2}


def search(out: Path, **changes: Any) -> bytes:
    """The table of a small search."""
    more = {name.replace("__", "."): value for name, value in changes.items()}
    handrail.tune("bundled:breast_cancer", "target", space=SPACE, changes={**CHANGES, **more}, out=out)
    return (out / "trials.csv").read_bytes()


@pytest.fixture(autouse=True)
def nothing_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests may have used the compiler in this process."""
    monkeypatch.delitem(sys.modules, pool.COMPILER, raising=False)


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that are copied from now on."""
    numbers: list[int] = []
    begin = pool.ForkedProcess.__init__

    def noted(self: pool.ForkedProcess, *arguments: Any) -> None:
        begin(self, *arguments)
        assert self.process.pid
        numbers.append(self.process.pid)

    monkeypatch.setattr(pool.ForkedProcess, "__init__", noted)
    monkeypatch.setattr(searching, "cores", lambda: 2)
    return numbers


def test_copies_new_processes_and_this_one_come_to_the_same_table(
    tmp_path: Path, copies: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = search(tmp_path / "copies")
    assert len(copies) == 2
    assert search(tmp_path / "here", tuning__workers=1) == table
    monkeypatch.setattr(executors, "can_copy", lambda _: False)
    assert search(tmp_path / "new") == table
    assert len(copies) == 2


def test_folds_are_encoded_before_copies_are_made(
    tmp_path: Path, copies: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, make = os.getpid(), Workspace._prepare_rows

    def made(self: Workspace, *arguments: Any) -> Any:
        assert os.getpid() == here
        return make(self, *arguments)

    monkeypatch.setattr(Workspace, "_prepare_rows", made)
    assert search(tmp_path / "copies", tuning__folds=2) == search(
        tmp_path / "here", tuning__folds=2, tuning__workers=1
    )
    assert copies


def test_a_copy_compiles_nothing_by_itself(
    tmp_path: Path, copies: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handrail.training.speed.compilation._REPAYS", 0.0)  # here it would, at once
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    search(tmp_path / "copies", training__together=False)
    notes = [json.loads(path.read_text()) for path in (tmp_path / "copies").rglob("compile.json")]
    assert len(copies) == 2
    assert len(notes) == 6
    assert {note["why"] for note in notes} == {"copies of a process compile nothing"}


def test_a_copy_that_dies_is_replaced(
    tmp_path: Path, copies: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    died, answer_group = tmp_path / "died", pool.answer_group

    def first_dies(*arguments: Any) -> str:
        try:
            died.touch(exist_ok=False)
        except FileExistsError:
            return answer_group(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    monkeypatch.setattr(pool, "answer_group", first_dies)
    table = search(tmp_path / "one")
    assert died.exists()
    assert len(copies) == 3
    assert search(tmp_path / "here", tuning__workers=1) == table


def test_a_group_whose_copies_always_die_ends_the_search(
    tmp_path: Path, copies: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any) -> str:
        os.write(2, b"no room\n")
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    monkeypatch.setattr(pool, "answer_group", dies)
    with pytest.raises(RunError, match=r"ended by signal 9.*three times at trials .*words: no room"):
        search(tmp_path / "one")
    assert len(copies) >= 3


def test_copies_end_with_their_process(tmp_path: Path) -> None:
    script = f"""
import handrail
import handrail.tuning.search as searching
searching.cores = lambda: 2
handrail.tune("bundled:digits", "target", space={SPACE!r}, out={str(tmp_path / "one")!r},
              changes={{"training.epochs": 100000, "training.patience": None, "tuning.workers": 2}})
"""
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    copied: list[str] = []
    end = time.monotonic() + 60
    while len(copied) < 2 and time.monotonic() < end:
        assert process.poll() is None
        copied = children.read_text().split()
        time.sleep(0.1)
    assert len(copied) == 2
    process.kill()
    process.wait()
    while any(Path(f"/proc/{number}").exists() for number in copied) and time.monotonic() < end:
        time.sleep(0.1)
    assert not [number for number in copied if Path(f"/proc/{number}").exists()]


@pytest.mark.parametrize(
    ("changes", "can"),
    [
        ({}, True),
        ({"training.threads": 2}, False),
        ({"training.compile": True}, False),
        ({"tuning.space": {"training.threads": [1, 2]}}, False),
    ],
)
def test_copies_compute_with_one_thread_and_compile_nothing(changes: dict[str, Any], can: bool) -> None:
    recipe = compose("bundled:iris", "target", changes=changes)
    assert pool.can_copy(Workspace(recipe, prepare(recipe.data))) is can
    assert not pool.can_copy(Workspace(recipe, prepare(recipe.data), threads=2))


def test_there_are_no_copies_of_a_process_that_has_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = compose("bundled:iris", "target")
    monkeypatch.setitem(sys.modules, pool.COMPILER, pool)
    assert not pool.can_copy(Workspace(recipe, prepare(recipe.data)))

"""The seal: opened once, whoever asks, and never forgotten."""

import math
import multiprocessing
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from handrail.data.split import hash_sets
from handrail.data.split.hash_sets import fingerprint
from handrail.errors import SealError
from handrail.evaluation import ledger as module
from handrail.evaluation.bootstrap import Interval
from handrail.evaluation.ledger import Ledger, default_folder


def _hashes(rows: int = 100, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, rows, dtype=np.uint64)


def _open(
    ledger: Ledger, hashes: np.ndarray, *, run: str = "runs/one", again: bool = False
) -> module.OpeningTicket:
    return ledger.open_seal(
        fingerprint(hashes),
        run=run,
        recipe="digits",
        recipe_hash="ab" * 32,
        rows=len(hashes),
        row_hashes=hashes,
        again=again,
    )


def test_a_fingerprint_is_of_the_set_and_not_of_its_order():
    hashes = _hashes()
    assert fingerprint(hashes[::-1].copy()) == fingerprint(hashes)
    assert len(fingerprint(hashes)) == 32
    assert fingerprint(hashes[1:]) != fingerprint(hashes)
    assert fingerprint(np.append(hashes, hashes[0])) != fingerprint(hashes)  # a row twice is another set


def test_an_opening_is_kept_with_its_figures():
    hashes, ledger = _hashes(), Ledger()
    assert ledger.openings(fingerprint(hashes)) == []
    assert not ledger.path.parent.exists()  # looking creates nothing
    ticket = _open(ledger, hashes)
    (before,) = Ledger().openings(fingerprint(hashes))
    assert before.figures is None
    assert (ticket.number, ticket.again) == (1, False)
    ledger.record(
        ticket, {"accuracy": Interval(0.9, 0.8, 0.95), "roc_auc": {"value": math.nan}, "n": np.int64(3)}
    )
    (opening,) = Ledger().openings(fingerprint(hashes))
    assert opening.figures == {
        "accuracy": {"value": 0.9, "low": 0.8, "high": 0.95, "reason": ""},
        "roc_auc": {"value": None},
        "n": 3,
    }
    assert (opening.run, opening.recipe, opening.rows, opening.again) == ("runs/one", "digits", 100, False)
    assert abs((datetime.now(UTC) - datetime.fromisoformat(opening.when)).total_seconds()) < 60


def test_a_second_opening_is_refused_and_says_what_happened_before():
    hashes, ledger = _hashes(), Ledger()
    ticket = _open(ledger, hashes)
    with pytest.raises(SealError, match="recorded no figures"):
        _open(ledger, hashes)
    ledger.record(ticket, {"accuracy": 1.0})
    with pytest.raises(SealError) as refusal:
        _open(ledger, hashes[::-1].copy(), run="runs/two")
    for part in ("100 test rows", "opened once", ticket.when, "'digits'", "'runs/one'", "`again=True`"):
        assert part in str(refusal.value)
    assert len(ledger.openings(fingerprint(hashes))) == 1


def test_again_opens_once_more_and_is_marked():
    hashes, ledger = _hashes(), Ledger()
    assert not _open(ledger, hashes, again=True).again  # nothing had been opened: this is the first
    second = _open(ledger, hashes, run="runs/two", again=True)
    assert (second.number, second.again) == (2, True)
    assert [opening.again for opening in ledger.openings(fingerprint(hashes))] == [False, True]
    with pytest.raises(SealError, match=r"opened 2 times before.*'runs/two'"):
        _open(ledger, hashes)


def _race(folder: Path, start, results) -> None:
    look = module._openings

    def look_slowly(*arguments):  # so that all are inside at once, whatever the machine does
        time.sleep(0.3)
        return look(*arguments)

    module._openings = look_slowly
    start.wait()
    try:
        _open(Ledger(folder), _hashes())
        results.put("opened")
    except SealError as error:
        results.put(str(error))


def test_of_processes_at_once_exactly_one_opens(tmp_path):
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(3), context.Queue()
    racers = [context.Process(target=_race, args=(tmp_path, start, results)) for _ in range(3)]
    for racer in racers:
        racer.start()
    answers = [results.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join()
    assert answers.count("opened") == 1
    assert sum("opened once before" in text for text in answers) == 2


def test_other_sets_that_share_rows_are_found_with_their_share():
    hashes, ledger = _hashes(), Ledger()
    assert ledger.overlap(hashes) == []
    _open(ledger, hashes)
    _open(ledger, hashes, run="runs/later", again=True)
    _open(ledger, _hashes(seed=9))
    assert ledger.overlap(hashes) == []  # the same set is no other set
    mixed = np.concatenate([hashes[:30], _hashes(70, seed=1)])
    ((opening, share),) = ledger.overlap(mixed)
    assert (opening.run, share) == ("runs/later", 0.3)


def test_large_sets_are_compared_by_a_sample(monkeypatch):
    monkeypatch.setattr(hash_sets, "_MOST_HASHES", 1000)
    rows, ledger = np.arange(20_000, dtype=np.uint64), Ledger()  # not uniform at all
    _open(ledger, rows)
    with sqlite3.connect(ledger.path) as connection:
        ((length,),) = connection.execute("SELECT length(hashes) FROM row_hashes")
    connection.close()
    assert 100 * 8 < length <= 1100 * 8
    ((_, share),) = ledger.overlap(np.arange(10_000, 30_000, dtype=np.uint64))
    assert share == pytest.approx(0.5, abs=0.1)


def test_the_ledger_lies_in_the_users_data_folder(monkeypatch, tmp_path, handrail_home):
    assert default_folder() == handrail_home
    ledger = Ledger()
    monkeypatch.setenv("HANDRAIL_HOME", str(tmp_path / "elsewhere"))
    assert ledger.path == tmp_path / "elsewhere" / "ledger.sqlite"  # read at each call
    monkeypatch.delenv("HANDRAIL_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(sys, "platform", "linux")
    assert default_folder() == tmp_path / "data" / "handrail"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_folder() == Path.home() / "Library" / "Application Support" / "handrail"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert default_folder() == tmp_path / "local" / "handrail"


def test_the_folder_is_for_its_user_alone():
    ledger = Ledger()
    _open(ledger, _hashes())
    if sys.platform != "win32":
        assert stat.S_IMODE(ledger.path.parent.stat().st_mode) == 0o700


def test_a_damaged_ledger_is_told_and_left_as_it_is():
    hashes, ledger = _hashes(), Ledger()
    _open(ledger, hashes)
    ledger.path.write_bytes(b"not a database" * 1000)
    for use in (lambda: ledger.openings("x"), lambda: _open(ledger, hashes), lambda: ledger.overlap(hashes)):
        with pytest.raises(SealError, match=r"ledger\.sqlite is damaged"):
            use()
    assert ledger.path.read_bytes() == b"not a database" * 1000


def test_damage_inside_is_told_too():
    hashes, ledger = _hashes(), Ledger()
    _open(ledger, hashes)
    with sqlite3.connect(ledger.path) as connection:
        connection.execute("UPDATE openings SET figures = '{broken'")
    connection.close()
    with pytest.raises(SealError, match="damaged"):
        ledger.openings(fingerprint(hashes))
    with pytest.raises(SealError, match="nothing was measured"):
        _open(ledger, hashes, again=True)


def test_a_ledger_of_a_newer_version_is_not_touched():
    ledger = Ledger()
    _open(ledger, _hashes())
    with sqlite3.connect(ledger.path) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    for use in (lambda: ledger.openings("x"), lambda: _open(ledger, _hashes(seed=1))):
        with pytest.raises(SealError, match="version 7, written by a newer handrail"):
            use()


def test_a_folder_that_cannot_be_written_keeps_the_seal_closed(tmp_path):
    (tmp_path / "file").write_text("in the way")
    ledger = Ledger(tmp_path / "file" / "home")
    with pytest.raises(SealError, match=r"seal stays closed and nothing was measured.*HANDRAIL_HOME"):
        _open(ledger, _hashes())
    assert ledger.openings("x") == []


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file sizes")
def test_a_full_disk_keeps_the_seal_closed(tmp_path):
    # A limit on file sizes stops SQLite in the middle of its transaction, as a full disk does.
    script = """
import resource, sys
from pathlib import Path
import numpy as np
from handrail.errors import SealError
from handrail.evaluation.ledger import Ledger
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    hashes = np.arange(90_000, dtype=np.uint64)
    Ledger(Path(sys.argv[1])).open_seal("f", run="r", recipe="n", recipe_hash="h", rows=9, row_hashes=hashes)
except SealError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "The seal stays closed and nothing was measured." in done.stdout
    assert "free disk space" in done.stdout
    assert Ledger(tmp_path).openings("f") == []


def test_a_busy_ledger_is_told(monkeypatch):
    monkeypatch.setattr(module, "_WAIT", 0.05)
    ledger = Ledger()
    _open(ledger, _hashes())
    holder = sqlite3.connect(ledger.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(SealError, match="Another process holds it"):
        _open(ledger, _hashes(seed=1))
    holder.execute("ROLLBACK")
    holder.close()
    _open(ledger, _hashes(seed=1))


def test_a_failure_within_the_opening_leaves_no_trace(monkeypatch):
    ledger = Ledger()
    _open(ledger, _hashes())

    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        # Made after the rows are written, before they are committed.
        patch.setattr(module, "OpeningTicket", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _open(ledger, _hashes(seed=1))
    assert not _open(ledger, _hashes(seed=1)).again


def test_figures_of_an_opening_that_the_ledger_lost_are_refused():
    ledger = Ledger()
    ticket = _open(ledger, _hashes())
    ledger.path.unlink()
    _open(ledger, _hashes(seed=1))
    with pytest.raises(SealError, match="does not hold the opening"):
        ledger.record(ticket, {"accuracy": 1.0})


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: _execute(path, "DROP TABLE row_hashes"),
        lambda path: _execute(path, "ALTER TABLE openings DROP COLUMN figures"),
    ],
    ids=["empty", "cut off", "a table less", "a column less"],
)
def test_what_is_not_whole_is_damage_and_never_new(damage):
    hashes, ledger = _hashes(), Ledger()
    _open(ledger, hashes)
    damage(ledger.path)
    for use in (lambda: ledger.openings("x"), lambda: ledger.overlap(hashes), lambda: _open(ledger, hashes)):
        with pytest.raises(SealError, match="damaged"):
            use()


def _execute(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


def test_the_overlap_is_judged_where_the_opening_is_written():
    hashes, ledger = _hashes(), Ledger()
    _open(ledger, hashes[:80])
    with pytest.raises(SealError, match="have been opened before in another set"):
        _open(ledger, hashes[20:])
    ((_, share),) = _open(ledger, hashes[20:], again=True).shared
    assert share == 0.75


@pytest.mark.parametrize("moment", ["os.link", "sqlite3.connect"])
def test_what_a_kill_leaves_while_the_ledger_is_made_goes(moment: str):
    """Before it has its name, and while it is written."""
    folder = Ledger().path.parent
    script = f"""
import os, signal, sqlite3
from handrail.evaluation.ledger import _create, Path

class Killed(sqlite3.Connection):
    def commit(self):
        os.kill(os.getpid(), signal.SIGKILL)

if {moment!r} == "os.link":
    os.link = lambda *names: os.kill(os.getpid(), signal.SIGKILL)
else:
    connect = sqlite3.connect
    sqlite3.connect = lambda *of, **how: connect(*of, factory=Killed, **how)
_create(Path({str(folder / "ledger.sqlite")!r}))
"""
    folder.mkdir(parents=True)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    assert len(list(folder.iterdir())) == 1
    assert _open(Ledger(), _hashes()).number == 1
    assert [path.name for path in folder.iterdir()] == ["ledger.sqlite"]

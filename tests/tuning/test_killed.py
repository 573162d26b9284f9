"""A search that is killed, at whatever moment, goes on to the table that it would have come to."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

SEARCH = """
import torch
torch.set_num_threads(1)
import handrail
space = {
    "learning.gradient.optimizer.adamw.learning_rate": [0.001, 0.003, 0.01, 0.03],
    "model.mlp.hidden": [[16], [24], [32], [40], [48], [56]],
}
changes = {"training.epochs": 40, "training.patience": None, "training.checkpoint_seconds": 0.05}
changes |= {"training.together": TOGETHER, "tuning.workers": WORKERS, "evaluation.resamples": 200}
handrail.tune("bundled:breast_cancer", "target", space=space, changes=changes, out=OUT)
"""


def start_search(out: Path, *, workers: int, together: bool) -> subprocess.Popen[bytes]:
    script = (
        SEARCH.replace("OUT", repr(str(out)))
        .replace("WORKERS", str(workers))
        .replace("TOGETHER", str(together))
    )
    return subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)


def count_finished(out: Path) -> int:
    """How many trials are stored; while the search runs, its file is locked, and the journal tells nothing
    either.
    """
    try:
        with sqlite3.connect(f"file:{out / 'search.sqlite'}?mode=ro", uri=True, timeout=0) as connection:
            return connection.execute("SELECT count(*) FROM trials").fetchone()[0]
    except sqlite3.Error:
        return -1


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "together"), [(1, True), (1, False), (2, True)])
def test_killed_at_several_moments(tmp_path: Path, workers: int, together: bool) -> None:
    import handrail

    whole = start_search(tmp_path / "whole", workers=workers, together=together)
    began = time.monotonic()
    assert whole.wait() == 0
    took = time.monotonic() - began
    expected = (tmp_path / "whole" / "trials.csv").read_bytes()
    seen = set()
    for number, share in enumerate((0.5, 0.75)):
        out = tmp_path / str(number)
        search = start_search(out, workers=workers, together=together)
        time.sleep(took * share)
        os.kill(search.pid, signal.SIGKILL)
        search.wait()
        if not (out / "search.yaml").exists() or not (out / "search.sqlite").exists():
            continue
        seen.add(count_finished(out))
        handrail.resume_search(out)
        assert (out / "trials.csv").read_bytes() == expected
    assert seen - {-1}, "it was killed too early each time"

"""Trials on a Ray cluster of two workers: the same figures, and a worker that is killed loses nothing that
was finished.
"""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

import handrail

pytest.importorskip("ray")

SPACE = {
    "learning.gradient.optimizer.adamw.learning_rate": [0.003, 0.03],
    "model.mlp.hidden": [[8], [12], [16]],
}
SMALL = {
    "training.epochs": 10,
    "evaluation.resamples": 200,
    "training.checkpoint_seconds": 0.1,
    "tuning.workers": 2,
}


def on_cluster(out: Path) -> handrail.Search:
    return handrail.tune(
        "bundled:breast_cancer", "target", space=SPACE, changes={**SMALL, "tuning.cluster": "local"}, out=out
    )


def workers() -> list[int]:
    """Ray's processes that are at work on a group of trials just now."""
    results = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            name = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if name.startswith("ray::answer"):
            results.append(int(path.parent.name))
    return results


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_two_workers_come_to_the_figures_of_this_process_though_one_is_killed(tmp_path: Path) -> None:
    here = handrail.tune(
        "bundled:breast_cancer",
        "target",
        space=SPACE,
        changes={**SMALL, "tuning.workers": 1},
        out=tmp_path / "here",
    )
    killed: list[int] = []

    def kill_one() -> None:
        ends = time.monotonic() + 120
        while not killed and time.monotonic() < ends:
            for process in workers()[:1]:
                os.kill(process, signal.SIGKILL)
                killed.append(process)
            time.sleep(0.02)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    there = on_cluster(tmp_path / "there")
    killer.join()
    assert killed
    assert there.table == here.table

"""The folder that torch makes for compiled code is not left behind empty."""

import getpass
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from handrail.training.speed import compilation


@pytest.mark.parametrize("used", [False, True])
def test_only_an_empty_cache_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, used: bool) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cache = tmp_path / f"torchinductor_{getpass.getuser()}"
    (cache / "code" if used else cache).mkdir(parents=True)
    compilation._remove_empty_cache()
    assert cache.exists() is used
    compilation._remove_empty_cache()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["fit", "tune"])
def test_a_command_leaves_nothing_in_the_temporary_folder(tmp_path: Path, command: str) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    small = ["training.epochs=1", "evaluation.resamples=100", "model={mlp: {hidden: [4]}}"]
    small += ["tuning={space: {training.batch_size: [16, 32]}, workers: 2}"] if command == "tune" else []
    settings = [*(f"--set={text}" for text in small), "-q", "-o", str(tmp_path / "out")]
    environment = {**os.environ, "TMPDIR": str(temporary), "HANDRAIL_HOME": str(tmp_path / "home")}
    environment.pop("TORCHINDUCTOR_CACHE_DIR", None)
    subprocess.run(
        [sys.executable, "-m", "handrail", command, "bundled:iris", "-t", "target", *settings],
        env=environment,
        check=True,
    )
    assert list(temporary.iterdir()) == []

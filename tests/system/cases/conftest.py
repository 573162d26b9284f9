"""The command line in an empty folder, and where a case lies."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from case_rows import Answer, Cli

from handrail.cli import main


@pytest.fixture
def path(shared_cases: Path, name: str) -> Path:
    """The file or folder of the row under test."""
    return shared_cases / name


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    """Commands run in an empty folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Cli(_runner(monkeypatch, capfd), folder)


def _runner(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["handrail", *map(str, arguments)])
        code = 0
        capfd.readouterr()
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        output = capfd.readouterr()
        return Answer(code, output.out, output.err)

    return run

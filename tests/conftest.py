"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the real data sets: `HANDRAIL_DATA`, or `shared/data` beside the repository."""
    folder = Path(os.environ.get("HANDRAIL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real data sets are not at {folder}; HANDRAIL_DATA names another folder")
    return folder


@pytest.fixture(autouse=True)
def handrail_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has a ledger of its own."""
    home = tmp_path / "handrail-home"
    monkeypatch.setenv("HANDRAIL_HOME", str(home))
    return home

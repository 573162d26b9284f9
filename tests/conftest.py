"""Fixtures for all tests."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Tests run side by side, one a core: libraries that use several threads would wait for each other.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

torch.set_num_threads(1)
os.fsync = lambda _descriptor: None  # no test cuts the power, and a killed process loses nothing
install_import_hook(
    [
        "handrail.layers",
        "handrail.models",
        "handrail.data.encoders.table",
        "handrail.data.encoders.impute_and_scale",
    ],
    "beartype.beartype",
)  # types and shapes in signatures are checked at every call; losses refuse wrong shapes themselves
# What lands does not depend on luck; at a desk, luck finds more.
settings.register_profile("ci", derandomize=True)
if "CI" in os.environ:
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the real data sets: `HANDRAIL_DATA`, or `shared/data` beside the repository."""
    folder = Path(os.environ.get("HANDRAIL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real data sets are not at {folder}; HANDRAIL_DATA names another folder")
    return folder


@pytest.fixture(scope="session")
def shared_cases(shared_data: Path) -> Path:
    """The folder with small inputs as people have them, beside the real data sets."""
    folder = shared_data.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"the small inputs are not at {folder}")
    return folder


@pytest.fixture(autouse=True)
def handrail_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has a ledger of its own."""
    home = tmp_path / "handrail-home"
    monkeypatch.setenv("HANDRAIL_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests make hundreds of runs, and drawing a report takes longer than a tiny fit; `pictures` keeps it."""
    if "pictures" not in request.keywords:
        monkeypatch.setattr("handrail.report.page.write_report", write_no_report)


@pytest.fixture(autouse=True)
def no_trees(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor are boosted trees fitted beside each of these runs; `trees` keeps them."""
    if "trees" not in request.keywords:
        monkeypatch.setattr("handrail.tasks.baselines.table.table_of", lambda _: None)


def write_no_report(run: Any) -> Path:
    run.folder.report.write_text("not drawn")
    return run.folder.report


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a real PostgreSQL server that lives as long as the tests.

    The folders are made outside pytest's own: as root, the server belongs to another system user, and its
    package opens the folders above for that user, which pytest refuses for its own.
    """
    with pytest.MonkeyPatch.context() as patch:
        runtime = tempfile.mkdtemp(prefix="handrail-run-")  # mode 0700, as a runtime folder must have
        patch.setenv("XDG_RUNTIME_DIR", os.environ.get("XDG_RUNTIME_DIR") or runtime)
        with warnings.catch_warnings():
            # Its import looks up folders, and complains about what it finds.
            warnings.simplefilter("ignore")
            pgserver = pytest.importorskip("pgserver", reason="the package pgserver is not installed")
            folder = Path(tempfile.mkdtemp(prefix="handrail-postgres-"))
            server = pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri().replace("postgres:@", "postgres@")
        finally:
            server.cleanup()
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(runtime, ignore_errors=True)

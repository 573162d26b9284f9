"""Fixtures for tests of reading and writing tables."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a real PostgreSQL server that lives as long as the tests.

    The folders are made outside pytest's own: as root, the server belongs to another system user, and its package
    opens the folders above for that user, which pytest refuses for its own.
    """
    with pytest.MonkeyPatch.context() as patch:
        runtime = tempfile.mkdtemp(prefix="handrail-run-")  # mode 0700, as a runtime folder must have
        patch.setenv("XDG_RUNTIME_DIR", os.environ.get("XDG_RUNTIME_DIR") or runtime)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its import looks up folders, and complains about what it finds
            pgserver = pytest.importorskip("pgserver", reason="the package pgserver is not installed")
            folder = Path(tempfile.mkdtemp(prefix="handrail-postgres-"))
            server = pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri().replace("postgres:@", "postgres@")
        finally:
            server.cleanup()
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(runtime, ignore_errors=True)

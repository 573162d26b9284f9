"""Fixtures for tests of reports."""

import pytest


@pytest.fixture(autouse=True)
def no_pictures() -> None:
    """Here reports are drawn."""

"""Fixtures for tests of whole fits."""

from pathlib import Path

import pytest

from handrail.run import Run


@pytest.fixture(autouse=True)
def no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests make hundreds of runs; drawing each report would take most of their time. `pictures` keeps
    it.
    """
    if "pictures" not in request.keywords:

        def write_report(run: Run) -> Path:
            run.folder.report.write_text("not drawn")
            return run.folder.report

        monkeypatch.setattr("handrail.report.page.write_report", write_report)

"""What goes wrong while a file is understood is the file's fault; where it went wrong can be seen."""

import pytest

from handrail.errors import DataError, RunError
from handrail.tools.files import explain_damage


def test_damage_is_named_with_its_file() -> None:
    with (
        pytest.raises(RunError, match=r"'facts\.json' is damaged.*KeyError: 'size'"),
        explain_damage("facts.json"),
    ):
        _ = {}["size"]


def test_messages_of_ours_stay_as_they_are() -> None:
    with pytest.raises(DataError, match=r"^mine$"), explain_damage("facts.json"):
        raise DataError("mine")


def test_debugging_shows_the_error_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDRAIL_DEBUG", "1")
    with pytest.raises(KeyError), explain_damage("facts.json"):
        _ = {}["size"]

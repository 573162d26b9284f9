"""What a search has stored is read back, or refused in words."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from handrail.errors import RunError
from handrail.tuning.trial import Result, Trial, TrialStore


def write(path: Path) -> Result:
    result = Result(
        3, values=[[0.5, 0.75]], losses=[[1.0, 2.0]], epochs=[[4, 5]], draws=np.array([0.5]), seconds=1.5
    )
    store = TrialStore(path)
    store.note({"threads": 1})
    store.add([Trial(3, {"seed": 1})], [result])
    store.close()
    return result


def test_results_are_read_as_they_were_stored(tmp_path: Path) -> None:
    result = write(tmp_path / "search.sqlite")
    store = TrialStore(tmp_path / "search.sqlite")
    assert {key: found.plain() for key, found in store.results().items()} == {(3, 0): result.plain()}
    assert store.facts() == {"threads": 1}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("draws", "x"),
        ("draws", b"x"),
        ("figures", "{}"),
        ("figures", '{"values": [["x"]], "losses": [[1]]}'),
        ("figures", '{"values": [[1]], "losses": [[1]]}'),
        ("epochs", "[[1.5, 2]]"),
        ("epochs", "["),
        ("seconds", "x"),
    ],
)
def test_results_that_are_none_are_refused_in_words(tmp_path: Path, column: str, value: object) -> None:
    path = tmp_path / "search.sqlite"
    write(path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE trials SET {column} = ?", (value,))
    connection.close()
    store = TrialStore(path)
    with pytest.raises(RunError, match=r"search\.sqlite' is damaged"):
        store.results()


def test_facts_that_are_no_json_are_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "search.sqlite"
    write(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE facts SET value = 'x'")
    connection.close()
    with pytest.raises(RunError, match=r"search\.sqlite' is damaged"):
        TrialStore(path).facts()

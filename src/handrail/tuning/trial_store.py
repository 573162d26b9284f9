"""The trials of a search on disk: one SQLite file, which holds each group of results whole or not at all."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from handrail.errors import RunError
from handrail.tuning.trial import Result, Trial

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trials (
    number INTEGER NOT NULL, rung INTEGER NOT NULL, settings TEXT NOT NULL, state TEXT NOT NULL,
    figures TEXT NOT NULL, epochs TEXT NOT NULL, seconds REAL NOT NULL, failure TEXT NOT NULL, draws BLOB NOT
    NULL, PRIMARY KEY (number, rung)
);
"""


class TrialStore:
    """The SQLite file of a search; while it is open, no other process can use it.

    SQLite's rollback journal and full syncing are its defaults: after a kill or a power cut each group of
    trials is stored whole, or not at all.

    Raises: `RunError` when the file is damaged, or another search is at work on it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("BEGIN EXCLUSIVE")
            for statement in filter(str.strip, _TABLES.split(";")):
                self._connection.execute(statement)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def facts(self) -> dict[str, Any]:
        """The facts of the whole search."""
        return {
            name: json.loads(value)
            for name, value in self._all("SELECT name, value FROM facts ORDER BY name")
        }

    def note(self, facts: dict[str, Any]) -> None:
        """Store facts of the whole search."""
        rows = [(name, json.dumps(value, sort_keys=True)) for name, value in facts.items()]
        self._write("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)

    def results(self) -> dict[tuple[int, int], Result]:
        """All stored results, by number and rung."""
        rows = self._all(
            "SELECT number, rung, figures, epochs, seconds, failure, draws FROM trials ORDER BY rung, number"
        )
        results = [
            Result(
                number,
                rung,
                **json.loads(figures),
                epochs=json.loads(epochs),
                draws=np.frombuffer(draws, dtype="<f8"),
                seconds=seconds,
                failure=failure,
            )
            for number, rung, figures, epochs, seconds, failure, draws in rows
        ]
        return {result.key: result for result in results}

    def settings(self) -> dict[tuple[int, int], str]:
        """The settings of each stored trial, as they were written."""
        return {
            (number, rung): text
            for number, rung, text in self._all("SELECT number, rung, settings FROM trials")
        }

    def add(self, trials: Iterable[Trial], results: Iterable[Result]) -> None:
        """Store the results of trials, all of them or none."""
        by_key = {trial.key: trial for trial in trials}
        rows = [_row(by_key[result.key], result) for result in results]
        self._write("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _write(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        try:
            with closing(self._connection.cursor()) as cursor:
                cursor.execute("BEGIN IMMEDIATE")
                cursor.executemany(statement, rows)
                cursor.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def _all(self, statement: str) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(statement).fetchall()
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def _explain(self, error: sqlite3.Error) -> RunError:
        if "locked" in str(error):
            return RunError(
                f"'{self.path}' is in use: another search is at work in this folder. Wait for it, or end it."
            )
        return RunError(
            f"'{self.path}' cannot be used ({error}); if it is damaged, search again into another folder."
        )


def settings_text(trial: Trial) -> str:
    """The settings of a trial as JSON, the same text for the same settings."""
    return json.dumps(trial.settings, ensure_ascii=False, default=str)


def _row(trial: Trial, result: Result) -> tuple[Any, ...]:
    figures = {"values": result.values, "losses": result.losses}
    return (
        trial.number,
        trial.rung,
        settings_text(trial),
        "failed" if result.failure else "done",
        json.dumps(figures),
        json.dumps(result.epochs),
        result.seconds,
        result.failure,
        np.ascontiguousarray(result.draws, dtype="<f8").tobytes(),
    )

"""Trials, their results, and the file of a search that stores them."""

import base64
import json
import math
import operator
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from handrail.errors import RunError
from handrail.tools.files import explain_damage
from handrail.tuning.space import Settings

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trials (
    number INTEGER NOT NULL, rung INTEGER NOT NULL, settings TEXT NOT NULL, state TEXT NOT NULL,
    figures TEXT NOT NULL, epochs TEXT NOT NULL, seconds REAL NOT NULL, failure TEXT NOT NULL, draws BLOB NOT
    NULL, PRIMARY KEY (number, rung)
);
"""


@dataclass(frozen=True)
class Trial:
    """Settings to try.

    rung: of successive halving, from 0. share: the part of the recipe's epochs that this rung trains.
    """

    number: int
    settings: Settings
    rung: int = 0
    share: float = 1.0

    @property
    def key(self) -> tuple[int, int]:
        """The number and the rung, unique in a search."""
        return self.number, self.rung


@dataclass(frozen=True)
class Result:
    """The result of a trial.

    values: the metric, one list a fold, one number a replica. losses, epochs: validation loss and number of
    the best epoch likewise. draws: the metric on resampled validation rows `[resamples]`, the same rows for
    every trial, as the mean over folds and replicas. failure: why there are no figures.
    """

    number: int
    rung: int = 0
    values: list[list[float]] = field(default_factory=list)
    losses: list[list[float]] = field(default_factory=list)
    epochs: list[list[int]] = field(default_factory=list)
    draws: np.ndarray = field(default_factory=lambda: np.empty(0))
    seconds: float = 0.0
    failure: str = ""

    @property
    def value(self) -> float:
        """The metric: the mean over folds and replicas."""
        return _mean(self.values)

    @property
    def loss(self) -> float:
        """The validation loss: the mean over folds and replicas."""
        return _mean(self.losses)

    @property
    def key(self) -> tuple[int, int]:
        """Same key as the trial: (number, rung)."""
        return self.number, self.rung

    @property
    def of_replicas(self) -> np.ndarray:
        """The metric of each replica, averaged over the folds."""
        return np.asarray(self.values).mean(axis=0)

    @property
    def of_folds(self) -> np.ndarray:
        """The metric of each fold, averaged over the replicas."""
        return np.asarray(self.values).mean(axis=1)

    def plain(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return {**self.__dict__, "draws": base64.b64encode(self.draw_bytes()).decode()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Result":
        """The inverse of `plain`."""
        return cls(**{**plain, "draws": np.frombuffer(base64.b64decode(plain["draws"]), dtype="<f8")})

    def draw_bytes(self) -> bytes:
        """The draws as little-endian doubles."""
        return np.ascontiguousarray(self.draws, dtype="<f8").tobytes()


def settings_text(trial: Trial) -> str:
    """The settings of a trial as JSON, the same text for the same settings."""
    return json.dumps(trial.settings, ensure_ascii=False, default=str)


def _read_result(row: tuple[Any, ...]) -> Result:
    """A stored result. Raises: `ValueError` and the like for figures that are no tables of numbers."""
    number, rung, figures, epochs, seconds, failure, packed = row
    facts = json.loads(figures)
    values, losses = ([[float(x) for x in fold] for fold in facts[name]] for name in ("values", "losses"))
    counts = [[operator.index(count) for count in fold] for fold in json.loads(epochs)]
    if len({tuple(map(len, table)) for table in (values, losses, counts)}) != 1:
        raise ValueError(f"trial {number}: figures for unlike folds or replicas")
    draws = np.frombuffer(packed, dtype="<f8")
    return Result(number, rung, values, losses, counts, draws, float(seconds), str(failure))


def _mean(table: list[list[float]]) -> float:
    numbers = [number for row in table for number in row]
    return math.fsum(numbers) / len(numbers) if numbers else math.nan


class TrialStore:
    """The SQLite file of a search; while it is open, no other process can use it.

    After a kill or a power cut each group of trials is stored whole or not at all, by SQLite's defaults.

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
        rows = self._all("SELECT name, value FROM facts ORDER BY name")
        with explain_damage(self.path):
            return {name: json.loads(value) for name, value in rows}

    def note(self, facts: dict[str, Any]) -> None:
        """Store facts of the whole search."""
        rows = [(name, json.dumps(value, sort_keys=True)) for name, value in facts.items()]
        self._write("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)

    def results(self) -> dict[tuple[int, int], Result]:
        """All stored results, by number and rung."""
        rows = self._all(
            "SELECT number, rung, figures, epochs, seconds, failure, draws FROM trials ORDER BY rung, number"
        )
        with explain_damage(self.path):
            results = map(_read_result, rows)
            return {result.key: result for result in results}

    def settings(self) -> dict[tuple[int, int], str]:
        """The settings of each stored trial, as they were written."""
        rows = self._all("SELECT number, rung, settings FROM trials")
        return {(number, rung): text for number, rung, text in rows}

    def add(self, trials: Iterable[Trial], results: Iterable[Result]) -> None:
        """Store the results of trials, all of them or none."""
        settings = {trial.key: settings_text(trial) for trial in trials}
        rows = [
            (
                *result.key,
                settings[result.key],
                "failed" if result.failure else "done",
                json.dumps({"values": result.values, "losses": result.losses}),
                json.dumps(result.epochs),
                result.seconds,
                result.failure,
                result.draw_bytes(),
            )
            for result in results
        ]
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
        problem = f"cannot be used ({error}); if it is damaged, search again into another folder."
        if "locked" in str(error):
            problem = "is in use: another search is at work in this folder. Wait for it, or end it."
        return RunError(f"'{self.path}' {problem}")

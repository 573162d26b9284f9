"""A trial and its result."""

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handrail.tuning.space import Settings


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

    values: the metric, one list a fold, one number a replica. losses, epochs: the validation loss and the
    number of the best epoch likewise. draws: the metric on resampled validation rows `[resamples]`, the same
    rows for every trial, as the mean over folds and replicas. failure: why there are no figures.
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
        return mean(self.values)

    @property
    def loss(self) -> float:
        """The validation loss: the mean over folds and replicas."""
        return mean(self.losses)

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
        packed = base64.b64encode(np.ascontiguousarray(self.draws, dtype="<f8").tobytes()).decode()
        return {**self.__dict__, "draws": packed}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Result":
        """The inverse of `plain`."""
        return cls(**{**plain, "draws": np.frombuffer(base64.b64decode(plain["draws"]), dtype="<f8")})


def mean(table: list[list[float]]) -> float:
    """The mean of all numbers in the table; NaN if it has none."""
    numbers = [number for row in table for number in row]
    return math.fsum(numbers) / len(numbers) if numbers else math.nan

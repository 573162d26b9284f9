"""A trial, and what came of it."""

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

    rung: of successive halving, from 0; share: of the recipe's epochs that this rung trains.
    """

    number: int
    settings: Settings
    rung: int = 0
    share: float = 1.0

    @property
    def key(self) -> tuple[int, int]:
        """What tells it from every other one of a search."""
        return self.number, self.rung


@dataclass(frozen=True)
class Result:
    """What came of a trial.

    values: the metric, a list a fold, a number a replica; losses, epochs: the validation loss and the number
    of the best epoch likewise. draws: the metric's mean over folds and replicas on resampled validation rows
    `[resamples]`, the same rows for every trial. failure: why there are no figures.
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
        """That of its trial."""
        return self.number, self.rung

    @property
    def of_replicas(self) -> np.ndarray:
        """The metric of each replica, as a mean over the folds."""
        return np.asarray(self.values).mean(axis=0)

    @property
    def of_folds(self) -> np.ndarray:
        """The metric of each fold, as a mean over the replicas."""
        return np.asarray(self.values).mean(axis=1)

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        packed = base64.b64encode(np.ascontiguousarray(self.draws, dtype="<f8").tobytes()).decode()
        return {**self.__dict__, "draws": packed}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Result":
        """From what `plain` gave."""
        return cls(**{**plain, "draws": np.frombuffer(base64.b64decode(plain["draws"]), dtype="<f8")})


def mean(table: list[list[float]]) -> float:
    """Of all numbers in it; not a number where there are none."""
    numbers = [number for row in table for number in row]
    return math.fsum(numbers) / len(numbers) if numbers else math.nan

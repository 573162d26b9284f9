"""Predictions as an outcome: classes, labels or values, one answer a row."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from handrail.evaluation.forms import Form
from handrail.evaluation.metrics import Predictions, measure
from handrail.evaluation.outcomes import Outcome, Statistic
from handrail.evaluation.resampled_metrics import statistics
from handrail.evaluation.table_forms import table_forms


@dataclass(frozen=True)
class TableOutcome(Predictions, Outcome):
    """Predictions that are measured, resampled, described and written; fields and errors as `Predictions`."""

    remark: str = ""

    @property
    def work(self) -> int:
        return 1 if self.task == "binary" else self.width  # one for each side

    def measure(self) -> dict[str, float]:
        return dict(self._metrics)

    @cached_property
    def _metrics(self) -> dict[str, float]:
        """Kept, since they are asked for several times and slow for millions of rows."""
        return measure(self)

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        return statistics(self, names)

    def forms(self, names: Iterable[str]) -> dict[str, Form]:
        return table_forms(self, names)

    def same_rows(self, other: Outcome) -> bool:
        return (
            isinstance(other, TableOutcome)
            and self.task == other.task
            and np.array_equal(self.truth, other.truth)
        )

    def errors(self) -> np.ndarray:
        """The mean absolute error, or one minus the probability of the truth."""
        if self.values is not None:
            return np.abs(self.values - self.truth).mean(axis=1)
        assert self.probabilities is not None
        if self.truth.ndim == 2:
            return np.abs(self.probabilities - self.truth).max(axis=1)
        return 1 - self.probabilities[np.arange(self.rows), self.truth]

    def describe(self, row: int, *, truth: bool) -> str:
        if self.values is not None:
            return ", ".join(f"{value:.4g}" for value in (self.truth if truth else self.values)[row][:8])
        labels = (self.truth if truth else self.label_codes)[row]
        if np.ndim(labels):
            return ", ".join(name for name, on in zip(self.classes, labels, strict=True) if on) or "none"
        return self.classes[int(labels)]

    def columns(self) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        several = self.truth.ndim == 2
        if not several:
            columns |= {"truth": self.truth, "label": self.label_codes}
        for index in range(self.truth.shape[1] if several else 0):
            suffix = self.classes[index] if self.task == "multi-label" else index
            columns[f"truth_{suffix}"] = self.truth[:, index]
            if self.labels is not None:
                columns[f"label_{suffix}"] = self.labels[:, index]
            if self.values is not None:
                columns[f"value_{suffix}"] = self.values[:, index]
        if self.probabilities is not None:
            columns |= {f"p_{name}": self.probabilities[:, index] for index, name in enumerate(self.classes)}
        return columns

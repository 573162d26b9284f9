"""Rows and how likely they are: the logarithm of their density."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from handrail.evaluation.forms import Form, Mean
from handrail.evaluation.outcomes import Outcome, Statistic
from handrail.evaluation.outcomes.probes import CodeOutcome


@dataclass(frozen=True, eq=False)
class DensityOutcome(CodeOutcome):
    """The log-density of each row, in nats, in encoded units.

    Arguments:
        log_densities: log p(x).
        lengths: squared, of each row, by which rows are told apart.
        labels: what the label says of each row; None without one.
    """

    log_densities: Float[np.ndarray, " rows"]
    lengths: Float[np.ndarray, " rows"]
    labels: tuple[str | None, ...] | None = None
    task: str = "density"

    @property
    def rows(self) -> int:
        return len(self.log_densities)

    @property
    def work(self) -> int:
        return 1 if self.probes is None else 3

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        selected = set(names)

        def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
            metrics = self._shares(weights, selected)
            if "log_likelihood" in selected:
                metrics["log_likelihood"] = self.log_densities @ weights / weights.sum(axis=0)
            return metrics

        return [statistic]

    def forms(self, names: Iterable[str]) -> dict[str, Form]:
        forms: dict[str, Form] = {"log_likelihood": Mean(self.log_densities), **self._probe_forms()}
        return {name: forms[name] for name in names}

    def same_rows(self, other: Outcome) -> bool:
        return isinstance(other, DensityOutcome) and np.allclose(self.lengths, other.lengths, rtol=1e-5)

    def errors(self) -> np.ndarray:
        """−log p(x)."""
        return -self.log_densities

    def describe(self, row: int, *, truth: bool) -> str:
        if not truth:
            return f"{self.log_densities[row]:.1f} nats"
        label = None if self.labels is None else self.labels[row]
        return "–" if label is None else label

    def columns(self) -> dict[str, Any]:
        columns: dict[str, Any] = {"log_density": self.log_densities}
        return columns if self.labels is None else {**columns, "label": list(self.labels)}

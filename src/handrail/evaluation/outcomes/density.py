"""Rows and how likely they are: the logarithm of their density."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from handrail.evaluation.forms import Form, Mean
from handrail.evaluation.outcomes import Statistic
from handrail.evaluation.outcomes.probes import CodeOutcome


@dataclass(frozen=True, eq=False)
class DensityOutcome(CodeOutcome):
    """The log-density of each row, in nats, in encoded units.

    Arguments:
        log_densities: log p(x).
    """

    log_densities: Float[np.ndarray, " rows"]
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

    def errors(self) -> np.ndarray:
        """−log p(x)."""
        return -self.log_densities

    def _describe(self, row: int) -> str:
        return f"{self.log_densities[row]:.1f} nats"

    def columns(self) -> dict[str, Any]:
        return {"log_density": self.log_densities, **super().columns()}

"""Rows and how well they are given back from a code."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from handrail.evaluation.forms import Form, Ratio
from handrail.evaluation.outcomes import Statistic
from handrail.evaluation.outcomes.probes import CodeOutcome


@dataclass(frozen=True, eq=False)
class ReconstructionOutcome(CodeOutcome):
    """The error of each row's reconstruction, in encoded units.

    reconstruction_error = mean over rows of eᵢ, explained_variance = 1 − Σᵢ eᵢ / Σᵢ sᵢ.

    Arguments:
        squared_errors: eᵢ, the mean of (x̂ − x)² over the numbers of row i.
        spreads: sᵢ, the mean of (x − m)² over the numbers of row i, with m the mean training row.

    Source: Pearson 1901
    """

    squared_errors: Float[np.ndarray, " rows"]
    spreads: Float[np.ndarray, " rows"]
    remark: str = ""
    task: str = "reconstruction"

    @property
    def rows(self) -> int:
        return len(self.squared_errors)

    @property
    def work(self) -> int:
        return 2 if self.probes is None else 4

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        selected = set(names)

        def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
            errors = self.squared_errors @ weights
            metrics = self._shares(weights, selected)
            if "reconstruction_error" in selected:
                metrics["reconstruction_error"] = errors / weights.sum(axis=0)
            if "explained_variance" in selected:
                metrics["explained_variance"] = 1 - errors / (self.spreads @ weights)
            return metrics

        return [statistic]

    def forms(self, names: Iterable[str]) -> dict[str, Form]:
        """The error is a mean of positive values; 1 − explained variance is a ratio of two."""
        forms: dict[str, Form] = {
            "reconstruction_error": Ratio(self.squared_errors, np.ones(self.rows)),
            "explained_variance": Ratio(self.squared_errors, self.spreads, outer="complement"),
            **self._probe_forms(),
        }
        return {name: forms[name] for name in names}

    def errors(self) -> np.ndarray:
        """The mean squared error of each row."""
        return self.squared_errors

    def _describe(self, row: int) -> str:
        share = self.squared_errors[row] / max(float(self.spreads[row]), 1e-300)
        return f"{min(share, 9.99):.0%} of its squared distance from the mean row lost"

    def columns(self) -> dict[str, Any]:
        return {"reconstruction_error": self.squared_errors, **super().columns()}

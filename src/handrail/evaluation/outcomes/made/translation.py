"""Rows of two domains, and what becomes of them in the other."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from handrail.evaluation.forms import Form, Mean, Ratio
from handrail.evaluation.metric_names import metric_names
from handrail.evaluation.outcomes import Statistic
from handrail.evaluation.outcomes.probes import CodeOutcome

Errors = Float[np.ndarray, " rows"]


@dataclass(frozen=True, eq=False)
class TranslationOutcome(CodeOutcome):
    """How near translated rows come to each row of their domain, to the true partner, and on the way back.

    Intervals are by rows, and take the translated rows that others are judged by as they are.

    Arguments:
        scores: of each row the energy score under the rows that were translated into its domain.
        cycles: ‖F(G(x)) − x‖ of each row, in encoded units; 0 where the domain is not known.
        known: the rows whose domain is known.
        partners: ‖G(x) − y‖ for the true partner y of each row; None where the source knows none.
    """

    scores: Errors
    cycles: Errors
    known: Bool[np.ndarray, " rows"]
    partners: Errors | None = None
    remark: str = ""
    task: str = "translation"

    @property
    def rows(self) -> int:
        return len(self.scores)

    @property
    def work(self) -> int:
        return 3

    def names(self) -> list[str]:
        return [name for name in metric_names(self.task) if name in self._values]

    @property
    def _values(self) -> dict[str, Errors]:
        values = {"energy_score": self.scores, "translation_error": self.partners, "cycle_error": self.cycles}
        return {name: value for name, value in values.items() if value is not None}

    def _of(self, name: str) -> Bool[np.ndarray, " rows"]:
        return np.ones(self.rows, dtype=bool) if name == "energy_score" else self.known

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        selected = [name for name in self._values if name in set(names)]

        def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
            return {name: self._values[name] @ weights / (self._of(name) @ weights) for name in selected}

        return [statistic]

    def forms(self, names: Iterable[str]) -> dict[str, Form]:
        values = self._values
        return {
            name: Mean(values[name])
            if name == "energy_score"
            else Ratio(values[name], self.known.astype(np.float64))
            for name in names
        }

    def errors(self) -> np.ndarray:
        """The distance to the true partner where it is known, else the energy score."""
        return self.scores if self.partners is None else self.partners

    def _describe(self, row: int) -> str:
        if not self.known[row]:
            return "of no known domain"
        far = "" if self.partners is None else f"{self.partners[row]:.3g} from its true partner, "
        return f"{far}{self.cycles[row]:.3g} from itself on the way back"

    def columns(self) -> dict[str, Any]:
        return {**self._values, **super().columns()}

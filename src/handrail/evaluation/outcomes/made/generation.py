"""Rows beside what a generator makes: how near the two laws are, and whether training rows are copied."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from handrail.evaluation.forms import Form, Mean, NoInterval, Share
from handrail.evaluation.metric_names import metric_names
from handrail.evaluation.outcomes import Statistic
from handrail.evaluation.outcomes.probes import CodeOutcome
from handrail.evaluation.points.sample_quality import Copying


@dataclass(frozen=True, eq=False)
class Quality:
    """Generated rows as a cloud, beside as many real ones.

    Arguments:
        precision: the share of the generated rows that lie among the real ones.
        compared: the rows that are the real ones.
        recalled: of all rows, those of them that lie among the generated ones.
        frechet: the distance in features.
        copying: the test for copies.
    """

    precision: float
    compared: Bool[np.ndarray, " rows"]
    recalled: Bool[np.ndarray, " rows"]
    frechet: float
    copying: Copying


@dataclass(frozen=True, eq=False)
class GenerationOutcome(CodeOutcome):
    """The energy score of each row, over fixed draws of a generator, in encoded units.

    Intervals are by rows: they say how far the figure hangs on the rows that were held out, and take the
    draws as they are.

    Arguments:
        scores: E‖x − G‖ − ½·E‖G − G′‖.
        quality: None before training rows have been looked at.
    """

    scores: Float[np.ndarray, " rows"]
    quality: Quality | None = None
    remark: str = ""
    task: str = "generation"

    @property
    def rows(self) -> int:
        return len(self.scores)

    @property
    def work(self) -> int:
        return 2

    def names(self) -> list[str]:
        return metric_names(self.task)[: None if self.quality else 1]

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        selected = set(names)

        def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
            metrics: dict[str, np.ndarray] = {}
            if "energy_score" in selected:
                metrics["energy_score"] = self.scores @ weights / weights.sum(axis=0)
            if self.quality is None:
                return metrics
            quality, ones = self.quality, np.ones(weights.shape[1])
            if "sample_recall" in selected:
                metrics["sample_recall"] = quality.recalled @ weights / (quality.compared @ weights)
            whole = {
                "sample_precision": quality.precision,
                "frechet_distance": quality.frechet,
                "copying": quality.copying.excess,
            }
            return metrics | {name: value * ones for name, value in whole.items() if name in selected}

        return [statistic]

    def forms(self, names: Iterable[str]) -> dict[str, Form]:
        forms: dict[str, Form] = {"energy_score": Mean(self.scores)}
        if self.quality is not None:
            forms |= {
                "sample_precision": NoInterval("it is a share of generated rows, not of these"),
                "sample_recall": Share(self.quality.recalled, self.quality.compared),
                "frechet_distance": NoInterval("rows that are drawn twice would bring the two clouds apart"),
                "copying": NoInterval("it is a share of generated rows, not of these; its test is said"),
            }
        return {name: forms[name] for name in names}

    def errors(self) -> np.ndarray:
        """The energy score."""
        return self.scores

    def _describe(self, row: int) -> str:
        return f"energy score {self.scores[row]:.3g}"

    def columns(self) -> dict[str, Any]:
        return {"energy_score": self.scores, **super().columns()}

"""Classes and labels: scores to probabilities, and the decision that follows."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows, Values
from handrail.data.task import TaskSpec
from handrail.evaluation.calibration import choose_threshold, fit_temperature
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.table import TableOutcome
from handrail.shapes import InputShape
from handrail.tasks.baselines import table_baselines
from handrail.tasks.scoring import all_scores, mean_of_sigmoid, mean_of_softmax
from handrail.tasks.task import Task

_RARE = 0.2  # below this share of the rarer class, accuracy at one half means little


class ClassTask(Task):
    """Scores to probabilities: softmax(scores / T), or σ(scores / T) for two classes and for labels.

    threshold: the probability from which a row counts as the second class (or a label as given).
    """

    joins: ClassVar[bool] = True
    temperature: Tensor
    threshold: Tensor

    def __init__(self, spec: TaskSpec, shape: InputShape) -> None:
        super().__init__(spec, shape)
        self.kind = spec.name
        self.register_buffer("temperature", torch.tensor(1.0, dtype=torch.float64))
        self.register_buffer("threshold", torch.tensor(0.5, dtype=torch.float64))

    @property
    def outputs(self) -> int:
        """A score for each class or label; one for two classes."""
        return self.spec.outputs

    def targets(self, part: Part) -> Tensor:
        return part.target

    def forward(self, scores: Float[Tensor, "rows outputs"]) -> Float[Tensor, "rows classes"]:
        """Probabilities; for two classes both columns."""
        tempered = scores.double() / self.temperature
        if self.kind == "multi-class":
            return torch.softmax(tempered, dim=1)
        positive = torch.sigmoid(tempered)
        return torch.cat([1 - positive, positive], dim=1) if self.kind == "binary" else positive

    def join_scores(self, scores: Sequence[Float[Tensor, "rows outputs"]]) -> Float[Tensor, "rows outputs"]:
        return mean_of_softmax(scores) if self.kind == "multi-class" else mean_of_sigmoid(scores)

    def decide(self, probabilities: Float[Tensor, "rows classes"]) -> Tensor:
        """Class codes `[rows]`; for several labels 0/1 `[rows, labels]`."""
        if self.kind == "multi-class":
            return probabilities.argmax(dim=1)
        if self.kind == "binary":
            return (probabilities[:, 1] >= self.threshold).long()
        return (probabilities >= self.threshold).long()

    def batch_metrics(self, scores: Tensor, targets: Values) -> dict[str, tuple[float, float]]:
        """Accuracy; with several labels, every label of a row must be right."""
        assert isinstance(targets, Tensor)
        if self.kind == "multi-class":
            right = scores.argmax(dim=1) == targets
        elif self.kind == "binary":
            right = (scores[:, 0] > 0) == (targets > 0)
        else:
            right = ((scores > 0) == (targets > 0)).all(dim=1)
        return {"accuracy": (float(right.sum()), len(targets))}

    def settle(self, network: nn.Module, rows: Rows, part: Part, settings: Any) -> None:
        scores, truth = all_scores(network, rows).cpu().double().numpy(), part.target.numpy()
        if settings.calibrate:
            self.temperature.fill_(fit_temperature(scores, truth, self.kind))
        if self.kind == "binary":
            from scipy.special import expit

            positive = expit(scores[:, 0] / float(self.temperature))
            self.threshold.fill_(_threshold(positive, truth, settings.threshold))

    @property
    def decisions(self) -> dict[str, float]:
        temperature = {"temperature": float(self.temperature)}
        return {**temperature, "threshold": float(self.threshold)} if self.kind == "binary" else temperature

    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> Outcome:
        probabilities = self(all_scores(network, rows))
        return TableOutcome(
            self.kind,
            part.target.numpy(),
            labels=self.decide(probabilities).cpu().numpy(),
            probabilities=probabilities.cpu().numpy(),
            classes=self.spec.classes,
        )

    def baselines(self, train: Part, part: Part, encoder: RowEncoder) -> dict[str, Outcome]:
        return table_baselines(self.spec, train, part, encoder)

    @property
    def fair_metric(self) -> str | None:
        """With a threshold of the network's own choice, a metric that does not depend on thresholds."""
        return "roc_auc" if self.decisions.get("threshold", 0.5) != 0.5 else None


def _threshold(positive: np.ndarray, truth: np.ndarray, setting: Any) -> float:
    if isinstance(setting, float | int):
        return setting
    share = float(truth.mean())
    if setting == "auto" and min(share, 1 - share) >= _RARE:
        return 0.5
    return choose_threshold(positive, truth, metric="f1" if setting == "auto" else setting)

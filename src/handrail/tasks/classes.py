"""Classes and labels: scores to probabilities, and the decision that follows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import expit
from torch import Tensor, nn

from handrail.data.rows import Rows, Values
from handrail.data.task import Task
from handrail.evaluation.calibration import fit_temperature
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.predictions import Predictions
from handrail.evaluation.thresholds import choose_threshold
from handrail.shapes import InputShape
from handrail.tasks.baselines import simple_rivals
from handrail.tasks.scoring import all_scores, mean_of_sigmoid, mean_of_softmax
from handrail.tasks.task import Decoder

if TYPE_CHECKING:
    from handrail.data.dataset import Part
    from handrail.data.encoders.row_encoder import RowEncoder

_RARE = 0.2  # below this share of the rarer class, accuracy at one half says little


class ClassDecoder(Decoder):
    """Scores to probabilities: softmax(scores / T), or σ(scores / T) for two classes and for labels.

    threshold: the probability from which a row counts as the second class (or a label as given).
    """

    joins: ClassVar[bool] = True
    temperature: Tensor
    threshold: Tensor

    def __init__(self, task: Task, shape: InputShape) -> None:
        super().__init__(task, shape)
        self.kind = task.name
        self.register_buffer("temperature", torch.tensor(1.0, dtype=torch.float64))
        self.register_buffer("threshold", torch.tensor(0.5, dtype=torch.float64))

    @property
    def outputs(self) -> int:
        """A score for each class or label; one for two classes."""
        return self.task.outputs

    def targets(self, part: "Part") -> Tensor:
        """Codes `[rows]`, or 0/1 `[rows, labels]`."""
        return part.target

    def forward(self, scores: Float[Tensor, "rows outputs"]) -> Float[Tensor, "rows classes"]:
        """Probabilities; for two classes both columns."""
        cooled = scores.double() / self.temperature
        if self.kind == "multi-class":
            return torch.softmax(cooled, dim=1)
        positive = torch.sigmoid(cooled)
        return torch.cat([1 - positive, positive], dim=1) if self.kind == "binary" else positive

    def joined(self, scores: Sequence[Float[Tensor, "rows outputs"]]) -> Float[Tensor, "rows outputs"]:
        """Scores whose probabilities are the mean of the networks' probabilities."""
        return mean_of_softmax(scores) if self.kind == "multi-class" else mean_of_sigmoid(scores)

    def decide(self, probabilities: Float[Tensor, "rows classes"]) -> Tensor:
        """Class codes `[rows]`; for several labels 0/1 `[rows, labels]`."""
        if self.kind == "multi-class":
            return probabilities.argmax(dim=1)
        if self.kind == "binary":
            return (probabilities[:, 1] >= self.threshold).long()
        return (probabilities >= self.threshold).long()

    def credit(self, scores: Tensor, targets: Values) -> dict[str, tuple[float, float]]:
        """Accuracy; with several labels, of rows whose every label is right."""
        assert isinstance(targets, Tensor)
        if self.kind == "multi-class":
            right = scores.argmax(dim=1) == targets
        elif self.kind == "binary":
            right = (scores[:, 0] > 0) == (targets > 0)
        else:
            right = ((scores > 0) == (targets > 0)).all(dim=1)
        return {"accuracy": (float(right.sum()), len(targets))}

    def settle(self, network: nn.Module, rows: Rows, part: "Part", settings: Any) -> None:
        """Temperature and threshold, as validation rows suggest."""
        found, truth = all_scores(network, rows).cpu().double().numpy(), part.target.numpy()
        if settings.calibrate:
            self.temperature.fill_(fit_temperature(found, truth, self.kind))
        if self.kind == "binary":
            positive = expit(found[:, 0] / float(self.temperature))
            self.threshold.fill_(_threshold(positive, truth, settings.threshold))

    @property
    def decisions(self) -> dict[str, float]:
        """What was chosen on validation rows."""
        found = {"temperature": float(self.temperature)}
        return {**found, "threshold": float(self.threshold)} if self.kind == "binary" else found

    def outcome(self, network: nn.Module, rows: Rows, part: "Part") -> Outcome:
        """Probabilities and decided labels beside the truth."""
        answers = self(all_scores(network, rows))
        labels = self.decide(answers).cpu().numpy()
        chances = answers.cpu().numpy()
        return Predictions(
            self.kind, part.target.numpy(), probabilities=chances, labels=labels, classes=self.task.classes
        )

    def baselines(self, train: "Part", part: "Part", encoder: "RowEncoder") -> dict[str, Outcome]:
        """Majority and linear."""
        return simple_rivals(self.task, train, part, encoder)

    @property
    def fair_metric(self) -> str | None:
        """With a threshold of the network's own choice, one that no threshold touches."""
        return "roc_auc" if self.decisions.get("threshold", 0.5) != 0.5 else None


def _threshold(positive: np.ndarray, truth: np.ndarray, wish: Any) -> float:
    if isinstance(wish, float | int):
        return wish
    share = float(truth.mean())
    if wish == "auto" and min(share, 1 - share) >= _RARE:
        return 0.5
    return choose_threshold(positive, truth, metric="f1" if wish == "auto" else wish)

"""Values: scores in the target's own unit, and forecasts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.data.rows import Rows, Values
from handrail.data.task import Task
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.predictions import Predictions
from handrail.shapes import InputShape
from handrail.tasks.baselines import blocks, naive_errors, seasonal_rival, simple_rivals
from handrail.tasks.scoring import all_scores
from handrail.tasks.task import Decoder

if TYPE_CHECKING:
    from handrail.data.dataset import Part
    from handrail.data.encoders.row_encoder import RowEncoder


class ValueDecoder(Decoder):
    """Scores to values in the target's own unit: y = mean + spread·score, with mean and spread of training
    rows.
    """

    joins: ClassVar[bool] = True
    mean: Tensor
    spread: Tensor

    def __init__(self, task: Task, shape: InputShape) -> None:
        super().__init__(task, shape)
        self.register_buffer("mean", torch.zeros(task.outputs, dtype=torch.float64))
        self.register_buffer("spread", torch.ones(task.outputs, dtype=torch.float64))

    @property
    def outputs(self) -> int:
        """A score for each target."""
        return self.task.outputs

    def fit(self, part: "Part") -> None:
        """Learn mean and standard deviation."""
        self.learn(part.target)

    def learn(self, targets: Float[Tensor, "rows outputs"]) -> None:
        """Mean and standard deviation of these."""
        self.mean.copy_(targets.double().mean(dim=0))
        spread = targets.double().std(dim=0, correction=0)
        self.spread.copy_(torch.where(spread > 0, spread, torch.ones_like(spread)))

    def targets(self, part: "Part") -> Tensor:
        """Targets as the network is to give them."""
        return self.scaled(part.target)

    def scaled(self, targets: Float[Tensor, "rows outputs"]) -> Float[Tensor, "rows outputs"]:
        """(target − mean) / spread."""
        return ((targets.to(self.mean.device).double() - self.mean) / self.spread).float()

    def forward(self, scores: Float[Tensor, "rows outputs"]) -> Float[Tensor, "rows outputs"]:
        """Values."""
        return scores.double() * self.spread + self.mean

    def joined(self, scores: Sequence[Float[Tensor, "rows outputs"]]) -> Float[Tensor, "rows outputs"]:
        """The mean."""
        return torch.stack(list(scores)).mean(dim=0)

    def credit(self, scores: Tensor, targets: Values) -> dict[str, tuple[float, float]]:
        """R² against the mean of the training rows, which is zero here: Σ(t² − e²) / Σt², over all outputs."""
        assert isinstance(targets, Tensor)
        power = targets.double().square().sum()
        return {"r2": (float(power - (scores.double() - targets.double()).square().sum()), float(power))}

    def outcome(self, network: nn.Module, rows: Rows, part: "Part") -> Outcome:
        """Values beside the truth."""
        values = self(all_scores(network, rows)).cpu().numpy()
        return Predictions(
            "regression",
            part.target.numpy(),
            values=values,
            scale=naive_errors(self.task, part),
            block=blocks(self.task),
        )

    def baselines(self, train: "Part", part: "Part", encoder: "RowEncoder") -> dict[str, Outcome]:
        """Mean and linear; for forecasts also what the series was a season ago."""
        found = simple_rivals(self.task, train, part, encoder)
        return {**seasonal_rival(self.task, part), **found} if self.task.is_forecast else found

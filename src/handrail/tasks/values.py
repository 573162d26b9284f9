"""Values: scores in the target's own unit, and forecasts."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows, TargetWindows, Values
from handrail.data.task import TaskSpec
from handrail.evaluation.outcomes import Outcome
from handrail.shapes import InputShape
from handrail.tasks.baselines import MOST_SECONDS, fit_table_baselines, naive_outcomes, value_outcome
from handrail.tasks.scoring import all_scores
from handrail.tasks.task import Baselines, Choice, Task

_AT_ONCE = 4_000_000  # numbers: of a long forecast some steps at a time


class ValueTask(Task):
    """Scores to values in the target's own unit: y = mean + spread·score, by training rows."""

    joins: ClassVar[bool] = True
    mean: Tensor
    spread: Tensor

    def __init__(self, spec: TaskSpec, shape: InputShape) -> None:
        super().__init__(spec, shape)
        self.register_buffer("mean", torch.zeros(self.outputs, dtype=torch.float64))
        self.register_buffer("spread", torch.ones(self.outputs, dtype=torch.float64))

    @property
    def outputs(self) -> int:
        return self.spec.outputs

    def fit(self, part: Part, encoder: RowEncoder) -> None:
        self.learn(part.target)

    def learn(self, targets: Float[Tensor, "rows outputs"] | TargetWindows) -> None:
        """Set mean and standard deviation to those of the targets."""
        at_once = max(1, _AT_ONCE // max(1, len(targets)))
        for start in range(0, self.outputs, at_once):
            which = slice(start, start + at_once)
            values = targets[:, which] if isinstance(targets, Tensor) else targets.columns(which)
            self.mean[which] = values.double().mean(dim=0)
            spread = values.double().std(dim=0, correction=0)
            self.spread[which] = torch.where(spread > 0, spread, torch.ones_like(spread))

    def targets(self, part: Part) -> Tensor | TargetWindows:
        return self.scale(part.target)

    def scale(self, targets: Float[Tensor, "rows outputs"] | TargetWindows) -> Tensor | TargetWindows:
        """(target − mean) / spread."""
        if isinstance(targets, TargetWindows):
            return replace(targets, mean=self.mean.cpu(), spread=self.spread.cpu())
        return ((targets.to(self.mean.device).double() - self.mean) / self.spread).float()

    def forward(self, scores: Float[Tensor, "rows outputs"]) -> Float[Tensor, "rows outputs"]:
        return scores.double() * self.spread + self.mean

    def join_scores(self, scores: Sequence[Float[Tensor, "rows outputs"]]) -> Float[Tensor, "rows outputs"]:
        return torch.stack(list(scores)).mean(dim=0)

    def batch_metrics(self, scores: Tensor, targets: Values) -> dict[str, tuple[float, float]]:
        """R² against the mean of training rows, here zero: Σ(t² − e²) / Σt² over all outputs."""
        assert isinstance(targets, Tensor)
        power = targets.double().square().sum()
        return {"r2": (float(power - (scores.double() - targets.double()).square().sum()), float(power))}

    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> Outcome:
        return value_outcome(self.spec, part, self(all_scores(self.in_use(network), rows)).cpu().numpy())

    def baselines(
        self, train: Part, part: Part, encoder: RowEncoder, choice: Choice | None = None
    ) -> Baselines:
        """Mean, linear and trees; for forecasts the last value and the last season in the place of trees."""
        seconds = MOST_SECONDS if choice is None else choice.seconds
        fitted = fit_table_baselines(self.spec, train, encoder, seconds=seconds)
        simple = {
            name: replace(value_outcome(self.spec, part, values), remark=fitted.remarks.get(name, ""))
            for name, values in fitted.scores(part).items()
        }
        naive = naive_outcomes(self.spec, part) if self.spec.is_forecast else {}
        return Baselines({**naive, **simple}, left_out=fitted.left_out)

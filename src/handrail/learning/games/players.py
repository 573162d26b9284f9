"""What rules of two players have in common: each player's optimizer, the average of weights, and curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from handrail.components.pictures import Lines, Picture
from handrail.layers.weight_average import WARMING, move_towards
from handrail.learning.directed import DirectedRule
from handrail.learning.fast.fused_adam import Stepping
from handrail.learning.rule import Batch, Measures, Records, TrainingPlan

CURVES = {
    "players/": (
        "Both players' losses by epoch",
        "loss",
        "Neither has to fall: each is measured against the other.",
    ),
    "critic/": (
        "What the critic tells apart, by epoch",
        "share of rows",
        "Real and made rows in training; one half is guessing, and 1 leaves the generator nothing to learn.",
    ),
}
"""Title, axis and note of the measures whose names begin so."""


class Player(DirectedRule):
    """One player's parameters, with an optimizer and a schedule of its own."""

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Make optimizer and schedule over the parameters of a player."""
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.begin(list(self.parameters), plan)
        self.stepping = Stepping(self.optimizer)

    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """Players are moved by `descend`."""
        raise NotImplementedError

    def descend(self, loss: Tensor) -> None:
        """Change the parameters once, against the gradient of a loss; the other player gets no gradient."""
        slopes: Sequence[Tensor] = torch.autograd.grad(loss, self.parameters)
        for parameter, slope in zip(self.parameters, slopes, strict=True):
            parameter.grad = slope
        self.stepping.step()
        if self.steps_schedule:
            self.schedule.step()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.stepping.forget()


class Follower:
    """An average of weights: mean ← mean + share·(weights − mean), with a share that falls to 1 − keep.

    Arguments:
        keep: how much of the average is kept at each step, at most; less in the first steps, unless the
            weights are another run's.

    Source: Yazıcı et al. 2019
    """

    def __init__(self, keep: float, *, begun: bool) -> None:
        self.keep, self.begun = keep, begun

    def follow(self, average: nn.Module, player: nn.Module, step: int) -> None:
        """Move the average towards the player; what a layer counts is taken over."""
        keep = self.keep if self.begun else min(self.keep, (1 + step) / (WARMING + step))
        move_towards(average, player, 1 - keep)


def curves_of(records: Records, groups: Mapping[str, tuple[str, str, str]]) -> list[Picture]:
    """A picture for each group of measures that there is, with a curve for each."""
    pictures: list[Picture] = []
    epochs = np.array([line["epoch"] for line in records], dtype=np.float64)
    for group, (title, axis, note) in groups.items():
        begin = f"train_{group}"
        names = dict.fromkeys(name for line in records for name in line if name.startswith(begin))
        curves = {
            name.removeprefix(begin): np.array([line.get(name, np.nan) for line in records]) for name in names
        }
        if curves:
            pictures.append(Lines(title, epochs, curves, note=note, axes=("epoch", axis)))
    return pictures

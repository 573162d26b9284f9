"""What two players of an adversarial game want, and what each needs to learn."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu, softplus

from handrail.learning.directed import DirectedRule
from handrail.learning.fast.fused_adam import Stepping
from handrail.learning.rule import Batch, Measures, TrainingPlan

Scores = Float[Tensor, "rows 1"]

CRITIC: dict[str, Callable[[Scores, Scores], Tensor]] = {
    "minimax": lambda real, made: softplus(-real).mean() + softplus(made).mean(),
    "non_saturating": lambda real, made: softplus(-real).mean() + softplus(made).mean(),
    "least_squares": lambda real, made: ((real - 1).square().mean() + made.square().mean()) / 2,
    "hinge": lambda real, made: relu(1 - real).mean() + relu(1 + made).mean(),
    "wasserstein": lambda real, made: made.mean() - real.mean(),
}
"""The critic's loss by its scores D(x) of real rows and D(G(z)) of made ones, before any sigmoid."""
GENERATOR: dict[str, Callable[[Scores], Tensor]] = {
    "minimax": lambda made: -softplus(made).mean(),
    "non_saturating": lambda made: softplus(-made).mean(),
    "least_squares": lambda made: (made - 1).square().mean() / 2,
    "hinge": lambda made: -made.mean(),
    "wasserstein": lambda made: -made.mean(),
}
"""The generator's loss by the scores of what it made."""


def gradient_penalty(
    critic: nn.Module, real: Tensor, made: Tensor, generator: torch.Generator
) -> Float[Tensor, ""]:
    """The mean of (‖∇D(x̂)‖ − 1)² at points x̂ between a real and a made row, at a place drawn uniformly.

    Source: Gulrajani et al. 2017
    """
    shape = (len(real), *(1 for _ in real.shape[1:]))
    share = torch.rand(shape, generator=generator).to(real)
    between = torch.lerp(real, made.view_as(real), share).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


def real_penalty(critic: nn.Module, real: Tensor) -> Float[Tensor, ""]:
    """½ of the mean of ‖∇D(x)‖² at real rows (R1). Source: Mescheder, Geiger & Nowozin 2018"""
    real = real.detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(real).sum(), real, create_graph=True)
    return slope.flatten(1).square().sum(dim=1).mean() / 2


def told_apart(real: Scores, made: Scores, loss: str) -> Float[Tensor, ""]:
    """The share of rows on the right side of the critic's line: of least squares at ½, of Wasserstein midway
    between the two means, of others at 0.
    """
    line: Any = {"least_squares": 0.5, "wasserstein": (real.mean() + made.mean()) / 2}.get(loss, 0.0)
    return ((real > line).float().mean() + (made < line).float().mean()) / 2


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

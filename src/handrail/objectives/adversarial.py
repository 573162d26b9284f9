"""What the two players of an adversarial game want, by the scores that the critic gives."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import relu, softplus

Scores = Float[Tensor, "rows 1"]
Critic = Callable[[Tensor], Scores]


def _cross_entropy(real: Scores, made: Scores) -> Float[Tensor, ""]:
    return softplus(-real).mean() + softplus(made).mean()


CRITIC: dict[str, Callable[[Scores, Scores], Tensor]] = {
    "minimax": _cross_entropy,
    "non_saturating": _cross_entropy,
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
    critic: Critic, real: Tensor, made: Tensor, generator: torch.Generator
) -> Float[Tensor, ""]:
    """The mean of (‖∇D(x̂)‖ − 1)² at points x̂ between a real and a made row, at a place drawn uniformly.

    Source: Gulrajani et al. 2017
    """
    shape = (len(real), *(1 for _ in real.shape[1:]))
    share = torch.rand(shape, generator=generator).to(real)
    between = torch.lerp(real, made.view_as(real), share).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


def real_penalty(critic: Critic, real: Tensor) -> Float[Tensor, ""]:
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

"""Optimizers as the lectures print them: RMSProp with momentum, and Adam with δ inside the root."""

# The foreach functions are public in all but name: torch's own optimizers are made of them.
# pyright: reportPrivateImportUsage=false

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from handrail.components import component
from handrail.components.arguments import Positive, Rate


class _GroupOptimizer(Optimizer):
    """An optimizer that changes the parameters of a group at once, those that have a gradient."""

    @torch.no_grad()
    def step(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, closure: Callable[[], Any] | None = None
    ) -> Any:
        """Change the parameters once; a closure computes loss and gradients first; it returns the loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if parameters:
                self._update_group(parameters, group)
        return loss

    def _update_group(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        raise NotImplementedError


@component("optimizer", name="rmsprop_momentum")
class RMSPropMomentum(_GroupOptimizer):
    """RMSProp + momentum: r ← ρ·r + (1 − ρ)·g², v ← α·v − η/√r·g, θ ← θ + v.

    torch's RMSprop keeps η outside the velocity (θ ← θ − η·v), so that a schedule changes steps already taken
    up; and it needs a δ beside √r. Here a step is zero where r is zero, as all gradients so far were.

    Arguments:
        learning_rate: η.
        rho: ρ, how much of the average of g² is kept at each step.
        momentum: α, how much of the velocity is kept at each step.

    Source: Tieleman & Hinton 2012; Goodfellow, Bengio & Courville 2016 (algorithm 8.6, no look-ahead)
    """

    def __init__(
        self,
        parameters: Iterable[Tensor] | Iterable[dict[str, Any]],
        *,
        learning_rate: Positive = 0.001,
        rho: Rate = 0.9,
        momentum: Rate = 0.9,
    ) -> None:
        super().__init__(parameters, {"lr": learning_rate, "rho": rho, "momentum": momentum})

    def _update_group(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        gradients: list[Any] = [parameter.grad for parameter in parameters]
        squares = [self._start(parameter)["squares"] for parameter in parameters]
        velocities = [self.state[parameter]["velocity"] for parameter in parameters]
        torch._foreach_mul_(squares, group["rho"])
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - group["rho"])
        # The smallest number keeps 0/0 from being not-a-number; it changes no other step.
        roots = torch._foreach_clamp_min(squares, torch.finfo(squares[0].dtype).tiny)
        torch._foreach_sqrt_(roots)
        torch._foreach_mul_(velocities, group["momentum"])
        torch._foreach_addcdiv_(velocities, gradients, roots, -group["lr"])
        torch._foreach_add_(parameters, velocities)

    def _start(self, parameter: Tensor) -> dict[str, Any]:
        state = self.state[parameter]
        if not state:
            state |= {"squares": torch.zeros_like(parameter), "velocity": torch.zeros_like(parameter)}
        return state


class AdamInsideRoot(_GroupOptimizer):
    """Adam with δ inside the root: Δθ = −η·ŝ / √(r̂ + δ).

    Source: Kingma & Ba 2015; the lectures' form
    """

    def __init__(
        self,
        parameters: Iterable[Tensor] | Iterable[dict[str, Any]],
        *,
        learning_rate: float,
        betas: tuple[float, float],
        delta: float,
    ) -> None:
        super().__init__(parameters, {"lr": learning_rate, "betas": betas, "delta": delta})

    def _update_group(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        # Parameters that joined later are younger: each step count is a batch of its own.
        ages: dict[int, list[Tensor]] = {}
        for parameter in parameters:
            ages.setdefault(self._age(parameter), []).append(parameter)
        for age, peers in ages.items():
            self._update(peers, age, group)

    def _age(self, parameter: Tensor) -> int:
        """How many steps this parameter has seen, this one included; its averages start at zero."""
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            state["first"] = torch.zeros_like(parameter)
            state["second"] = torch.zeros_like(parameter)
        state["step"] += 1
        return state["step"]

    def _update(self, parameters: list[Tensor], age: int, group: dict[str, Any]) -> None:
        first_beta, second_beta = group["betas"]
        gradients: list[Any] = [parameter.grad for parameter in parameters]
        first = [self.state[parameter]["first"] for parameter in parameters]
        second = [self.state[parameter]["second"] for parameter in parameters]
        torch._foreach_lerp_(first, gradients, 1 - first_beta)
        torch._foreach_mul_(second, second_beta)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - second_beta)
        roots = torch._foreach_div(second, 1 - second_beta**age)
        torch._foreach_add_(roots, group["delta"])
        torch._foreach_sqrt_(roots)
        torch._foreach_addcdiv_(parameters, first, roots, -group["lr"] / (1 - first_beta**age))

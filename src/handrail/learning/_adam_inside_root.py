"""Adam as the lectures print it, which torch does not have."""

# The foreach functions are public in all but name: torch's own optimizers are made of them.
# pyright: reportPrivateImportUsage=false

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class AdamInsideRoot(Optimizer):
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

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Change the parameters once. A closure, if given, computes loss and gradients first; its value is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            # Parameters that joined later are younger: each step count is a batch of its own.
            ages: dict[int, list[Tensor]] = {}
            for parameter in parameters:
                ages.setdefault(self._age(parameter), []).append(parameter)
            for age, peers in ages.items():
                self._update(peers, age, group)
        return loss

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

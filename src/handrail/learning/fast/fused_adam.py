"""The steps of Adam and AdamW, without what torch puts around each of them.

`Optimizer.step` looks for hooks, profilers and devices and sorts all tensors anew at every step, which takes
small networks several times as long as the kernel.
"""

import sys
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

_everywhere: Any = sys.modules[Optimizer.__module__]  # torch.optim shows its class under the module's name
_KERNELS = {torch.optim.Adam: "_fused_adam_", torch.optim.AdamW: "_fused_adamw_"}
_FOREIGN = ("amsgrad", "maximize", "capturable", "differentiable")  # settings that ours never have
_STATE = {"exp_avg", "exp_avg_sq", "step"}


class Stepping:
    """θ ← θ + Δθ by an optimizer; on a processor it calls the kernels of torch's fused Adam(W) directly.

    The numbers are the same to the bit, and all state stays where torch keeps it. The first step, which makes
    the state, hooks and parameters without a gradient go through `Optimizer.step`.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self._kernel: Any = getattr(torch, _KERNELS.get(type(optimizer), ""), None)
        self._parts: list[_Part] = []

    def step(self) -> None:
        """Change the parameters by their gradients."""
        if not self._parts or _has_hooks(self.optimizer):
            self.optimizer.step()
            self._parts = self._plain_parts()
            return
        gradients = [[parameter.grad for parameter in part.parameters] for part in self._parts]
        if any(gradient is None for part in gradients for gradient in part):
            self.optimizer.step()
            return
        with torch.no_grad():
            for part, own in zip(self._parts, gradients, strict=True):
                part.change(self._kernel, own)

    def forget(self) -> None:
        """The optimizer has other state tensors from now on."""
        self._parts = []

    def _plain_parts(self) -> list["_Part"]:
        if self._kernel is None:
            return []
        groups, state = self.optimizer.param_groups, self.optimizer.state
        plain = all(_is_plain(group, state) for group in groups)
        return [_Part(group, state) for group in groups] if plain else []


class _Part:
    """A group of parameters, and the tensors that its kernel changes."""

    def __init__(self, group: dict[str, Any], state: dict[Tensor, Any]) -> None:
        self.group, self.parameters = group, list(group["params"])
        self.means = [state[parameter]["exp_avg"] for parameter in self.parameters]
        self.squares = [state[parameter]["exp_avg_sq"] for parameter in self.parameters]
        # In one tensor, so that one operation increases them all.
        self.count = torch.stack([state[p]["step"] for p in self.parameters])
        self.steps = list(self.count.unbind())
        for parameter, step in zip(self.parameters, self.steps, strict=True):
            state[parameter]["step"] = step

    def change(self, kernel: Any, gradients: list[Tensor | None]) -> None:
        group = self.group
        self.count.add_(1)
        kernel(
            *(self.parameters, gradients, self.means, self.squares, [], self.steps),
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )


def _is_plain(group: dict[str, Any], state: dict[Tensor, Any]) -> bool:
    """Whether torch would hand all parameters of the group to one kernel, as they are."""
    like = {(parameter.device.type, parameter.dtype) for parameter in group["params"]}
    return (
        group.get("fused") is True
        and isinstance(group["lr"], float)
        and not any(group[name] for name in _FOREIGN)
        and len(like) == 1
        and next(iter(like))[0] == "cpu"
        and all(set(state.get(parameter, ())) == _STATE for parameter in group["params"])
    )


def _has_hooks(optimizer: Optimizer) -> bool:
    return bool(
        optimizer._optimizer_step_pre_hooks
        or optimizer._optimizer_step_post_hooks
        or _everywhere._global_optimizer_pre_hooks
        or _everywhere._global_optimizer_post_hooks
    )

"""Losses that a model adds to the objective: what it says of its inputs and of what goes on inside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.errors import RecipeError

_HALF = (torch.bfloat16, torch.float16)


class AddedLoss:
    """The loss that one module adds, and what it needs: what the module was given, and what came of it.

    A module that adds a loss has a method `added_loss(inputs, outputs, targets, *inner)`, which gives one
    number a row. `inner` are the outputs of the submodules that it names in `added_loss_from`, in that order.
    Losses are computed in single precision, whatever the model computes in.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self.names: tuple[str, ...] = getattr(module, "added_loss_from", ())
        self.inputs: Any = None
        self.outputs: Any = None
        self.inner: dict[str, Any] = {}

    def rows(self, targets: Tensor) -> Float[Tensor, " rows"]:
        """One number a row.

        Raises: `RecipeError` when it is anything else.
        """
        given, gave, *inner = map(_single, (self.inputs, self.outputs, *map(self.inner.get, self.names)))
        values = self.module.added_loss(given, gave, targets, *inner)
        rows = len(self.outputs)
        if not isinstance(values, Tensor) or values.shape != (rows,):
            found = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise RecipeError(
                f"the loss that {type(self.module).__name__} adds gives {found}, expected one number for "
                f"each of the {rows} rows: added_loss(inputs, outputs, targets) -> [rows]."
            )
        return values

    def hooks(self) -> Iterator[Any]:
        """Hooks that remember one forward pass."""

        def keep_whole(_module: nn.Module, inputs: tuple[Any, ...], outputs: Any) -> None:
            self.inputs, self.outputs = inputs[0], outputs

        yield self.module.register_forward_hook(keep_whole)
        for name in self.names:

            def keep_part(_module: nn.Module, _inputs: Any, outputs: Any, name: str = name) -> None:
                self.inner[name] = outputs

            yield self.module.get_submodule(name).register_forward_hook(keep_part)


def _single(values: Any) -> Any:
    """Numbers of half precision in single precision; all else as it is."""
    return values.float() if isinstance(values, Tensor) and values.dtype in _HALF else values


def modules_that_add(network: nn.Module) -> list[nn.Module]:
    """The modules of a network that add a loss of their own."""
    return [module for module in network.modules() if hasattr(module, "added_loss")]


@contextmanager
def watch(network: nn.Module) -> Iterator[list[AddedLoss]]:
    """While open, what goes through the modules that add a loss is remembered."""
    added = [AddedLoss(module) for module in modules_that_add(network)]
    # Set for this pass only: hooks that stay would be copied and saved with the model.
    hooks = [hook for each in added for hook in each.hooks()]
    try:
        yield added
    finally:
        for hook in hooks:
            hook.remove()

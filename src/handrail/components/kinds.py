"""The kinds of components: the slots of a recipe and what may fill them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A slot of the recipe: where its components live and what the code gives them.

    `factory` kinds are called with the context to make an object; the others are functions used as they are,
    with their configuration bound. `needs`: what a ready object must have to serve in this slot. `also`:
    other kinds whose components may be named in this slot.
    """

    package: str
    context: tuple[str, ...] = ()
    factory: bool = True
    needs: tuple[str, ...] = ("__call__",)
    also: tuple[str, ...] = ()

    def suits(self, target: Callable[..., Any]) -> bool:
        """Whether a class or function from elsewhere can be of this kind; nothing else is ever called.

        A class must have the methods in `needs`; a function must take the context's first part by name.
        """
        if inspect.isclass(target):
            return all(callable(getattr(target, name, None)) for name in self.needs)
        if not self.context:
            return False
        try:
            names = list(inspect.signature(target).parameters)
        except (TypeError, ValueError):
            return False
        return self.context[0] in names if self.factory else len(names) >= len(self.context)


KINDS: dict[str, Kind] = {
    "model": Kind("handrail.models", ("inputs", "outputs"), needs=("forward", "parameters")),
    "layer": Kind("handrail.layers", ("inputs",), needs=("forward",), also=("activation",)),
    "activation": Kind("handrail.layers", ("features",), needs=("forward",)),
    "initialisation": Kind("handrail.layers", ("weight", "generator"), factory=False),
    "loss": Kind("handrail.objectives", ("outputs", "targets"), factory=False),
    "penalty": Kind("handrail.objectives", ("model", "activity"), factory=False),
    "rule": Kind("handrail.learning.rules", needs=("start", "step")),
    "optimizer": Kind("handrail.learning", ("parameters",)),
    "schedule": Kind("handrail.learning", ("optimizer", "steps")),
    "augmentation": Kind("handrail.augmentation", ("inputs",), needs=("forward",)),
    "clip": Kind("handrail.learning", ("parameters",), factory=False),
}

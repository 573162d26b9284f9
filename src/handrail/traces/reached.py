"""The first layer of a kind in a network that is followed, and what reaches it."""

from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from handrail.errors import DataError
from handrail.traces.given import Given

Layer = TypeVar("Layer", bound=nn.Module)


def first_reached(given: Given, kind: type[Layer], *, what: str) -> tuple[Layer, tuple[Any, ...]]:
    """The first layer of that kind to be called for the row, and what it is called with.

    Arguments:
        what: the kind, in words.

    Raises: `DataError` for a network without such a layer.
    """
    calls: list[tuple[Layer, tuple[Any, ...]]] = []

    def note(module: nn.Module, arguments: tuple[Any, ...], _: Any) -> None:
        assert isinstance(module, kind)
        calls.append((module, arguments))

    hooks = [each.register_forward_hook(note) for each in given.model.modules() if isinstance(each, kind)]
    try:
        if hooks:
            with torch.no_grad():
                given.model(given.inputs)
    finally:
        for hook in hooks:
            hook.remove()
    if not calls:
        found = type(given.model).__name__
        raise DataError(f"run: found no {what} in its network, {found}; choose a run whose network has one.")
    return calls[0]


def plain(tensor: Tensor) -> np.ndarray:
    """The same numbers in float64."""
    return tensor.detach().cpu().double().numpy()


def refuse_with_run(settings: dict[str, Any]) -> None:
    """Raises: `DataError` for settings of an example, by name, that say anything where a run is followed."""
    said = [name for name, value in settings.items() if value not in (None, False)]
    if said:
        raise DataError(
            f"{', '.join(said)}: without effect where the network of a run is followed; leave out."
        )

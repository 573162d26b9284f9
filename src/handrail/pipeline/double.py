"""A network evaluated in double precision, without a second network."""

import torch
from torch import Tensor, nn
from torch.func import functional_call

_ROWS = 16384  # at once: memory does not grow with the table


def doubled(network: nn.Module, inputs: Tensor) -> Tensor | None:
    """The scores `[rows, outputs]` in Float64, or nothing where the network insists on single precision."""
    state = {
        name: value.double() if value.is_floating_point() else value for name, value in _tensors(network)
    }
    try:
        with torch.no_grad():
            parts = inputs.split(_ROWS) or (inputs,)
            return torch.cat([functional_call(network, state, (part.double(),)) for part in parts])
    except (RuntimeError, TypeError):
        return None


def _tensors(network: nn.Module) -> list[tuple[str, Tensor]]:
    return [*network.named_parameters(), *network.named_buffers()]

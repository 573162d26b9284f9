"""A network's scores for many rows, a batch at a time, so that memory does not grow with the rows."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.data.rows import Rows, Windows, count, cut, moved, row_bytes

_BYTES = 4_000_000  # of inputs at once, as float32
_MOST, _FEWEST = 16384, 8
_TEXTS = 64  # windows of text: scores for every token of a vocabulary would fill the caches


def rows_at_once(rows: Rows) -> int:
    """How many rows are scored in one go; small codes and bytes become larger in the network."""
    each = row_bytes(rows)
    first = rows[0] if isinstance(rows, tuple) else rows
    if isinstance(first, Windows) and not first.data.dtype.is_floating_point:
        return _TEXTS
    small = not isinstance(first, Tensor) or not first.dtype.is_floating_point
    return max(_FEWEST, min(_MOST, _BYTES // max(1, each * (4 if small else 1))))


def device_of(network: nn.Module) -> torch.device:
    """Where its parameters are."""
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))


@torch.inference_mode()
def scores_of(network: nn.Module, rows: Rows, *, at_once: int | None = None) -> Iterator[Any]:
    """The network's scores, in evaluation mode, batch by batch in the order of the rows."""
    network.eval()
    device, size = device_of(network), at_once or rows_at_once(rows)
    for start in range(0, max(count(rows), 1), size):
        yield network(moved(cut(rows, start, start + size), device))


def all_scores(network: nn.Module, rows: Rows) -> Tensor:
    """The scores of all rows in one tensor."""
    return torch.cat(list(scores_of(network, rows)))


Scores = Sequence[Float[Tensor, "rows outputs ..."]]


def mean_of_softmax(scores: Scores) -> Float[Tensor, "rows outputs ..."]:
    """log(1/K · Σₖ softmax(sₖ)), over the outputs: its softmax is the mean."""
    return torch.logsumexp(torch.stack([one.log_softmax(dim=1) for one in scores]), dim=0) - math.log(
        len(scores)
    )


def mean_of_sigmoid(scores: Scores) -> Float[Tensor, "rows outputs ..."]:
    """log p − log(1 − p) with p = 1/K · Σₖ σ(sₖ): its sigmoid is the mean."""
    stacked = torch.stack(list(scores))
    return torch.logsumexp(functional.logsigmoid(stacked), dim=0) - torch.logsumexp(
        functional.logsigmoid(-stacked), dim=0
    )

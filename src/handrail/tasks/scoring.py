"""The scores of a network, a batch at a time so that memory does not grow, and the mean of several."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from handrail.data.part import Part
from handrail.data.rows import Rows, Windows, count, cut, row_bytes, to_device
from handrail.network import model_in, model_inputs
from handrail.shapes import StepShape

_BYTES = 4_000_000  # of inputs at once, as float32
_MOST, _FEWEST = 16384, 8
_TEXTS = 64  # windows of text: scores for every token of a vocabulary would fill the caches
_SCORES = 2**23  # scores of steps that are held at once: 32 MB
_POINTS = 8192  # rows of points at once
_STEPS = 4096  # steps at once: what a transformer computes from more of them leaves the processor's cache

Scores = Sequence[Float[Tensor, "rows outputs ..."]]


def rows_at_once(rows: Rows) -> int:
    """How many rows are scored at once; small codes and bytes become larger in the network."""
    each = row_bytes(rows)
    first = rows[0] if isinstance(rows, tuple) else rows
    if isinstance(first, Windows) and not first.data.dtype.is_floating_point:
        return _TEXTS
    small = not isinstance(first, Tensor) or not first.dtype.is_floating_point
    return max(_FEWEST, min(_MOST, _BYTES // max(1, each * (4 if small else 1))))


def steps_at_once(outputs: StepShape) -> int:
    """How many rows of scores at every step are held at once."""
    return max(1, min(_STEPS, _SCORES // outputs.scores) // outputs.length)


def device_of(network: nn.Module) -> torch.device:
    """Where its parameters are."""
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))


@torch.inference_mode()
def scores_of(network: nn.Module, rows: Rows, *, at_once: int | None = None) -> Iterator[Any]:
    """The network's scores, in evaluation mode, batch by batch in the order of the rows."""
    network.eval()
    device, size = device_of(network), at_once or rows_at_once(rows)
    for start in range(0, max(count(rows), 1), size):
        yield network(to_device(cut(rows, start, start + size), device))


@torch.inference_mode()
def by_method(network: nn.Module, name: str, points: Float[Tensor, "rows width"]) -> Tensor:
    """What a method of the model within a network gives for each row, on the CPU, some rows at a time."""
    return in_parts(network, getattr(model_in(network).eval(), name), points)


@torch.inference_mode()
def in_parts(
    network: nn.Module,
    answer: Callable[[Tensor], Tensor],
    points: Float[Tensor, "rows width"],
    *,
    shared: int = 0,
) -> Tensor:
    """Answers to points, on the CPU, some rows at a time where the network is.

    Arguments:
        shared: rows at the end of a part with which the next begins.
    """
    device, starts = device_of(network), range(0, max(len(points) - shared, 1), _POINTS)
    parts = (points[start : start + _POINTS + shared] for start in starts)
    return torch.cat([answer(part.to(device)).cpu() for part in parts])


@torch.inference_mode()
def remark_on(network: nn.Module, encode: Callable[[], Rows]) -> str:
    """What the model has to say of rows that it answers, by a method `remark(batches)`; empty without one.

    Of replicas, the first that answers says it. Rows are encoded where there is something to say alone.
    """
    model: Any = model_in(network)
    if not hasattr(model, "remark"):
        return ""
    rows = encode()
    device, size = device_of(network), rows_at_once(rows)
    batches = (
        model_inputs(network, to_device(cut(rows, start, start + size), device))
        for start in range(0, count(rows), size)
    )
    return model.remark(batches)


def all_scores(network: nn.Module, rows: Rows) -> Tensor:
    """The scores of all rows in one tensor."""
    return torch.cat(list(scores_of(network, rows)))


def decided_classes(task: Any, network: nn.Module, rows: Rows) -> Int[np.ndarray, " rows"]:
    """The class that a network decides for, by the task's threshold or weights."""
    return task.decide(task(all_scores(network, rows))).cpu().numpy().astype(int)


def class_codes(task: Any, part: Part) -> Int[np.ndarray, " rows"]:
    """The code of each row's class."""
    return task.targets(part).reshape(-1).long().numpy()


def double_scores(network: nn.Module, inputs: Tensor) -> Tensor | None:
    """The scores `[rows, outputs]` in Float64, or None where the network insists on single precision."""
    tensors = [*network.named_parameters(), *network.named_buffers()]
    state = {name: value.double() if value.is_floating_point() else value for name, value in tensors}
    try:
        with torch.no_grad():
            parts = inputs.split(_MOST) or (inputs,)
            return torch.cat([functional_call(network, state, (part.double(),)) for part in parts])
    except (RuntimeError, TypeError):
        return None


def mean_of_softmax(scores: Scores) -> Float[Tensor, "rows outputs ..."]:
    """log(1/K · Σₖ softmax(sₖ)) over the outputs: its softmax is the mean of the probabilities."""
    logarithms = torch.stack([score.log_softmax(dim=1) for score in scores])
    return torch.logsumexp(logarithms, dim=0) - math.log(len(scores))


def mean_of_sigmoid(scores: Scores) -> Float[Tensor, "rows outputs ..."]:
    """log p − log(1 − p) with p = 1/K · Σₖ σ(sₖ): its sigmoid is the mean of the probabilities."""
    stacked = torch.stack(list(scores))
    positive, negative = functional.logsigmoid(stacked), functional.logsigmoid(-stacked)
    return torch.logsumexp(positive, dim=0) - torch.logsumexp(negative, dim=0)

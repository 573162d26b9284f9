"""Batch normalisation over the shares of all processes, so that they learn as one process would.

`torch.nn.SyncBatchNorm` does so on GPUs alone.

Source: Ioffe & Szegedy 2015; across processes: Peng et al. 2018 (MegDet)
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Total = Callable[[Tensor], Tensor]


@contextmanager
def whole_norms(model: nn.Module, total: Total, copies: Callable[[], int]) -> Iterator[None]:
    """While open, batch normalisations in training go by mean and variance over all processes.

    Arguments:
        total: sums over the processes, through which gradients flow back.
        copies: how many processes have the same rows.
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        forward: Any = partial(_normalise, norm, total=total, copies=copies)
        norm.forward = forward
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward


def _normalise(norm: _BatchNorm, x: Tensor, *, total: Total, copies: Callable[[], int]) -> Tensor:
    """y = γ·(x − mean) / √(variance + ε) + β; x is `[rows, channels, …]`."""
    if not norm.training:
        return type(norm).forward(norm, x)
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    over = [0, *range(2, x.ndim)]
    ones = wide.new_full((1,), wide.numel() / wide.shape[1])
    *_, count = sums = total(torch.cat([wide.sum(over), ones]))
    rows = count.detach() / copies()
    if rows <= 1:  # a single value has no spread: left to the layer
        return type(norm).forward(norm, x[:1])
    shape = (1, -1, *[1] * (x.ndim - 2))
    mean = sums[:-1] / count
    away = wide - mean.view(shape)
    variance = total(away.square().sum(over)) / count.detach()
    _update_averages(norm, mean.detach(), variance.detach() * rows / (rows - 1))
    scaled = away * (variance + norm.eps).rsqrt().view(shape)
    if norm.affine:
        scaled = scaled * norm.weight.view(shape) + norm.bias.view(shape)
    return scaled.to(x.dtype)


@torch.no_grad()
def _update_averages(norm: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Running averages, as torch keeps them."""
    if norm.running_mean is None or norm.running_var is None:
        return
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean), share)
    norm.running_var.lerp_(variance.to(norm.running_var), share)

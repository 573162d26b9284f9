"""Which library multiplies matrices in float32: the one that uses the processor's widest units.

Measured on Zen 5, one thread, forward and backward pass of a 108-128-64-1 network: 1.4 times as fast for
batches of 1,024 rows, 1.05 to 1.1 times for 256 (docs/decisions/0016).
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn

from handrail.learning.rule import step_operations

_LARGE = 3e7  # operations a step: in smaller ones oneDNN's 8 µs a product weigh more than what it saves
_ROUNDED = 1e-5  # relative; float32 is at about 1e-6, bfloat16 at about 1e-3


@contextmanager
def quick_products(network: nn.Module, inputs: object, batch_size: int) -> Iterator[None]:
    """While open, products of large steps go through oneDNN, where that is quicker and still float32.

    On processors that are not Intel's, torch's usual library (MKL) leaves half of an AVX-512 unit idle;
    oneDNN does not. The switch that torch has for it is meant to allow bfloat16 inside, which oneDNN takes on
    processors with AMX units only. So the switch is used without AMX, where one product that is tried is as
    precise as float32 is; afterwards it is put back.

    Arguments:
        inputs: the rows to train on; only rows of numbers are sped up, other networks have other products.
        batch_size: rows a step; it decides with the size of the network alone, so that a resumed training
            does the same.
    """
    rows = inputs if isinstance(inputs, Tensor) and inputs.ndim == 2 else None
    plain = rows is not None and rows.device.type == "cpu" and rows.dtype == torch.float32
    large = step_operations(network, batch_size) >= _LARGE
    quick = plain and large and stays_float32()
    with _through_onednn() if quick else nullcontext():
        yield


@functools.cache
def stays_float32() -> bool:
    """Whether oneDNN multiplies here, and in float32, where torch would allow it to round to bfloat16."""
    if torch.cpu._is_amx_tile_supported() or not torch.cpu._is_avx512_bf16_supported():
        return False
    values = torch.linspace(-1.0, 1.0, 256 * 256).sin().view(256, 256)
    with torch.no_grad(), _through_onednn():
        product = values @ values.t()
    exact = values.double() @ values.double().t()
    return float((product - exact).abs().max() / exact.abs().max()) < _ROUNDED


@contextmanager
def _through_onednn() -> Iterator[None]:
    setting = torch.backends.mkldnn.matmul  # pyright: ignore[reportAttributeAccessIssue]
    before = setting.fp32_precision
    setting.fp32_precision = "bf16"
    try:
        yield
    finally:
        setting.fp32_precision = before

"""Lower precision where the processor has units for it."""

import functools

import torch
from torch import Tensor, nn


@functools.cache
def has_fast_bfloat16(device: str = "cpu") -> bool:
    """Whether a kind of device multiplies bfloat16 matrices in hardware, rather than slowly in software.

    Arguments:
        device: `cpu` (AVX512-BF16 or AMX units) or `cuda`; no other kind is known to.
    """
    if device == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


class Lowered(nn.Module):
    """f(x) in bfloat16 where that is quick, else in float32: for training and for use alike.

    The weights stay in float32, where small changes add up; each forward pass rounds a copy of them. Images
    go in with their channels side by side in memory. Sums, losses and outputs are float32. Without units for
    bfloat16, and for inputs in double precision, it is the network itself, to the bit.

    Measured with units on a CPU: networks with 16 channels and more gain about a factor of two over plain
    float32, half of it by the layout, more in use than in training. Rounding the weights by hand is no
    quicker than autocast. Layers with fewer channels lose, which is why `ConvAct` leaves those in float32.

    Arguments:
        network: any network; it is kept under that name, and is not changed.

    Source: Kalamkar et al. 2019; mixed precision: Micikevicius et al. 2018
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor | tuple[Tensor, ...]) -> Tensor:
        """The network's scores; of several inputs the first one says where and how."""
        first = inputs[0] if isinstance(inputs, tuple) else inputs
        device = first.device.type
        if not has_fast_bfloat16(device) or (first is inputs and first.dtype == torch.float64):
            return self.network(inputs)
        if isinstance(inputs, Tensor) and inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device, torch.bfloat16):
            return self.network(inputs).float()

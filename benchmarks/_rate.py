"""How fast a processor multiplies matrices, and how many operations a step of training asks for."""

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def matrix_rates(threads: int, *, side: int = 1024, products: int = 25) -> dict[str, float]:
    """GFLOP/s of a product of two square matrices, by the bits of its numbers (32: float32, 16: bfloat16).

    2·side³ operations each, by the median; where both kinds of kernel are at hand, torch chooses.
    """
    torch.set_num_threads(threads)
    found = {}
    for bits, dtype in ((32, torch.float32), (16, torch.bfloat16)):
        left, right = (torch.randn(side, side).to(dtype) for _ in range(2))
        seconds = []
        for _ in range(products):
            began = time.perf_counter()
            left @ right
            seconds.append(time.perf_counter() - began)
        found[str(bits)] = 2 * side**3 / statistics.median(seconds[3:]) / 1e9  # the first ones wake the threads
    return found


def operations(network: nn.Module, inputs: Tensor, targets: Tensor, loss_of: Callable[[Tensor, Tensor], Tensor]) -> float:
    """Operations of matrices and convolutions in one step, forward and backward.

    They are counted on torch's device for shapes alone: nothing is computed, and no fused kernel hides what it does.
    """
    counter = FlopCounterMode(display=False)
    with counter:
        loss_of(network.to("meta")(inputs.to("meta")), targets.to("meta")).backward()
    return float(counter.get_total_flops())

"""How fast a processor multiplies matrices, and how many operations a step of training asks for, and what
that makes in a table.
"""

import statistics
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def matrix_rates(*, side: int = 1024, products: int = 25) -> dict[str, float]:
    """GFLOP/s of a product of two square matrices, by the bits of its numbers (32: float32, 16: bfloat16).

    2·side³ operations each, by the median; where both kinds of kernel are at hand, torch chooses.
    """
    rates = {}
    for bits, dtype in ((32, torch.float32), (16, torch.bfloat16)):
        left, right = (torch.randn(side, side).to(dtype) for _ in range(2))
        seconds = []
        for _ in range(products):
            began = time.perf_counter()
            torch.mm(left, right)
            seconds.append(time.perf_counter() - began)
        # The first ones wake the threads.
        rates[str(bits)] = 2 * side**3 / statistics.median(seconds[3:]) / 1e9
    return rates


def operations(
    network: nn.Module, inputs: Tensor, targets: Tensor, loss_of: Callable[[Tensor, Tensor], Tensor]
) -> float:
    """Operations of matrices and convolutions in one step, forward and backward.

    They are counted on torch's device for shapes alone: nothing is computed, and no fused kernel hides what
    it does.
    """
    counter = FlopCounterMode(display=False)
    with counter:
        loss_of(network.to("meta")(inputs.to("meta")), targets.to("meta")).backward()
    return float(counter.get_total_flops())


def as_table(
    rows: Mapping[str, Mapping[str, float]], rates: Mapping[str, float], *, by_loss: bool
) -> list[str]:
    """What was measured in Markdown: one row a contender, all compared with the first."""
    base, own = next((name, run["seconds"]) for name, run in rows.items())
    heads = [
        "",
        "seconds an epoch",
        f"times {base}",
        "first epoch",
        "GFLOP/s",
        "of the matrix rate",
        "peak memory (MB)",
    ]
    heads.append(f"held-out {'loss (nats)' if by_loss else 'accuracy'}")
    lines = [
        f"{rates['operations'] / 1e9:.0f} GFLOP an epoch in matrices and convolutions; the processor "
        "multiplies matrices of side 1024 "
        f"at {rates['32']:.0f} GFLOP/s in float32 and {rates['16']:.0f} in bfloat16.",
        "",
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
    ]
    for name, run in rows.items():
        speed = rates["operations"] / run["seconds"] / 1e9
        bits = f"{run['bits']:.0f}"
        share = f"{speed / rates[bits]:.1%} in {'bfloat16' if bits == '16' else 'float32'}"
        cells = [
            name,
            f"{run['seconds']:.2f}",
            f"{run['seconds'] / own:.1f}",
            f"{run['first']:.2f}",
            f"{speed:.0f}",
            share,
        ]
        cells += [f"{run['memory']:.0f}", f"{run['score']:.4f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines

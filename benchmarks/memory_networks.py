"""A step of the neural Turing machine beside a plain PyTorch loop, head by head, written from the paper.

Both have the same weights and rows; the scores agree before anything is measured. Turns alternate, forward
and backward on one thread. Writes `benchmarks/results/memory_networks_speed.md`.

    python benchmarks/memory_networks.py [--turns 9]
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from _common import facts, write_result
from handrail.models.ntm import NTM
from handrail.shapes import SeriesShape, StepShape

_CHANNELS, _BITS, _ROWS, _STEPS = 10, 8, 16, 21
_HEAD = """# Networks with a memory: speed

{facts}

Forward and backward pass of `ntm` (feedforward controller, 64 locations of 20, {rows} rows of {steps} steps),
one thread, beside a plain loop over steps and heads; the median of {turns} turns, in turns. The ratio is how
many times as long the plain loop takes: below 1 it is the faster one.
"""


def plain(model: NTM, x: Tensor) -> Tensor:
    """Section 3 of Graves, Wayne & Danihelka 2014, a head at a time."""
    wide, heads, reads, rows = model.width, model.head_count, model.reads, len(x)
    writes, control = heads - reads, model.controller
    memory = torch.full((rows, model.locations, wide), 1e-6)
    weights = [torch.softmax(each, dim=0).expand(rows, -1) for each in model.first_weights]
    read, scores = model.first_reads.expand(rows, -1), []
    for step in range(x.shape[2]):
        hidden = torch.tanh(control.outer(x[:, :, step]) + control.inner(read))
        numbers = model.interface(hidden)
        sizes = (heads * wide, writes * wide, writes * wide, heads, heads, heads, heads * model.moves)
        keys, add, erase, gates, beta, gamma, shifts = numbers.split(sizes, dim=1)
        for head in range(heads):
            key = torch.tanh(keys[:, head * wide : (head + 1) * wide])
            lengths = ((memory**2).sum(2) + 1e-6).sqrt() * ((key**2).sum(1, keepdim=True) + 1e-6).sqrt()
            alike = (memory @ key.unsqueeze(2)).squeeze(2) / lengths
            content = torch.softmax(functional.softplus(beta[:, head : head + 1]) * alike, dim=1)
            gate = torch.sigmoid(gates[:, head : head + 1])
            mixed = gate * content + (1 - gate) * weights[head]
            moves = torch.softmax(shifts[:, head * model.moves : (head + 1) * model.moves], dim=1)
            reach = model.moves // 2
            moved = sum(
                moves[:, k : k + 1] * torch.roll(mixed, k - reach, dims=1) for k in range(model.moves)
            )
            raised = (moved + 1e-12) ** (1 + functional.softplus(gamma[:, head : head + 1]))
            weights[head] = raised / raised.sum(dim=1, keepdim=True)
        for write in range(writes):
            place = weights[reads + write].unsqueeze(2)
            memory = memory * (
                1 - place * torch.sigmoid(erase[:, write * wide : (write + 1) * wide]).unsqueeze(1)
            )
        for write in range(writes):
            place = weights[reads + write].unsqueeze(2)
            memory = memory + place * torch.tanh(add[:, write * wide : (write + 1) * wide]).unsqueeze(1)
        read = torch.cat([(weights[head].unsqueeze(1) @ memory).squeeze(1) for head in range(reads)], dim=1)
        scores.append(model.head(torch.cat([hidden, read], dim=1)))
    return torch.stack(scores, dim=1)


def seconds(call: Callable[[], Tensor]) -> float:
    """Of a forward and a backward pass, by the processor's clock."""
    began = time.process_time()
    call().square().mean().backward()
    return time.process_time() - began


def measure(heads: int, turns: int) -> str:
    """A line of the table."""
    torch.manual_seed(0)
    shapes = SeriesShape(_CHANNELS, _STEPS), StepShape(_STEPS, _BITS)
    model = NTM(*shapes, locations=64, reads=heads, writes=heads)
    x = torch.rand(_ROWS, _CHANNELS, _STEPS) + 0.1
    torch.testing.assert_close(model(x), plain(model, x), atol=1e-4, rtol=1e-3)
    ours, theirs = [], []
    for _ in range(turns + 1):
        ours.append(seconds(lambda: model(x)))
        theirs.append(seconds(lambda: plain(model, x)))
    first, second = (statistics.median(each[1:]) for each in (ours, theirs))
    return f"| {heads} | {1e3 * first:.1f} | {1e3 * second:.1f} | {second / first:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=9)
    turns = parser.parse_args().turns
    torch.set_num_threads(1)
    head = _HEAD.format(facts=facts("torch"), rows=_ROWS, steps=_STEPS, turns=turns)
    lines = ["", "| heads of each kind | ours, ms | plain, ms | ratio |", "|---|---|---|---|"]
    text = "\n".join([head, *lines[1:], *(measure(heads, turns) for heads in (1, 4))]) + "\n"
    write_result("memory_networks_speed.md", text)
    print(text)


if __name__ == "__main__":
    main()

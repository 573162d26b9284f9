"""Liquids beside snnTorch: the same units, weights and inputs, the same spikes, in turns.

snnTorch runs its recurrent leaky units (`RLeaky`) with our weights, without gradients, the currents of the
inputs worked out by the same product. Writes `benchmarks/results/liquids.md`.

    python benchmarks/liquids.py [--turns 3]
"""

import argparse
import statistics
import time
from dataclasses import dataclass

import snntorch
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from _common import facts, write_result
from handrail.layers.liquid import Liquid

_HEAD = """# Liquids

{facts}

Seconds are the processor's, of one thread, for all steps of all rows. The ratio is how many times as long
snnTorch takes. Spikes are equal where both say the same of a unit, a row and a step; the first to differ is
one whose potential is within rounding of the threshold, and others follow from it.
"""
_TABLE = "| units, rows, channels × steps | ours, s | snnTorch, s | ratio | spikes | equal |"
_ROWS_AT_ONCE = 256
Spikes = Bool[Tensor, "steps units rows"]


@dataclass(frozen=True)
class Work:
    """Noise with a memory of ten steps, through a liquid."""

    units: int
    rows: int
    channels: int
    steps: int

    def liquid(self) -> Liquid:
        torch.manual_seed(0)
        settings = {"membrane": 10.0, "input_scale": 4.0, "weight": 0.1, "inhibition": 2.0, "background": 0.9}
        return Liquid(self.channels, self.units, **settings)

    def inputs(self) -> Float[Tensor, "rows channels steps"]:
        drawn = torch.randn(self.rows, self.channels, self.steps, generator=torch.Generator().manual_seed(1))
        for step in range(1, self.steps):
            drawn[:, :, step] = 0.9 * drawn[:, :, step - 1] + 0.19**0.5 * drawn[:, :, step]
        return drawn


_WORKS = (Work(300, 1024, 8, 100), Work(500, 1024, 8, 100), Work(1000, 1024, 16, 100), Work(500, 64, 1, 1000))


def ours(liquid: Liquid, x: Float[Tensor, "rows channels steps"]) -> Spikes:
    return torch.cat([torch.stack(list(liquid.spikes(some))) > 0 for some in x.split(_ROWS_AT_ONCE)], dim=2)


@torch.no_grad()
def theirs(liquid: Liquid, x: Float[Tensor, "rows channels steps"]) -> Spikes:
    units = snntorch.RLeaky(beta=liquid.beta, linear_features=liquid.units, learn_recurrent=False)
    units.recurrent.weight.copy_(liquid.weights)
    units.recurrent.bias.zero_()
    found = []
    for some in x.split(_ROWS_AT_ONCE):
        spikes, potential = units.init_rleaky()
        steps = []
        for step in range(x.shape[2]):
            current = (some[:, :, step] @ liquid.input_weights.T + liquid.background) * (1 - liquid.beta)
            spikes, potential = units(current, spikes, potential)
            steps.append(spikes > 0)
        found.append(torch.stack(steps).transpose(1, 2))
    return torch.cat(found, dim=2)


def measured(work: Work, turns: int) -> str:
    """A row of the table."""
    liquid, x = work.liquid(), work.inputs()
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    found: dict[str, Spikes] = {}
    for _ in range(turns):
        for name, way in (("ours", ours), ("theirs", theirs)):
            began = time.process_time()
            found[name] = way(liquid, x)
            seconds[name].append(time.process_time() - began)
    own, other = (statistics.median(seconds[name]) for name in ("ours", "theirs"))
    equal = (found["ours"] == found["theirs"]).double().mean()
    size = f"{work.units:,}, {work.rows:,}, {work.channels} × {work.steps:,}"
    rate = 100 * float(found["ours"].double().mean())
    return f"| {size} | {own:.2f} | {other:.2f} | {other / own:.1f} | {rate:.1f} % | {100 * equal:.4f} % |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    measured(Work(50, 64, 2, 10), 1)  # what is done once is no work
    rows = [measured(work, asked.turns) for work in _WORKS]
    text = "\n".join([_HEAD.format(facts=facts("torch", "snntorch")), _TABLE, "|---" * 6 + "|", *rows])
    write_result("liquids.md", f"{text}\n")


if __name__ == "__main__":
    main()

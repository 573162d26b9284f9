"""A step of the game of two players beside a plain PyTorch loop, on equal networks, rows and settings.

Both play the non-saturating game without a penalty, by Adam, on dense networks with two hidden layers, and
keep an average of the generator's weights; in turns in one process. The loop is the usual one: a critic's
pass over real and over made rows, then the generator's over rows made anew. Validation is not counted. Writes
`benchmarks/results/gan.md`.

    python benchmarks/gan.py [--turns 5]
"""

import argparse
import copy
import statistics
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from _common import facts
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.adversarial import Adversarial
from handrail.models.gan import GAN
from handrail.objectives.objective import Objective
from handrail.shapes import NoTarget

_RESULTS = Path(__file__).parent / "results" / "gan.md"
_STEPS, _RATE, _KEEP, _LATENT = 100, 1e-3, 0.99, 16
_SIZES = ((2, 64, [128, 128]), (64, 64, [128, 128]), (784, 128, [256, 512]))
_HEAD = "| numbers a row | rows a step | hidden units | handrail, ms | plain loop, ms | plain / ours |"


def theirs(model: GAN, rows: Tensor, size: int) -> float:
    """Milliseconds a step."""
    generator, critic = copy.deepcopy(model.generator), copy.deepcopy(model.critic)
    average: nn.Module = copy.deepcopy(generator).requires_grad_(False)
    slow = torch.optim.Adam(generator.parameters(), lr=_RATE, betas=(0.5, 0.999))
    quick = torch.optim.Adam(critic.parameters(), lr=_RATE, betas=(0.5, 0.999))
    chance = torch.Generator().manual_seed(0)
    began = time.perf_counter()
    for step in range(_STEPS):
        real = rows[size * step : size * (step + 1)]
        made = generator(torch.randn(size, _LATENT, generator=chance)).detach()
        quick.zero_grad()
        (softplus(-critic(real)).mean() + softplus(critic(made)).mean()).backward()
        quick.step()
        slow.zero_grad()
        softplus(-critic(generator(torch.randn(size, _LATENT, generator=chance)))).mean().backward()
        slow.step()
        with torch.no_grad():
            for own, other in zip(average.parameters(), generator.parameters(), strict=True):
                own.lerp_(other, 1 - _KEEP)
    return (time.perf_counter() - began) / _STEPS * 1000


def ours(model: GAN, rows: Tensor, size: int) -> float:
    """Milliseconds a step."""
    model, adam = copy.deepcopy(model), {"adam": {"learning_rate": _RATE, "beta_1": 0.5}}
    rule = Adversarial(penalty=0.0, average=_KEEP, optimizer=adam, critic_optimizer=adam)
    batch, objective = Batch(rows, rows), Objective("mean_energy_score")
    plan = TrainingPlan("generation", objective, epochs=1, steps=_STEPS, seed=0, rows=batch)
    rule.start(model, plan)
    began = time.perf_counter()
    for step in range(_STEPS):
        rule.step(model, batch.cut(size * step, size * (step + 1)))
    return (time.perf_counter() - began) / _STEPS * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    turns = parser.parse_args().turns
    torch.set_num_threads(1)
    lines = [_HEAD, "|---" * 6 + "|"]
    for width, size, hidden in _SIZES:
        torch.manual_seed(0)
        rows = torch.randn(_STEPS * size, width)
        model = GAN(width, NoTarget("generation"), latent=_LATENT, hidden=hidden)
        pairs = [(ours(model, rows, size), theirs(model, rows, size)) for _ in range(turns)]
        own, other = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
        ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
        units = ", ".join(map(str, hidden))
        lines.append(f"| {width} | {size} | {units} | {own:.2f} | {other:.2f} | {ratio:.2f} |")
    table = "\n".join(lines)
    _RESULTS.write_text(f"# Two players\n\n{facts('torch')}\n\n{table}\n", encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()

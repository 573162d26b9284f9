"""A step of a variational autoencoder beside a plain PyTorch loop, on equal networks, rows and settings.

Both follow the evidence lower bound by one draw of each code, by AdamW, on dense networks; in turns in one
process. The loop is the usual one, with the Kullback–Leibler term in closed form. Validation is not counted.
Writes `benchmarks/results/vae_speed.md`.

    python benchmarks/vae.py [--turns 7]
"""

import argparse
import copy
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from _common import facts
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.gradient import Gradient
from handrail.models.vae import VAE
from handrail.objectives.objective import Objective
from handrail.shapes import NoTarget

_RESULTS = Path(__file__).parent / "results" / "vae_speed.md"
_STEPS, _RATE = 100, 1e-3
_HEAD = "| kind | numbers | rows a step | hidden units | code | ours, ms | plain loop, ms | plain / ours |"
_SIZES = (
    ("real", 13, 64, [128], 3),
    ("real", 64, 128, [256, 128], 16),
    ("0 or 1", 784, 128, [200, 200], 50),
)


def given(x: Tensor, scores: Tensor, log_spread: Tensor, is_bits: bool) -> Tensor:
    """−log p(x | z) of each row, but for a constant."""
    if is_bits:
        return binary_cross_entropy_with_logits(scores, x, reduction="none").sum(dim=1)
    return (((x - scores) / log_spread.exp()).square() / 2 + log_spread).sum(dim=1)


def theirs(model: VAE, rows: Tensor, size: int, is_bits: bool) -> float:
    """Milliseconds a step."""
    encoder, decoder = copy.deepcopy(model.encoder), copy.deepcopy(model.decoder)
    log_spread = torch.zeros(rows.shape[1], requires_grad=not is_bits)
    parameters = [*encoder.parameters(), *decoder.parameters(), *([] if is_bits else [log_spread])]
    adam = torch.optim.AdamW(parameters, lr=_RATE)
    began = time.perf_counter()
    for step in range(_STEPS):
        x = rows[size * step : size * (step + 1)]
        mean, log_variance = encoder(x).chunk(2, dim=1)
        code = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2
        loss = (given(x, decoder(code), log_spread, is_bits) + divergence).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return (time.perf_counter() - began) / _STEPS * 1000


def ours(model: VAE, rows: Tensor, size: int) -> float:
    """Milliseconds a step."""
    model = copy.deepcopy(model).train()
    rule = Gradient(optimizer={"adamw": {"learning_rate": _RATE}})
    batch, objective = Batch(rows, rows), Objective("negative_log_density")
    plan = TrainingPlan("density", objective, epochs=1, steps=_STEPS, seed=0, rows=batch)
    rule.start(model, plan)
    began = time.perf_counter()
    for step in range(_STEPS):
        rule.step(model, batch.cut(size * step, size * (step + 1)))
    return (time.perf_counter() - began) / _STEPS * 1000


def row(sizes: tuple[str, int, int, list[int], int], turns: int) -> str:
    """A row of the table."""
    kind, width, size, hidden, code = sizes
    torch.manual_seed(0)
    is_bits = kind != "real"
    rows = torch.randn(_STEPS * size, width)
    rows = (rows > 0).float() if is_bits else rows
    settings: dict[str, Any] = {"hidden": hidden, "code": code}
    model = VAE(width, NoTarget("density"), likelihood="bernoulli" if is_bits else "auto", **settings)
    pairs = [(ours(model, rows, size), theirs(model, rows, size, is_bits)) for _ in range(turns)]
    own, other = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
    units = ", ".join(map(str, hidden))
    return f"| {kind} | {width} | {size} | {units} | {code} | {own:.2f} | {other:.2f} | {ratio:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=7)
    turns = parser.parse_args().turns
    torch.set_num_threads(1)
    lines = [_HEAD, "|---" * 8 + "|"]
    lines += [row(sizes, turns) for sizes in _SIZES]
    table = "\n".join(lines)
    _RESULTS.write_text(f"# Variational autoencoder\n\n{facts('torch')}\n\n{table}\n", encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()

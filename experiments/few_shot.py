"""Whether a network learns from examples that it is shown, without a change of its weights.

A small transformer is trained on prompts x₁, y₁, x₂, y₂ … with y = w·x: x and w are drawn anew for each
prompt, x ~ N(0, I), w ~ N(0, I). It predicts each yₖ from xₖ and the k − 1 examples before it. Shown is its
squared error, over that of always answering 0 (d, the number of inputs), by the number of examples, beside:

- least squares on the same examples, with the shortest w where several fit, which is the best there is;
- itself on prompts whose answers are shuffled among the examples, so that they say nothing of w: it cannot
  do better than 1, and does worse where it trusts them.

The prompts of the test are drawn by another seed; no weight has seen their w.

    python experiments/few_shot.py [--inputs 2 --examples 6 --steps 4000]

Writes `benchmarks/results/few_shot.md`. Source: Garg, Tsipras, Liang & Valiant 2022
"""

import argparse
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.layers.attention import TransformerBlock
from handrail.layers.steps import LearnedPositions
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.gradient import Gradient
from handrail.objectives.objective import Objective

ROOT = Path(__file__).parents[1]
PROMPTS, TESTED, RATE = 64, 4000, 1e-3  # of a step; of the test
Inputs = Float[Tensor, "prompts examples inputs"]
Answers = Float[Tensor, "prompts examples"]


class InContext(nn.Module):
    """Blocks of causal attention over x₁, y₁, x₂ …, as in GPT, read where an x stands.

    Source: Garg et al. 2022; blocks: Radford et al. 2019
    """

    def __init__(self, inputs: int, examples: int, *, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.read_in = nn.Linear(inputs + 1, width)
        self.positions = LearnedPositions(2 * examples, width)
        self.blocks = nn.Sequential(*(TransformerBlock(width, heads, causal=True) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 1)

    def forward(self, prompt: Float[Tensor, "prompts examples more"]) -> Answers:
        """What is predicted of each y; the last of the numbers of an example is its y."""
        x, y = prompt[..., :-1], prompt[..., -1:]
        asked = torch.cat([x, torch.zeros_like(y)], dim=2)
        answered = torch.cat([torch.zeros_like(x), y], dim=2)
        steps = torch.stack([asked, answered], dim=2).flatten(1, 2)
        steps = self.blocks(self.positions(self.read_in(steps)))
        return self.head(self.norm(steps))[:, ::2, 0]


def prompts(count: int, inputs: int, examples: int, generator: torch.Generator) -> tuple[Inputs, Answers]:
    """x and y = w·x."""
    x = torch.randn(count, examples, inputs, generator=generator)
    w = torch.randn(count, inputs, 1, generator=generator)
    return x, (x @ w).squeeze(2)


def least_squares(x: Inputs, y: Answers) -> Answers:
    """yₖ by the shortest w that fits the examples before it."""
    found = torch.zeros_like(y)
    for place in range(1, x.shape[1]):
        w = torch.linalg.pinv(x[:, :place].double()) @ y[:, :place, None].double()
        found[:, place] = (x[:, place].double() * w.squeeze(2)).sum(dim=1).float()
    return found


def shuffled(y: Answers, generator: torch.Generator) -> Answers:
    """Each answer with another example of the same prompt: all are moved on by the same number of places."""
    count, examples = y.shape
    moves = torch.randint(1, examples, (count, 1), generator=generator)
    return y.gather(1, (torch.arange(examples) + moves) % examples)


def train(model: InContext, inputs: int, examples: int, *, steps: int, seed: int) -> None:
    """Steps of Adam on prompts that are drawn anew, with a rate that falls by a cosine."""
    rule = Gradient(optimizer={"adam": {"learning_rate": RATE}}, schedule="cosine", clip="by_norm")
    objective = Objective("mse")
    generator = torch.Generator().manual_seed(seed)
    rule.start(model.train(), TrainingPlan("regression", objective, epochs=1, steps=steps, seed=seed))
    for _ in range(steps):
        x, y = prompts(PROMPTS, inputs, examples, generator)
        rule.step(model, Batch(torch.cat([x, y[..., None]], dim=2), y))


@dataclass(frozen=True)
class Found:
    """Squared errors by the number of examples, over those of always answering 0."""

    network: np.ndarray
    least_squares: np.ndarray
    shuffled: np.ndarray


@torch.no_grad()
def judge(model: InContext, inputs: int, examples: int, *, seed: int) -> Found:
    """On prompts whose w no step has seen."""
    generator = torch.Generator().manual_seed(seed)
    x, y = prompts(TESTED, inputs, examples, generator)
    other = shuffled(y, generator)

    def error(answers: Answers, shown: Answers, truth: Answers) -> np.ndarray:
        return ((answers - truth).square().mean(dim=0) / inputs).numpy()

    model.eval()
    own = error(model(torch.cat([x, y[..., None]], dim=2)), y, y)
    lost = error(model(torch.cat([x, other[..., None]], dim=2)), other, y)
    return Found(own, error(least_squares(x, y), y, y), lost)


def main(arguments: list[str] | None = None) -> Found:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=2)
    parser.add_argument("--examples", type=int, default=6, help="before the last that is asked for")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results")
    asked = parser.parse_args(arguments)
    torch.manual_seed(asked.seed)
    model = InContext(asked.inputs, asked.examples + 1, width=asked.width, layers=asked.layers, heads=4)
    began = time.monotonic()
    train(model, asked.inputs, asked.examples + 1, steps=asked.steps, seed=asked.seed)
    minutes = (time.monotonic() - began) / 60
    found = judge(model, asked.inputs, asked.examples + 1, seed=asked.seed + 1_000_000)
    size = sum(parameter.numel() for parameter in model.parameters())
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("handrail", "torch"))
    lines = [
        "# Learning from examples in the prompt",
        "",
        f"{versions}, {datetime.now(UTC):%Y-%m-%d}. y = w·x with {asked.inputs} inputs; {size:,} parameters, "
        f"{asked.steps:,} steps of {PROMPTS} prompts, {minutes:.1f} minutes. Squared error of {TESTED:,} "
        "prompts over that of always answering 0, by the number of examples shown.",
        "",
        "| examples | network | least squares | network, answers shuffled |",
        "|---|---|---|---|",
    ]
    rows = zip(found.network, found.least_squares, found.shuffled, strict=True)
    lines += [f"| {place} | {a:.3f} | {b:.3f} | {c:.3f} |" for place, (a, b, c) in enumerate(rows)]
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "few_shot.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines[4:]))
    return found


if __name__ == "__main__":
    main()

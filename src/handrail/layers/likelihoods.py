"""How likely a row is under what a decoder says of it, by the kind of each of its numbers."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.shapes import InputShape, TableShape, numbers_in

Given = Float[Tensor, "... rows width"]
LEAST_SPREAD = 0.01  # of a real number: one that repeats itself would have a density without bound


class Likelihood(nn.Module):
    """log p(x | s) = Σ over the numbers of a row, independent given the scores s `[rows, width]`:

        real        −(x − s)²/2σ² − log σ − ½·log 2π, with σ ≥ 0.01 learned, one for each number
        0 or 1      x·log σ(s) + (1 − x)·log σ(−s); between 0 and 1 x is the probability of 1
        categories  Σ xᵢ·log softmax(s)ᵢ over the levels of each

    Numbers that are missing, and stand for what they were filled with, say nothing.

    Arguments:
        inputs: a table says what its numbers are; those of others are real.
        kind: `gaussian` or `bernoulli` takes all for real, or for 0 and 1.

    Source: Kingma & Welling 2014; learned σ: Rybkin, Daniilidis & Levine 2021
    """

    real: Tensor
    bits: Tensor
    levels: Tensor
    filled: Tensor
    flags: Tensor

    def __init__(self, inputs: InputShape, kind: Literal["auto", "gaussian", "bernoulli"] = "auto") -> None:
        super().__init__()
        self.width = numbers_in(inputs)
        if not isinstance(inputs, TableShape) or kind != "auto":
            bits = tuple(range(self.width)) if kind == "bernoulli" else ()
            inputs = TableShape(self.width, bits=bits)
        levels = [place for places in inputs.choices for place in places]
        self.sizes = [len(places) for places in inputs.choices]
        real = sorted({*range(self.width)} - {*inputs.bits, *levels})
        known = {"real": real, "bits": inputs.bits, "levels": levels}
        known |= {"filled": [number for number, _ in inputs.gaps], "flags": [flag for _, flag in inputs.gaps]}
        for name, places in known.items():
            self.register_buffer(name, torch.tensor(places, dtype=torch.int64), persistent=False)
        self.log_spread = nn.Parameter(torch.zeros(len(real)))

    @property
    def visible(self) -> str:
        """`gaussian`, `binary`, or `mixed` of several kinds or with gaps."""
        if len(self.flags) or sum(len(each) > 0 for each in (self.real, self.bits, self.levels)) > 1:
            return "mixed"
        return "gaussian" if len(self.real) else "binary" if len(self.bits) else "mixed"

    def forward(self, scores: Given, x: Float[Tensor, "rows width"]) -> Float[Tensor, "... rows"]:
        """log p(x | s) in nats."""
        total = scores.new_zeros(scores.shape[:-1])
        if len(self.real):
            total = total + self._real(scores, x)
        if len(self.bits):
            given, own = self._some(scores, self.bits), self._some(x, self.bits)
            total = total + (given * own - functional.softplus(given)).sum(dim=-1)
        for places in self._groups():
            total = total + (scores[..., places].log_softmax(dim=-1) * x[:, places]).sum(dim=-1)
        return total

    def _real(self, scores: Given, x: Float[Tensor, "rows width"]) -> Float[Tensor, "... rows"]:
        log_spread = self._log_spread()
        far = (self._some(x, self.real) - self._some(scores, self.real)) * (-log_spread).exp()
        if not len(self.flags):
            constant = log_spread.sum() + len(self.real) * math.log(2 * math.pi) / 2
            return -far.square().sum(dim=-1) / 2 - constant
        terms = far.square() / 2 + log_spread + math.log(2 * math.pi) / 2
        return -(terms * self._known(x)).sum(dim=-1)

    def _known(self, x: Float[Tensor, "rows width"]) -> Float[Tensor, "rows real"]:
        """1 for real numbers that are there, 0 for those that are missing."""
        missing = torch.zeros_like(x)
        missing[:, self.filled] = x[:, self.flags]
        return 1 - self._some(missing, self.real)

    def as_known(self, x: Float[Tensor, "rows width"]) -> Float[Tensor, "rows width"]:
        """Rows in which what is not a number is no longer flagged as missing."""
        rows = x.clone()
        rows[:, self.flags] = torch.where(x[:, self.filled].isnan(), 0.0, x[:, self.flags])
        return rows

    def _log_spread(self) -> Float[Tensor, " real"]:
        return self.log_spread.clamp_min(math.log(LEAST_SPREAD))

    def _some(self, values: Float[Tensor, "... width"], places: Tensor) -> Float[Tensor, "... some"]:
        return values if len(places) == self.width else values[..., places]

    def _groups(self) -> Sequence[Tensor]:
        """The places of the levels of each category."""
        return self.levels.split(self.sizes)

    def mean(self, scores: Given) -> Given:
        """The expected row: of 0 and 1, and of categories, probabilities."""
        rows = scores.clone()
        if len(self.bits):
            rows[..., self.bits] = scores[..., self.bits].sigmoid()
        for places in self._groups():
            rows[..., places] = scores[..., places].softmax(dim=-1)
        return rows

    def draw(self, scores: Float[Tensor, "rows width"], generator: torch.Generator) -> Tensor:
        """A row `[rows, width]` for each of the scores."""
        rows = self.mean(scores)
        if len(self.real):
            noise = torch.randn(len(rows), len(self.real), generator=generator).to(rows)
            rows[:, self.real] += noise * self._log_spread().exp()
        if len(self.bits):
            chance = torch.rand(len(rows), len(self.bits), generator=generator).to(rows)
            rows[:, self.bits] = (chance < rows[:, self.bits]).to(rows)
        for places in self._groups():
            chance = torch.rand(len(rows), 1, generator=generator).to(rows)
            chosen = (rows[:, places].cumsum(dim=1) < chance).sum(dim=1).clamp_max(len(places) - 1)
            rows[:, places] = functional.one_hot(chosen, len(places)).to(rows)
        return rows

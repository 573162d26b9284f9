"""How likely a row is under what a decoder says of it, by the kind of each of its numbers."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.shapes import InputShape, TableShape, numbers_in

Scores = Float[Tensor, "... rows scores"]
Given = Float[Tensor, "... rows width"]
Cells = Float[Tensor, "... rows real cells"]
LEAST_SPREAD = 0.01  # of a real number: one that repeats itself would have a density without bound
SAME_SHARE, SAME_SIZE = 1e-5, 1e-6  # how near a number lies to the value that it repeats


class Likelihood(nn.Module):
    """log p(x | s) = Σ over the numbers of a row, independent given the scores s `[rows, scores]`:

        real        log Σₖ wₖ·N(x; cₖ, σₖ²), with σₖ ≥ 0.01 learned, K for each number; of values that many
                    rows repeat log w of each, with Σₖ wₖ + Σ w = 1 by a softmax
        0 or 1      x·log σ(s) + (1 − x)·log σ(−s); between 0 and 1 x is the probability of 1
        categories  Σ xᵢ·log softmax(s)ᵢ over the levels of each

    Numbers that are missing, and stand for what they were filled with, say nothing. A score for each number
    of a row comes first (of a real number c₁), then c₂ … and the logits of w. With K = 1 and nothing that is
    repeated, there are no others.

    Arguments:
        inputs: a table says what its numbers are; those of others are real.
        kind: `gaussian` or `bernoulli` takes all for real, each with one normal law, or for 0 and 1.
        components: K, for the real columns of a table.

    Source: Kingma & Welling 2014; learned σ: Rybkin, Daniilidis & Levine 2021; mixtures for the columns of a
    table: Xu et al. 2019
    """

    real: Tensor
    bits: Tensor
    levels: Tensor
    filled: Tensor
    flags: Tensor
    repeated: Tensor
    places: Tensor
    begin: Tensor

    def __init__(
        self,
        inputs: InputShape,
        kind: Literal["auto", "gaussian", "bernoulli"] = "auto",
        components: int = 1,
    ) -> None:
        super().__init__()
        self.width = numbers_in(inputs)
        self.components = components
        if not isinstance(inputs, TableShape) or kind != "auto":
            bits = tuple(range(self.width)) if kind == "bernoulli" else ()
            inputs, self.components = TableShape(self.width, bits=bits), 1
        levels = [place for places in inputs.choices for place in places]
        self.sizes = [len(places) for places in inputs.choices]
        real = sorted({*range(self.width)} - {*inputs.bits, *levels})
        known = {"real": real, "bits": inputs.bits, "levels": levels}
        known |= {"filled": [number for number, _ in inputs.gaps], "flags": [flag for _, flag in inputs.gaps]}
        for name, places in known.items():
            self.register_buffer(name, torch.tensor(places, dtype=torch.int64), persistent=False)
        self._lay_out([[value for place, value in inputs.repeated if place == each] for each in real])
        self.marks = len(inputs.repeated)
        "How many values are repeated."
        self.log_spread = nn.Parameter(torch.full((len(real), self.components), -math.log(self.components)))

    def _lay_out(self, repeated: Sequence[Sequence[float]]) -> None:
        """Where the scores of the real numbers stand, by the values that each of them repeats."""
        most, more = max(map(len, repeated), default=0), self.components - 1
        values = torch.full((len(repeated), most), math.nan)
        self.extra = len(repeated) * more  # scores behind those of the numbers: centres, then logits
        places = torch.full((len(repeated), self.components + most), -1)
        for row, own in enumerate(repeated):
            values[row, : len(own)] = torch.tensor(own)
            if more or own:
                count = self.components + len(own)
                places[row, :count] = torch.arange(self.extra, self.extra + count)
                self.extra += count
        shares = (torch.arange(self.components) + 0.5) / self.components
        self.register_buffer("repeated", values, persistent=False)
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("begin", torch.special.ndtri(shares), persistent=False)

    @property
    def scores(self) -> int:
        """How many a decoder has to give."""
        return self.width + self.extra

    @property
    def visible(self) -> str:
        """`gaussian`, `binary`, or `mixed` of several kinds, with gaps, or with values that are repeated."""
        kinds = sum(len(each) > 0 for each in (self.real, self.bits, self.levels))
        if len(self.flags) or self.marks or kinds > 1:
            return "mixed"
        return "gaussian" if len(self.real) else "binary" if len(self.bits) else "mixed"

    def marked(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows ..."]:
        """Rows with a number more for each value that is repeated, 1 where a row has it."""
        if not self.marks:
            return x
        return torch.cat([x, self._repeats(x)[:, self.repeated.isfinite()].to(x)], dim=1)

    def forward(self, scores: Scores, x: Float[Tensor, "rows width"]) -> Float[Tensor, "... rows"]:
        """log p(x | s) in nats."""
        total = scores.new_zeros(scores.shape[:-1])
        if len(self.real):
            total = total + (self._mixed(scores, x) if self.extra else self._normal(scores, x))
        if len(self.bits):
            given, own = self._some(scores, self.bits), self._some(x, self.bits)
            total = total + (given * own - functional.softplus(given)).sum(dim=-1)
        for places in self._groups():
            total = total + (scores[..., places].log_softmax(dim=-1) * x[:, places]).sum(dim=-1)
        return total

    def _normal(self, scores: Scores, x: Float[Tensor, "rows width"]) -> Float[Tensor, "... rows"]:
        """One normal law for each number."""
        log_spread = self._log_spread()[:, 0]
        far = (self._some(x, self.real) - self._some(scores, self.real)) * (-log_spread).exp()
        if not len(self.flags):
            constant = log_spread.sum() + len(self.real) * math.log(2 * math.pi) / 2
            return -far.square().sum(dim=-1) / 2 - constant
        terms = far.square() / 2 + log_spread + math.log(2 * math.pi) / 2
        return -(terms * self._known(x)).sum(dim=-1)

    def _mixed(self, scores: Scores, x: Float[Tensor, "rows width"]) -> Float[Tensor, "... rows"]:
        """A mixture of normal laws for each number, and values that are repeated."""
        centres, shares, log_spread = self._centres(scores), self._log_shares(scores), self._log_spread()
        far = (self._some(x, self.real).unsqueeze(-1) - centres) * (-log_spread).exp()
        laws = -far.square() / 2 - log_spread - math.log(2 * math.pi) / 2
        terms = torch.logsumexp(shares[..., : self.components] + laws, dim=-1)
        if self.marks:
            repeats = self._repeats(x)
            which = repeats.int().argmax(dim=-1, keepdim=True)  # [rows, real, 1]
            given = shares[..., self.components :]
            own = given.gather(-1, which.expand(*given.shape[:-1], 1)).squeeze(-1)
            terms = torch.where(repeats.any(dim=-1), own, terms)
        return (terms * self._known(x) if len(self.flags) else terms).sum(dim=-1)

    def _repeats(self, x: Float[Tensor, "rows width"]) -> Bool[Tensor, "rows real values"]:
        """Which of the repeated values each real number has."""
        numbers, values = self._some(x, self.real).unsqueeze(-1), self.repeated.to(x)
        return torch.isclose(numbers, values, rtol=SAME_SHARE, atol=SAME_SIZE)

    def _centres(self, scores: Scores) -> Cells:
        """c `[..., rows, real, K]`; they begin apart."""
        first, more = self._some(scores, self.real).unsqueeze(-1), self.components - 1
        others = scores[..., self.width : self.width + len(self.real) * more]
        return torch.cat([first, others.unflatten(-1, (len(self.real), more))], dim=-1) + self.begin

    def _log_shares(self, scores: Scores) -> Cells:
        """log w of the normal laws, and of the values that are repeated."""
        none = torch.full_like(scores[..., :1], -math.inf)
        logits = torch.cat([scores[..., self.width :], none], dim=-1)[..., self.places]
        if self.components == 1:  # a number without values that it repeats has one law, and no logits
            alone = (self.places < 0).all(dim=1)
            logits[..., alone, 0] = 0.0
        return logits.log_softmax(dim=-1)

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

    def _log_spread(self) -> Float[Tensor, "real components"]:
        return self.log_spread.clamp_min(math.log(LEAST_SPREAD))

    def _some(self, values: Float[Tensor, "... width"], places: Tensor) -> Float[Tensor, "... some"]:
        return values if len(places) == self.width == values.shape[-1] else values[..., places]

    def _groups(self) -> Sequence[Tensor]:
        """The places of the levels of each category."""
        return self.levels.split(self.sizes)

    def mean(self, scores: Scores) -> Given:
        """The expected row: of 0 and 1, and of categories, probabilities."""
        rows = scores[..., : self.width].clone()
        if self.extra:
            values = torch.cat([self._centres(scores), self._values(scores)], dim=-1)
            rows[..., self.real] = (self._log_shares(scores).exp() * values).sum(dim=-1)
        if len(self.bits):
            rows[..., self.bits] = scores[..., self.bits].sigmoid()
        for places in self._groups():
            rows[..., places] = scores[..., places].softmax(dim=-1)
        return rows

    def _values(self, scores: Scores) -> Cells:
        """The repeated values beside the scores of each row, 0 where there is none."""
        return self.repeated.nan_to_num().to(scores).expand(*scores.shape[:-1], -1, -1)

    def draw(self, scores: Float[Tensor, "rows scores"], generator: torch.Generator) -> Tensor:
        """A row `[rows, width]` for each of the scores."""
        rows = self.mean(scores)
        if len(self.real):
            rows[:, self.real] = self._draw_real(scores, generator)
        if len(self.bits):
            chance = torch.rand(len(rows), len(self.bits), generator=generator).to(rows)
            rows[:, self.bits] = (chance < rows[:, self.bits]).to(rows)
        for places in self._groups():
            chosen = _chosen(rows[:, places], torch.rand(len(rows), 1, generator=generator).to(rows))
            rows[:, places] = functional.one_hot(chosen, len(places)).to(rows)
        return rows

    def _draw_real(
        self, scores: Float[Tensor, "rows scores"], generator: torch.Generator
    ) -> Float[Tensor, "rows real"]:
        noise = torch.randn(len(scores), len(self.real), generator=generator).to(scores)
        if not self.extra:
            return self._some(scores, self.real) + noise * self._log_spread()[:, 0].exp()
        chance = torch.rand(len(scores), len(self.real), 1, generator=generator).to(scores)
        chosen = _chosen(self._log_shares(scores).exp(), chance)[..., None]  # [rows, real, 1]
        values = torch.cat([self._centres(scores), self._values(scores)], dim=-1)
        spreads = functional.pad(self._log_spread().exp(), (0, self.repeated.shape[1]))
        spread = spreads.expand_as(values).gather(-1, chosen).squeeze(-1)
        return values.gather(-1, chosen).squeeze(-1) + noise * spread


def _chosen(shares: Float[Tensor, "*rows cells"], chance: Float[Tensor, "*rows 1"]) -> Tensor:
    """The cell of each row into which a number between 0 and 1 falls."""
    return (shares.cumsum(dim=-1) < chance).sum(dim=-1).clamp_max(shares.shape[-1] - 1)

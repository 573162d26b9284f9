"""Machines without connections among hidden units, which can be summed out, and drawn at once."""

import math
from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from handrail.layers.energy_model import AnnealingPath, EnergyModel

Slopes = dict[str, Tensor]


class RestrictedMachine(EnergyModel):
    """−F(v) = b·v + Σ f(x(v)) for binary visible units, −‖v − b‖²/2 + Σ f(x(v)) for Gaussian ones.

    x(v) are the inputs of the hidden units, linear in v, and f is what hidden units that are summed out add.
    Rows, and the states of hidden units, are flat.

    Arguments:
        hidden: kind of the hidden units.
        units: hidden ones.
        places: how many hidden units share the same weights.
        sparsity: the mean activation that hidden units are usually held to; None for none.
    """

    hidden: str
    units: int
    places: int = 1
    sparsity: float | None = None

    @property
    @abstractmethod
    def visible_biases(self) -> Float[Tensor, " visible"]:
        """b, one for each visible unit."""

    @abstractmethod
    def hidden_input(self, v: Float[Tensor, "rows visible"]) -> Float[Tensor, "rows units"]:
        """x(v)."""

    @abstractmethod
    def visible_input(
        self, h: Float[Tensor, "rows units"], bias: Float[Tensor, " visible"] | None = None
    ) -> Float[Tensor, "rows visible"]:
        """What visible units get from hidden ones, with their own biases or others."""

    @abstractmethod
    def hidden_free(self, given: Float[Tensor, "rows units"]) -> Float[Tensor, "rows terms"]:
        """f of the hidden units' inputs, in terms that add up."""

    @abstractmethod
    def hidden_mean(self, given: Float[Tensor, "rows units"]) -> Float[Tensor, "rows units"]:
        """The mean of each hidden unit by the inputs; of binary ones the probability of 1."""

    @abstractmethod
    def draw_hidden(
        self, given: Float[Tensor, "rows units"], generator: torch.Generator
    ) -> Float[Tensor, "rows units"]:
        """Hidden units by their inputs."""

    @abstractmethod
    def add_slopes(
        self,
        into: Slopes,
        v: Float[Tensor, "rows visible"],
        h: Float[Tensor, "rows units"],
        *,
        scale: float,
        weights: Float[Tensor, "rows 1"] | None = None,
    ) -> None:
        """Add scale·Σ −∂E(v, h)/∂θ over the rows, by their weights, to the place of each parameter.

        −E is the part of the density's exponent that v and h have in common, and b·v.
        """

    @abstractmethod
    def bias_sums(self, h: Float[Tensor, "rows units"]) -> Tensor:
        """The sum over the rows, and over the places that share a bias, for each hidden bias."""

    @abstractmethod
    def pseudo_likelihood(
        self, v: Float[Tensor, "rows visible"], units: Sequence[int]
    ) -> Float[Tensor, " rows"]:
        """Σᵢ log p(vᵢ | the others) over these binary visible units, scaled up to all."""

    @abstractmethod
    def hyvarinen(self, v: Float[Tensor, "rows visible"]) -> Float[Tensor, " rows"]:
        """Minus Hyvärinen's score, of Gaussian visible units."""

    def judge(
        self, v: Float[Tensor, "rows visible"], units: Sequence[int] | None = None
    ) -> Float[Tensor, " rows"]:
        if self.visible == "gaussian":
            return self.hyvarinen(v)
        return self.pseudo_likelihood(v, self.judged.tolist() if units is None else units)

    def visible_term(
        self, v: Float[Tensor, "rows visible"], bias: Float[Tensor, " visible"]
    ) -> Float[Tensor, " rows"]:
        """What the visible units add to the log-density by themselves."""
        return v @ bias if self.visible == "binary" else -(v - bias).square().sum(dim=1) / 2

    def free_energy(self, v: Float[Tensor, "rows visible"]) -> Float[Tensor, " rows"]:
        return -self.visible_term(v, self.visible_biases) - self.hidden_free(self.hidden_input(v)).sum(dim=1)

    def hidden_given(self, v: Float[Tensor, "rows visible"]) -> Float[Tensor, "rows units"]:
        """The mean of each hidden unit; of binary ones the probability of 1."""
        return self.hidden_mean(self.hidden_input(v))

    def visible_mean(self, given: Float[Tensor, "rows visible"]) -> Float[Tensor, "rows visible"]:
        """The mean of each visible unit by its input."""
        return torch.sigmoid(given) if self.visible == "binary" else given

    def visible_given(self, h: Float[Tensor, "rows units"]) -> Float[Tensor, "rows visible"]:
        """The mean of each visible unit; of binary ones the probability of 1."""
        return self.visible_mean(self.visible_input(h))

    def draw_visible(
        self, given: Float[Tensor, "rows visible"], generator: torch.Generator
    ) -> Float[Tensor, "rows visible"]:
        """Visible units by their inputs."""
        if self.visible == "binary":
            return (uniform_like(given, generator) < torch.sigmoid(given)).to(given.dtype)
        noise = torch.randn(given.shape, generator=generator, device=generator.device)
        return given + noise.to(given)

    def encode(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows code"]:
        """The mean of each hidden unit."""
        return self.hidden_given(x.flatten(1))

    def reconstruct(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows visible"]:
        """The mean of each visible unit, given the means of the hidden ones."""
        return self.visible_given(self.hidden_given(x.flatten(1)))

    @torch.no_grad()
    def generate(
        self, rows: int, *, steps: int, generator: torch.Generator, means: bool = False
    ) -> Float[Tensor, "rows visible"]:
        """Visible units at the ends of chains that begin without any hidden unit; or their `means` there."""
        given = self.visible_biases.expand(rows, -1)
        for _ in range(steps):
            h = self.draw_hidden(self.hidden_input(self.draw_visible(given, generator)), generator)
            given = self.visible_input(h)
        return self.visible_mean(given) if means else self.draw_visible(given, generator)

    def annealing_path(
        self, base: Float[Tensor, " visible"], *, chains: int, generator: torch.Generator
    ) -> AnnealingPath:
        return RestrictedPath(self, base.to(self.visible_biases), chains, generator)


class RestrictedPath(AnnealingPath):
    """log p_β(v) = (1 − β)·term(v, base) + β·term(v, b) + Σ f(β·x(v)), without its constant.

    Source: Salakhutdinov & Murray 2008
    """

    def __init__(
        self,
        model: RestrictedMachine,
        base: Float[Tensor, " visible"],
        chains: int,
        generator: torch.Generator,
    ) -> None:
        self.model, self.base, self.generator = model, base, generator
        self.v = model.draw_visible(base.expand(chains, -1), generator)
        self.inputs = model.hidden_input(self.v)

    @property
    def base_log_z(self) -> float:
        none = self.base.new_zeros(1, self.model.units, dtype=torch.float64)
        free = float(self.model.hidden_free(none).sum())
        if self.model.visible == "binary":
            return free + float(functional.softplus(self.base.double()).sum())
        return free + len(self.base) * math.log(2 * math.pi) / 2

    def gain(self, before: float, after: float) -> Float[Tensor, " chains"]:
        model, v, free = self.model, self.v, self.model.hidden_free
        gap = model.visible_term(v, model.visible_biases) - model.visible_term(v, self.base)
        rest = (free(after * self.inputs) - free(before * self.inputs)).sum(dim=1)
        return (after - before) * gap.double() + rest.double()

    def step(self, beta: float) -> None:
        model = self.model
        h = model.draw_hidden(beta * self.inputs, self.generator)
        bias = (1 - beta) * self.base + beta * model.visible_biases
        self.v = model.draw_visible(model.visible_input(beta * h, bias), self.generator)
        self.inputs = model.hidden_input(self.v)


def uniform_like(like: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform numbers from 0 to 1, one for each."""
    return torch.rand(like.shape, generator=generator, device=generator.device).to(like)

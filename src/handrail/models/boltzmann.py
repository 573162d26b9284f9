"""The Boltzmann machine: binary units, visible and hidden, each connected with all others."""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import component
from handrail.components.pictures import Picture, Tiles
from handrail.errors import RecipeError
from handrail.layers.energy_model import MOST_ENUMERATED, AnnealingPath, EnergyModel, binary_states
from handrail.layers.gibbs import gibbs_sweep
from handrail.layers.pairwise import refuse_large
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, InputShape, NoTarget, SeriesShape, VolumeShape, numbers_in

_SPREAD = 0.01  # of the first weights among visible units
# Of those of hidden units, times the root of the number of units. With small ones, learning rests for long
# where hidden units tell nothing: the pairs of visible units are learned first, and leave no slope.
_HIDDEN_SPREAD = 3.0
_COPIES = 5  # of the weights: the best, those before a block of steps, their last change, and its parts
_INSTEAD = "model=rbm, whose weights join visible and hidden units alone"
_AT_ONCE = 1 << 22  # states of hidden units, those of all rows together
_STATES = 1 << 13  # of a row
_FEW, _MEAN_FIELD_STEPS = 10, 30
_SHOWN, _LARGEST_MATRIX = 64, 256


@component("model", name="boltzmann")
class BoltzmannMachine(EnergyModel):
    """p(v) = Σ_h exp(−E(v, h)) / Z, with E(s) = −Σ_{i<j} w_ij·s_i·s_j − Σ_i b_i·s_i over all units, s = v, h.

    All units are 0 or 1, each pair is joined by a symmetric weight, and no unit by one to itself. Visible
    units alone match means and pairwise moments of the rows; hidden ones add what pairs cannot tell. Values
    between 0 and 1 are probabilities of visible units: without hidden units a row then gets the mean log p of
    rows drawn with them, with hidden units a lower bound of it.

    A row gets log p(v), by a sum over the states of the hidden units, and the figure that training is
    validated by, the pseudo-log-likelihood Σᵢ log p(vᵢ | the other visible units) over 64 units at most,
    scaled up to all. It is exact with up to 10 hidden units; with more, these count as independent given the
    row, with the means of the mean-field approximation.

    Arguments:
        inputs: images, series and volumes are flattened.
        hidden: hidden units.
        enumerated: most units whose states are summed over: the hidden ones for log p(v), all for an exact
            log Z, which else comes from annealed importance sampling. Each more doubles the work.

    Raises: `RecipeError` for more hidden units than are enumerated, and for weights that do not fit into
    memory.

    Source: Ackley, Hinton & Sejnowski 1985; Besag 1975 (pseudo-likelihood); Peterson & Anderson 1987
    (mean-field approximation)
    """

    alone: ClassVar[Alone] = Alone(
        "density", batch_size=50, patience=None, unit=True, real="model.rbm.visible=gaussian"
    )
    rules: ClassVar[tuple[str, ...]] = ("boltzmann_learning",)

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        hidden: Annotated[int, Field(ge=0, lt=2**31)] = 0,
        enumerated: Annotated[int, Field(ge=0, le=26)] = MOST_ENUMERATED,
    ) -> None:
        width = numbers_in(inputs)
        super().__init__(width)
        self.width, self.hidden, self.enumerated = width, hidden, enumerated
        units = width + hidden
        _refuse_hidden(hidden, enumerated)
        refuse_large("boltzmann", units, copies=_COPIES, instead=_INSTEAD)
        upper = torch.randn(units, units).triu_(1)
        upper[:width, :width] *= _SPREAD
        upper[:, width:] *= _HIDDEN_SPREAD / units**0.5
        weights = upper + upper.T
        bias = torch.zeros(units)
        bias[width:] = -weights[width:].sum(dim=1) / 2  # hidden units are on half of the time
        self.weights, self.bias = nn.Parameter(weights), nn.Parameter(bias)

    @property
    def visible_bias(self) -> Float[Tensor, " visible"]:
        """A view of the visible units' part."""
        return self.bias[: self.width]

    @torch.no_grad()
    def set_visible_bias(self, bias: Float[Tensor, " visible"]) -> None:
        self.visible_bias.copy_(bias)

    @property
    def tied_parameters(self) -> int:
        """The numbers of the weights that repeat others, and the diagonal."""
        units = len(self.bias)
        return units * (units + 1) // 2

    @property
    def uses(self) -> tuple[str, ...]:
        """What it can do: without hidden units there is no code."""
        return ("score", "generate", "encode") if self.hidden else ("score", "generate")

    def energy(self, states: Float[Tensor, "units chains"]) -> Float[Tensor, " chains"]:
        """E of states of all units."""
        return -(torch.mm(self.weights, states) * states).sum(dim=0) / 2 - self.bias @ states

    def free_energy(self, v: Float[Tensor, "rows visible"]) -> Float[Tensor, " rows"]:
        among = self.weights[: self.width, : self.width]
        own = (v @ among * v).sum(dim=1) / 2 + v @ self.visible_bias
        return -own - self._log_sum(v)

    def judge(
        self, v: Float[Tensor, "rows visible"], units: Sequence[int] | None = None
    ) -> Float[Tensor, " rows"]:
        chosen = self.judged if units is None else torch.tensor(units, device=v.device)
        odds, values = self._odds(v, chosen), v[:, chosen]
        total = (values * odds - functional.softplus(odds)).sum(dim=1)
        return total * (v.shape[1] / len(chosen))

    def sweep(
        self,
        states: Float[Tensor, "units chains"],
        generator: torch.Generator,
        *,
        hidden_only: bool = False,
        beta: float = 1.0,
    ) -> None:
        """One Gibbs step of every unit, in place, at the inverse temperature β; see `gibbs_sweep`.

        Arguments:
            hidden_only: visible units are clamped.
        """
        first = self.width if hidden_only else 0
        gibbs_sweep(states, self.weights, self.bias, generator=generator, first=first, beta=beta)

    def begin_states(self, rows: int, generator: torch.Generator) -> Float[Tensor, "units rows"]:
        """Units drawn at random, 0 and 1 with the same chance."""
        shape = (len(self.bias), rows)
        return torch.randint(0, 2, shape, generator=generator, device=generator.device).to(self.bias)

    def encode(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows hidden"]:
        """The mean of each hidden unit."""
        v = x.flatten(1)
        total = self._log_sum(v).unsqueeze(1)
        means = v.new_zeros(len(v), self.hidden)
        for h, terms in self._hidden_terms(v):
            means += (terms - total).exp() @ h
        return means

    @torch.no_grad()
    def generate(
        self, rows: int, *, steps: int, generator: torch.Generator, means: bool = False
    ) -> Float[Tensor, "rows visible"]:
        """Visible units at the ends of chains that begin at random; or their `means`, given all other units.

        The temperature falls, as 1/β with β rising evenly, over the first half of the steps, and is 1 from
        then on.

        Source: Kirkpatrick, Gelatt & Vecchi 1983 (annealing)
        """
        states = self.begin_states(rows, generator)
        for step in range(steps):
            self.sweep(states, generator, beta=min(1.0, 2 * (step + 1) / steps))
        if means:
            states = torch.sigmoid(torch.addmm(self.bias.unsqueeze(1), self.weights, states))
        return states[: self.width].T.contiguous()

    @torch.no_grad()
    def exact_log_z(self) -> float | None:
        """Where there are at most `enumerated` units in all."""
        weights, bias = self.weights.double(), self.bias.double()
        if len(bias) > self.enumerated:
            return None
        parts = [
            torch.logsumexp((s @ weights * s).sum(dim=1) / 2 + s @ bias, dim=0)
            for s in binary_states(len(bias), bias.device)
        ]
        return float(torch.logsumexp(torch.stack(parts), dim=0))

    def annealing_path(
        self, base: Float[Tensor, " visible"], *, chains: int, generator: torch.Generator
    ) -> "GeneralPath":
        return GeneralPath(self, base.to(self.bias), chains, generator)

    def pictures(self, shape: InputShape) -> Sequence[Picture]:
        """The weights of all pairs; of pictures those of each unit to the pixels, too."""
        weights = self.weights.detach().cpu().float()
        units = len(weights)
        shown: list[Picture] = []
        if 1 < units <= _LARGEST_MATRIX:
            order = f"the {self.width:,} visible ones first, then {self.hidden:,} hidden ones"
            note = (
                f"A row and a column for each of {units:,} units, {order if self.hidden else 'all visible'}."
            )
            shown.append(Tiles("Weights", weights.numpy()[None], note=note, columns=1, signed=True))
        if isinstance(shape, ImageShape):
            own = weights[self.width :] if self.hidden else weights
            strongest = own[:, : self.width].norm(dim=1).argsort(descending=True)[:_SHOWN].sort().values
            tiles = own[strongest, : self.width].reshape(len(strongest), *shape).mean(dim=1).numpy()
            kind = "hidden" if self.hidden else "visible"
            note = f"The weights of {len(strongest)} of {len(own):,} {kind} units, one picture each."
            shown.append(Tiles("Weights to the pixels", tiles, note=note, signed=True))
        return shown

    def _hidden_terms(self, v: Float[Tensor, "rows visible"]) -> Iterator[tuple[Tensor, Tensor]]:
        """Some states of the hidden units at a time, and what they add to −E of each row."""
        between, among = self.weights[: self.width, self.width :], self.weights[self.width :, self.width :]
        inputs = torch.addmm(self.bias[self.width :], v, between)
        at_once = min(_STATES, max(1, _AT_ONCE // max(1, len(v))))
        for h in binary_states(self.hidden, v.device, at_once=at_once, dtype=v.dtype):
            yield h, inputs @ h.T + (h @ among * h).sum(dim=1) / 2

    def _log_sum(self, v: Float[Tensor, "rows visible"]) -> Float[Tensor, " rows"]:
        """log Σ_h of what the hidden units add."""
        parts = [torch.logsumexp(terms, dim=1) for _, terms in self._hidden_terms(v)]
        return torch.logsumexp(torch.stack(parts), dim=0)

    def _odds(self, v: Float[Tensor, "rows visible"], units: Tensor) -> Float[Tensor, "rows judged"]:
        """log p(vᵢ = 1 | the others) − log p(vᵢ = 0 | the others), the hidden units summed out.

        With the posterior of the hidden units given the row, this is the visible input plus the difference
        of log ⟨exp(t·Σ_k w_ik·h_k)⟩ at t = 1 − vᵢ and t = −vᵢ.
        """
        odds = torch.addmm(self.bias[units], v, self.weights[: self.width, units])
        if self.hidden == 0:
            return odds
        gain = self._exact_gain if self.hidden <= _FEW else self._mean_field_gain
        return odds + gain(v, units)

    def _exact_gain(self, v: Float[Tensor, "rows visible"], units: Tensor) -> Float[Tensor, "rows judged"]:
        states, all_terms = zip(*self._hidden_terms(v), strict=True)
        h, terms = torch.cat(states), torch.cat(all_terms, dim=1)
        gains = []
        for unit in units.tolist():
            value, field = v[:, unit : unit + 1], h @ self.weights[self.width :, unit]
            above, below = terms + (1 - value) * field, terms - value * field
            gains.append(torch.logsumexp(above, dim=1) - torch.logsumexp(below, dim=1))
        return torch.stack(gains, dim=1)

    def _mean_field_gain(
        self, v: Float[Tensor, "rows visible"], units: Tensor
    ) -> Float[Tensor, "rows judged"]:
        logits = self._mean_field(v)
        gains = []
        for unit in units.tolist():
            value, field = v[:, unit : unit + 1], self.weights[self.width :, unit]
            above, below = logits + (1 - value) * field, logits - value * field
            gains.append((functional.softplus(above) - functional.softplus(below)).sum(dim=1))
        return torch.stack(gains, dim=1)

    def _mean_field(self, v: Float[Tensor, "rows visible"]) -> Float[Tensor, "rows hidden"]:
        """The inputs of the hidden units at q_k = σ(c_k + Σ_i v_i·w_ik + Σ_l q_l·w_lk), damped by a half."""
        between, among = self.weights[: self.width, self.width :], self.weights[self.width :, self.width :]
        inputs = torch.addmm(self.bias[self.width :], v, between)
        q = torch.sigmoid(inputs)
        for _ in range(_MEAN_FIELD_STEPS):
            q = (q + torch.sigmoid(inputs + q @ among)) / 2
        return inputs + q @ among


class GeneralPath(AnnealingPath):
    """log p_β(s) = (1 − β)·base·v − β·E(s), without its constant, on the states of all units.

    Source: Neal 2001
    """

    def __init__(
        self,
        model: BoltzmannMachine,
        base: Float[Tensor, " visible"],
        chains: int,
        generator: torch.Generator,
    ) -> None:
        self.model, self.generator = model, generator
        self.base = torch.cat([base, base.new_zeros(model.hidden)])
        chance = torch.rand(len(self.base), chains, generator=generator, device=generator.device).to(base)
        self.states = (chance < torch.sigmoid(self.base).unsqueeze(1)).to(base.dtype)

    @property
    def base_log_z(self) -> float:
        return float(functional.softplus(self.base.double()).sum())

    def gain(self, before: float, after: float) -> Float[Tensor, " chains"]:
        gap = -self.model.energy(self.states) - self.base @ self.states
        return (after - before) * gap.double()

    def step(self, beta: float) -> None:
        model = self.model
        bias = model.bias + (1 - beta) / beta * self.base
        gibbs_sweep(self.states, model.weights, bias, generator=self.generator, beta=beta)


def _refuse_hidden(hidden: int, enumerated: int) -> None:
    if hidden > enumerated:
        raise RecipeError(
            f"model.boltzmann.hidden: found {hidden:,} hidden units, whose 2^{hidden} states are summed over "
            f"for log p of each row; expected at most {enumerated} (model.boltzmann.enumerated, up to 26). "
            "model=rbm takes any number of hidden units, which are not connected with each other."
        )

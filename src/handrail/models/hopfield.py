"""The Hopfield network: patterns of two-valued units as the valleys of an energy."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, Fraction
from handrail.components.pictures import Lines, Picture
from handrail.layers.capacity import recall_over_load
from handrail.layers.memory import Memory, States
from handrail.layers.pairwise import refuse_large
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, InputShape, NoTarget, SeriesShape, VolumeShape

_SEED, _ROUNDING = 1982, 1e-5
_COPIES = 3  # of the weights: the best, and those before a block of steps
_INSTEAD = "model=modern_hopfield, which keeps the patterns alone"
_MOST_UNITS = 150  # in the measurement of the capacity


@component("model", name="hopfield")
class Hopfield(Memory):
    """N units of −1 or +1 with symmetric weights W and thresholds θ: x_i ← sign(Σ_j W_ij x_j + θ_i).

    No asynchronous update raises the energy E = −½ xᵀWx − θᵀx, so that every cue ends in a valley. A unit
    whose field is 0 stays as it is. With patterns drawn at random, `hebb` holds about 0.138 N of them.

    Arguments:
        inputs: columns of 0 and 1, or numbers between them, as of pictures, that count as 1 above one half.
        updates: `asynchronous`, one unit after the other in a random order, or `synchronous`, all at once,
            which may end in a cycle of two states.
        steps: passes over the units at most, when the memory is judged.
        bias: whether the units have thresholds, learned as the weights from a unit that is always on; they
            help where most units of the patterns are alike.
        damage: the share of units that are flipped in a cue, when the memory is judged.

    Raises: `RecipeError` for weights that do not fit into memory.

    Source: Hopfield 1982; capacity: Amit, Gutfreund & Sompolinsky 1985
    """

    alone: ClassVar[Alone] = Alone(
        "memory", epochs=1, batch_size=8192, patience=None, unit=True, real="model=modern_hopfield"
    )
    rules: ClassVar[tuple[str, ...]] = ("hebb", "storkey")
    binary: ClassVar[bool] = True
    thresholds: nn.Parameter | None

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        updates: Literal["asynchronous", "synchronous"] = "asynchronous",
        steps: Count = 100,
        bias: bool = False,
        damage: Fraction = 0.1,
    ) -> None:
        super().__init__(inputs, damage=damage, tolerance=0.5)
        self.updates, self.steps = updates, steps
        refuse_large("hopfield", self.units, copies=_COPIES, instead=_INSTEAD)
        self.weights = nn.Parameter(torch.zeros(self.units, self.units), requires_grad=False)
        thresholds = nn.Parameter(torch.zeros(self.units), requires_grad=False) if bias else None
        self.register_parameter("thresholds", thresholds)

    def states(self, x: Float[Tensor, "rows ..."]) -> States:
        """+1 above one half, −1 below."""
        return torch.where(x.flatten(1) > 0.5, 1.0, -1.0)

    def rows(self, states: States) -> Float[Tensor, "rows units"]:
        """0 and 1."""
        return (states + 1) / 2

    def fields(self, states: States) -> Float[Tensor, "rows units"]:
        """Σ_j W_ij x_j + θ_i."""
        fields = states @ self.weights
        return fields if self.thresholds is None else fields + self.thresholds

    def state_energy(self, states: States) -> Float[Tensor, " rows"]:
        energy = -(states @ self.weights * states).sum(dim=1) / 2
        return energy if self.thresholds is None else energy - states @ self.thresholds

    def moved(self, states: States) -> Float[Tensor, " rows"]:
        """Those that do not agree with their field."""
        return (self.fields(states) * states < -self._least).float().mean(dim=1)

    @torch.no_grad()
    def store(self, states: States) -> None:
        """Hebb's rule: W += 1/N · Σ ξξᵀ, its diagonal 0, and θ += 1/N · Σ ξ."""
        super().store(states)
        self.weights.addmm_(states.T, states, alpha=1 / self.units)
        self.weights.fill_diagonal_(0)
        if self.thresholds is not None:
            self.thresholds.add_(states.sum(dim=0), alpha=1 / self.units)

    def course(self, states: States, steps: int) -> Iterator[States]:
        generator = torch.Generator().manual_seed(_SEED)
        yield states
        for _ in range(steps):
            before, states = states, self.update(states, generator)
            yield states
            if torch.equal(before, states):
                break

    @torch.no_grad()
    def update(self, states: States, generator: torch.Generator) -> States:
        """Every unit once.

        Arguments:
            generator: of the CPU, for the order of the units, which is one for all rows.
        """
        fields, least = self.fields(states), self._least
        if self.updates == "synchronous":
            return _signs(fields, states, least)
        states = states.clone()
        for unit in torch.randperm(self.units, generator=generator).tolist():
            after = _signs(fields[:, unit], states[:, unit], least)
            rows = (after != states[:, unit]).nonzero().squeeze(1)
            if len(rows):  # the other rows' fields stay as they are
                states[rows, unit] = after[rows]
                fields[rows] += 2 * after[rows, None] * self.weights[unit]
        return states

    @property
    def _least(self) -> Tensor:
        """Fields that are smaller count as 0: rounding alone is no field."""
        return _ROUNDING * self.weights.abs().max()

    def pictures(self, shape: InputShape) -> list[Picture]:
        """How many random patterns of as many units would be recalled."""
        units = min(self.units, _MOST_UNITS)
        arguments: Any = {"updates": self.updates, "damage": self.damage, "bias": self.thresholds is not None}
        loads = np.linspace(0.03, 0.24, 8)
        exact, nearly = recall_over_load(
            lambda: Hopfield(units, NoTarget("memory"), **arguments), loads.tolist(), wrong=(0.0, 0.05)
        )
        curves = {"every unit right": exact, "95 % of the units right": nearly}
        note = (
            f"Random patterns of {units:,} units stored by Hebb's rule, recalled from cues with "
            f"{self.damage:.0%} of their units flipped; this memory holds {len(self.patterns):,} patterns, a "
            f"load of {len(self.patterns) / self.units:.3f}. Beyond 0.138 recall breaks down."
        )
        axes = ("patterns a unit", "share of cues recalled")
        return [Lines("Recall over the load", loads, curves, note, axes)]


def _signs(fields: Tensor, before: Tensor, least: Tensor) -> Tensor:
    return torch.where(fields > least, 1.0, torch.where(fields < -least, -1.0, before))

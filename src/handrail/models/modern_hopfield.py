"""The modern Hopfield network: real-valued patterns, recalled as attention attends."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor

from handrail.components import component
from handrail.components.arguments import Count, Fraction, Positive
from handrail.components.pictures import Lines, Picture
from handrail.layers.capacity import recall_over_load
from handrail.layers.memory import Memory, States
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, InputShape, NoTarget, SeriesShape, VolumeShape

_STILL = 1e-5


@component("model", name="modern_hopfield")
class ModernHopfield(Memory):
    """ξ ← Xᵀ·softmax(β·X·ξ) with the stored patterns as the rows of X: attention with keys and values X.

    Its energy is E = −β⁻¹ ln Σ exp(β·Xξ) + ½ ξᵀξ + β⁻¹ ln M + ½ R², of M patterns no longer than R. It holds
    a number of random patterns that grows exponentially with their units, and one update mostly does. Where
    patterns differ in length, as rows of a table do, the long ones draw the others to themselves: `distance`
    takes ½‖x‖² from each product, which leaves −½‖x − ξ‖² and is the same where all are of one length.

    Arguments:
        inputs: real values; images, series and volumes are flattened.
        similarity: of state and pattern: their `product`, as in the paper, or their `distance`.
        beta: β; the larger, the more the nearest pattern counts, and the fewer are mixed.
        steps: updates at most, when the memory is judged.
        damage: the share of units that are mirrored about their mean in a cue, when the memory is judged.
        tolerance: how near a recalled unit has to be to the stored one, in encoded units.

    Source: Ramsauer et al. 2020; similarities: Millidge et al. 2022
    """

    alone: ClassVar[Alone] = Alone("memory", epochs=1, batch_size=8192, patience=None)
    rules: ClassVar[tuple[str, ...]] = ("store",)

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        similarity: Literal["product", "distance"] = "product",
        beta: Positive = 1.0,
        steps: Count = 100,
        damage: Fraction = 0.1,
        tolerance: Positive = 0.1,
    ) -> None:
        super().__init__(inputs, damage=damage, tolerance=tolerance)
        self.similarity, self.beta, self.steps = similarity, beta, steps

    def update(self, states: States) -> States:
        """Xᵀ·softmax(β·X·ξ)."""
        return self.logits(states).softmax(dim=1) @ self.patterns

    def logits(self, states: States) -> Float[Tensor, "rows stored"]:
        """β times the similarity of each state to each pattern."""
        logits = self.beta * states @ self.patterns.T
        if self.similarity == "product":
            return logits
        return logits - self.beta / 2 * self.patterns.square().sum(dim=1)

    def state_energy(self, states: States) -> Float[Tensor, " rows"]:
        lengths = states.square().sum(dim=1) / 2
        if not len(self.patterns):
            return lengths
        mixed, count = self.logits(states).logsumexp(dim=1), math.log(len(self.patterns))
        longest = self.patterns.square().sum(dim=1).max() / 2 if self.similarity == "product" else 0
        return lengths + longest + (count - mixed) / self.beta

    def moved(self, states: States) -> Float[Tensor, " rows"]:
        """Changes within the tolerance count as none."""
        return (~self.right(self.update(states), states)).float().mean(dim=1)

    def course(self, states: States, steps: int) -> Iterator[States]:
        yield states
        for _ in range(steps):
            before, states = states, self.update(states)
            yield states
            if float((states - before).abs().max()) <= _STILL:
                break

    def pictures(self, shape: InputShape) -> list[Picture]:
        """How many random patterns of few units would be recalled."""
        doublings = np.arange(1, 13, dtype=np.float64)
        arguments: Any = {"similarity": self.similarity, "beta": self.beta, "damage": self.damage}

        def shares(units: int) -> Float[np.ndarray, " loads"]:
            loads = (2**doublings / units).tolist()
            make = partial(ModernHopfield, units, NoTarget("memory"), **arguments)
            return recall_over_load(make, loads)[0]

        note = (
            f"Random patterns of −1 and +1, recalled whole from cues with {self.damage:.0%} of their units "
            "flipped: a few units more, and twice as many are held. "
            f"This memory holds {len(self.patterns):,} patterns of {self.units:,} units."
        )
        curves = {f"{units} units": shares(units) for units in (8, 12, 16, 20)}
        axes = ("stored patterns, as a power of 2", "share of cues recalled")
        return [Lines("Recall over the number of patterns", doublings, curves, note, axes)]

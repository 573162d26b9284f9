"""What every memory offers to its rule and its task: the patterns it was given, recall, and an energy."""

from abc import abstractmethod
from collections import deque
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from handrail.shapes import InputShape, numbers_in

_AT_ONCE = 1024  # cues

States = Float[Tensor, "rows units"]


class Memory(nn.Module):
    """Patterns that were stored, and a dynamics on states that is to lead back to them.

    The patterns are kept beside what was learned of them: cues are damaged from them when the memory is
    judged. Outputs are the energy of each row, and the share of its units that one update changes; at 0 it
    is taken for stored.

    Arguments:
        inputs: the shape of a pattern, which is flattened.
        damage: the share of units that are wrong in a cue, when the memory is judged.
        tolerance: how near a recalled unit has to be to the stored one.
    """

    binary: ClassVar[bool] = False
    "Whether its units have two states."
    patterns: Tensor

    def __init__(self, inputs: InputShape, *, damage: float, tolerance: float) -> None:
        super().__init__()
        self.units = numbers_in(inputs)
        self.damage, self.tolerance = damage, tolerance
        dtype = torch.int8 if self.binary else torch.float32
        self.register_buffer("patterns", torch.zeros(0, self.units, dtype=dtype))
        self.register_load_state_dict_pre_hook(_make_room)

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows 2"]:
        states = self.states(x)
        return torch.stack([self.state_energy(states), self.moved(states)], dim=1)

    def states(self, x: Float[Tensor, "rows ..."]) -> States:
        """Rows as states of the units."""
        return x.flatten(1)

    def rows(self, states: States) -> Float[Tensor, "rows units"]:
        """States as rows again, flat."""
        return states

    @abstractmethod
    def state_energy(self, states: States) -> Float[Tensor, " rows"]:
        """The energy of each state, which no update raises."""

    @abstractmethod
    def moved(self, states: States) -> Float[Tensor, " rows"]:
        """The share of units of each state that one update changes; 0 where it stays."""

    @abstractmethod
    def course(self, states: States, steps: int) -> Iterator[States]:
        """The states, and those after each of at most so many updates, fewer where nothing moves any more."""

    @torch.no_grad()
    def recall(self, cue: Float[Tensor, "rows ..."], steps: int = 100) -> Float[Tensor, "rows units"]:
        """What each row, a cue, calls up, as a row.

        Arguments:
            steps: updates at most.
        """
        return self.rows(self.recall_states(self.states(cue), steps))

    @torch.no_grad()
    def recall_states(self, states: States, steps: int = 100) -> States:
        """As `recall`, of states."""
        parts = states.split(_AT_ONCE)
        return torch.cat([deque(self.course(part, steps), maxlen=1).pop() for part in parts])

    def right(self, recalled: States, stored: States) -> Bool[Tensor, "rows units"]:
        """The units that came back as they were stored."""
        return (recalled - stored).abs() <= self.tolerance

    def forget(self) -> None:
        """Begin with nothing stored."""
        self.patterns = self.patterns[:0]

    @torch.no_grad()
    def store(self, states: States) -> None:
        """Keep further patterns, and learn them in the simplest way that there is."""
        self.keep(states)

    def keep(self, states: States) -> None:
        """Add patterns, without learning anything of them."""
        self.patterns = torch.cat([self.patterns, states.to(self.patterns.dtype)])


def _make_room(memory: Any, state: Any, prefix: str, *_: Any) -> None:
    """For as many patterns as were saved."""
    saved = state.get(f"{prefix}patterns")
    if saved is not None and saved.ndim == 2 and saved.shape[1] == memory.units:
        memory.patterns = memory.patterns.new_zeros(saved.shape)


def damaged(
    states: States, share: float, generator: torch.Generator, *, middle: Float[Tensor, " units"] | float = 0.0
) -> States:
    """States of which that share of units, at least one in each, is mirrored; −1 becomes +1 about 0.

    Units that lie in the middle, which mirroring would not change, come last.

    Arguments:
        generator: of the CPU, as the states are.
        middle: of each unit.
    """
    number = max(1, round(share * states.shape[1]))
    chance = torch.rand(states.shape, generator=generator).masked_fill(states == middle, -1.0)
    wrong = torch.zeros(states.shape, dtype=torch.bool)
    wrong.scatter_(1, chance.topk(number, dim=1).indices, True)
    return torch.where(wrong, 2 * middle - states, states)

"""Memory: stored patterns are called up by cues that are damaged."""

import zlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from handrail.components.pictures import Picture
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.memory import MemoryOutcome
from handrail.layers.distances import squared_distances
from handrail.layers.memory import Memory, damaged
from handrail.network import model_in
from handrail.shapes import NoTarget
from handrail.tasks.alone.memory_pictures import memory_pictures
from handrail.tasks.alone.points import points_before, points_of
from handrail.tasks.scoring import all_scores
from handrail.tasks.task import Answered, Baselines, Choice, Task

_AT_ONCE = 1 << 24  # distances


@dataclass(frozen=True)
class Cues:
    """Damaged patterns: their states, the states they are of, and the places of these among the patterns."""

    states: Float[Tensor, "rows units"]
    stored: Float[Tensor, "rows units"]
    places: Int64[Tensor, " rows"]


def draw_cues(
    patterns: Float[Tensor, "stored units"], rows: int, *, damage: float, seed: int, binary: bool = True
) -> Cues:
    """As many cues as rows, each of a pattern drawn at random, no pattern twice before all were drawn.

    Of each cue that share of units, at least one, is mirrored; see `damaged`.

    Arguments:
        patterns: in an order that does not depend on when they were stored.
        binary: whether they are of −1 and +1; else units are mirrored about their mean.
    """
    generator = torch.Generator().manual_seed(seed)
    turns = [torch.randperm(len(patterns), generator=generator) for _ in range(-(-rows // len(patterns)))]
    places = torch.cat(turns)[:rows]
    stored, middle = patterns[places], 0.0 if binary else patterns.mean(dim=0)
    return Cues(damaged(stored, damage, generator, middle=middle), stored, places)


class MemoryTask(Task):
    """Cues that are damaged from the stored patterns to the patterns.

    What was never stored cannot be recalled: a part is judged by as many cues as it has rows, drawn from the
    stored training rows under a seed of its own, and its own rows show how often something new is taken for
    stored. Rows of the part that repeat a stored pattern are no new ones.

    Baselines: the cue itself, and the stored pattern that is nearest to it.
    """

    uses: ClassVar[tuple[str, ...]] = ("recall",)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.damage, self.tolerance, self.binary = 0.1, 0.1, False

    @property
    def outputs(self) -> NoTarget:
        return NoTarget("memory")

    def targets(self, part: Part) -> Tensor:
        return part.target

    def forward(self, scores: Float[Tensor, "rows 2"]) -> Float[Tensor, "rows 2"]:
        return scores

    def settle(self, network: nn.Module, rows: Rows, part: Part, settings: Any) -> None:
        """Note how the memory is to be judged, for the baselines."""
        memory = _memory(network)
        self.damage, self.tolerance, self.binary = memory.damage, memory.tolerance, memory.binary

    def take_decisions(self, other: Task) -> None:
        super().take_decisions(other)
        self.restore(other.facts())

    @torch.inference_mode()
    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> Outcome:
        memory = _memory(network)
        device = memory.patterns.device
        patterns, cues = self._cues(memory.patterns.float().cpu(), part)
        recalled = memory.recall_states(cues.states.to(device), memory.steps).cpu()
        states = memory.states(points_of(network, rows).to(device))
        return self._outcome(
            recalled, cues, patterns, states.cpu(), memory.moved(states).double().cpu().numpy()
        )

    def _cues(self, patterns: Tensor, part: Part) -> tuple[Tensor, Cues]:
        """The patterns, each once and in order, and the cues of a part."""
        patterns = patterns.unique(dim=0)
        seed = zlib.crc32(part.name.encode())
        return patterns, draw_cues(patterns, len(part), damage=self.damage, seed=seed, binary=self.binary)

    def _outcome(
        self, recalled: Tensor, cues: Cues, patterns: Tensor, states: Tensor, moved: np.ndarray
    ) -> MemoryOutcome:
        right = ((recalled - cues.stored).abs() <= self.tolerance).double().mean(dim=1)
        stored = (states - patterns[_nearest(states, patterns)]).abs().amax(dim=1) <= 1e-6
        return MemoryOutcome(cues.places.numpy(), right.numpy(), moved, ~stored.numpy())

    def baselines(
        self, train: Part, part: Part, encoder: RowEncoder, choice: Choice | None = None
    ) -> Baselines:
        """The cue itself, and the nearest stored pattern; neither takes a new row for a stored one."""
        known, states = (self._states(points_before(encoder, rows)) for rows in (train, part))
        patterns, cues = self._cues(known, part)
        answers = {
            "cue itself": cues.states,
            "nearest pattern": patterns[_nearest(cues.states, patterns)],
        }
        moved = np.ones(len(part))
        outcomes: dict[str, Outcome] = {
            name: self._outcome(recalled, cues, patterns, states, moved) for name, recalled in answers.items()
        }
        return Baselines(outcomes)

    def _states(self, points: Tensor) -> Tensor:
        return torch.where(points > 0.5, 1.0, -1.0) if self.binary else points

    def pictures(self, answered: Answered) -> list[Picture]:
        """Recall beside the cue, the energy over the updates, and recall over the load."""
        memory = _memory(answered.network)
        _, cues = self._cues(memory.patterns.float().cpu(), answered.part)
        return memory_pictures(memory, self.shape, cues.states, cues.stored)

    def facts(self) -> dict[str, Any]:
        return {"damage": self.damage, "tolerance": self.tolerance, "binary": self.binary}

    def restore(self, facts: dict[str, Any]) -> None:
        self.damage, self.tolerance = facts["damage"], facts["tolerance"]
        self.binary = facts["binary"]

    def columns(self, network: nn.Module, rows: Rows) -> dict[str, np.ndarray]:
        """Of new rows the energy, and whether the memory takes them for stored."""
        figures = all_scores(network, rows).cpu().numpy()
        return {"energy": figures[:, 0], "taken_for_stored": figures[:, 1] == 0}


def _memory(network: nn.Module) -> Any:
    memory = model_in(network)
    assert isinstance(memory, Memory)
    return memory.eval()


def _nearest(states: Tensor, patterns: Tensor) -> Int64[Tensor, " rows"]:
    """The place of the pattern nearest to each state."""
    step = max(1, _AT_ONCE // len(patterns))
    return torch.cat([squared_distances(part, patterns).argmin(dim=1) for part in states.split(step)])

"""How many random patterns a memory holds: the share of damaged cues that are recalled, over the load."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float

from handrail.layers.memory import Memory, damaged

_MEMORIES, _CUES = 5, 20


def recall_over_load(
    make: Callable[[], Memory],
    loads: Sequence[float],
    *,
    memories: int = _MEMORIES,
    wrong: Sequence[float] = (0.0,),
    seed: int = 0,
) -> Float[np.ndarray, "wrong loads"]:
    """The share of cues from which a pattern comes back, for random patterns of −1 and +1.

    Arguments:
        make: an empty memory.
        loads: stored patterns, as multiples of the number of units.
        memories: how many of each load are filled and asked for 20 patterns.
        wrong: shares of units that a recall may get wrong; at the limit of the Hebbian memory it is 1.6 %.
    """
    generator = torch.Generator().manual_seed(seed)
    errors = [np.concatenate([_errors(make(), load, generator) for _ in range(memories)]) for load in loads]
    return np.array([[(each <= most).mean() for each in errors] for most in wrong])


def _errors(memory: Memory, load: float, generator: torch.Generator) -> Float[np.ndarray, " cues"]:
    """The share of wrong units in each recall of a memory that is filled for the purpose."""
    units, stored = memory.units, max(1, round(load * memory.units))
    patterns = torch.randint(0, 2, (stored, units), generator=generator).float() * 2 - 1
    memory.store(patterns)
    chosen = patterns[torch.randperm(stored, generator=generator)[:_CUES]]
    cues = damaged(chosen, memory.damage, generator)
    return (1 - memory.right(memory.recall_states(cues), chosen).double().mean(dim=1)).numpy()

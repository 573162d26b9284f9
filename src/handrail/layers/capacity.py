"""How many random patterns a memory holds: the share of damaged cues that are recalled, over the load."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float

from handrail.layers.memory import Memory

_CUES = 50


def recall_over_load(
    make: Callable[[], Memory], loads: Sequence[float], *, cues: int = _CUES, wrong: float = 0.0, seed: int = 0
) -> Float[np.ndarray, " loads"]:
    """The share of cues from which a pattern comes back, for random patterns of −1 and +1.

    Arguments:
        make: an empty memory.
        loads: stored patterns, as multiples of the number of units.
        wrong: the share of units that a recall may get wrong; at the limit of the Hebbian memory it is 1.6 %.
    """
    generator, shares = torch.Generator().manual_seed(seed), []
    for load in loads:
        memory = make()
        stored = max(1, round(load * memory.units))
        patterns = torch.randint(0, 2, (stored, memory.units), generator=generator).float() * 2 - 1
        memory.store(patterns)
        chosen = patterns[torch.randperm(stored, generator=generator)[:cues]]
        flipped = torch.rand(chosen.shape, generator=generator).topk(
            max(1, round(memory.damage * memory.units)), dim=1
        )
        recalled = memory.recall_states(chosen * torch.ones_like(chosen).scatter_(1, flipped.indices, -1.0))
        errors = 1 - memory.right(recalled, chosen).double().mean(dim=1)
        shares.append(float((errors <= wrong).double().mean()))
    return np.array(shares)

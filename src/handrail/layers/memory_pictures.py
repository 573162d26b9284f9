"""Where heads stood in a memory, step by step."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handrail.components.pictures import Picture, Tiles


class Trace:
    """The weights of the heads that read and of those that write over the steps of a first row."""

    def __init__(self) -> None:
        self.reads: list[Tensor] = []
        self.writes: list[Tensor] = []

    def add(
        self, reads: Float[Tensor, "rows heads locations"], writes: Float[Tensor, "rows writing locations"]
    ) -> None:
        """Note a step."""
        self.reads.append(reads[0])
        self.writes.append(writes[0])


def draw_traces(trace: Trace) -> Sequence[Picture]:
    """A picture a head, locations down and steps across."""
    if not trace.reads:
        return []
    pictures, captions = [], []
    for name, steps in (("write", trace.writes), ("read", trace.reads)):
        for number, weights in enumerate(torch.stack(steps, dim=2).cpu().numpy(), start=1):
            pictures.append(weights)
            captions.append(f"{name} head {number}")
    note = (
        f"Weights of the heads while the first row is read: {len(trace.reads)} steps across, locations down."
    )
    return [Tiles("The memory, step by step", np.stack(pictures), note, 2, tuple(captions))]

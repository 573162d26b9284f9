"""Recall beside the cue, and the energy on the way there."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handrail.components.pictures import Lines, Picture, Tiles
from handrail.layers.memory import Memory
from handrail.shapes import ImageShape, InputShape
from handrail.tasks.alone.points import as_pictures

_SHOWN, _FOLLOWED, _LONGEST = 4, 100, 20


def memory_pictures(
    memory: Memory,
    shape: InputShape,
    cues: Float[Tensor, "rows units"],
    stored: Float[Tensor, "rows units"],
) -> list[Picture]:
    """What a part's cues call up, as states.

    Arguments:
        stored: the pattern of each cue.
    """
    shown = memory.recall_states(cues[:_SHOWN].to(memory.patterns.device))
    columns = torch.stack([cues[:_SHOWN], shown.cpu(), stored[:_SHOWN]], dim=1)  # [rows, 3, units]
    tiles = Tiles(
        "Recall beside the cue",
        as_pictures(columns.flatten(0, 1), shape),
        note="Stored patterns whose cues were damaged, what they call up, and what was stored."
        + ("" if isinstance(shape, ImageShape) else " Each square is a unit, in the order of the columns."),
        columns=3,
        headings=("cue", "recall", "stored"),
    )
    return [tiles, _energy(memory, cues[:_FOLLOWED].to(memory.patterns.device))]


def _energy(memory: Memory, states: Float[Tensor, "rows units"]) -> Lines:
    """The mean energy of the cues, and that of the highest and the lowest, over the passes."""
    course = torch.stack([memory.state_energy(each) for each in memory.course(states, _LONGEST)])
    values = course.cpu().double().numpy()
    curves = {"highest": values.max(axis=1), "mean": values.mean(axis=1), "lowest": values.min(axis=1)}
    note = f"Of {values.shape[1]:,} cues, from the cue itself until nothing moves any more."
    axes = ("passes over the units", "energy")
    passes = np.arange(len(values), dtype=np.float64)
    return Lines("Energy over the updates", passes, curves, note, axes)

"""The decision line: where the answer of a network of two inputs changes, in the plane of its inputs."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handrail.components.pictures import Picture, Points
from handrail.evaluation.outcomes.table import TableOutcome
from handrail.tasks.scoring import all_scores
from handrail.tasks.task import Answered

_PLACES = 120  # a side, at which the network is asked
_MARGIN = 0.15  # around the rows, of what they span
_AXES = ("first input, as encoded", "second input, as encoded")

Leads = Callable[[Float[Tensor, "rows outputs"]], Float[Tensor, "rows lines"]]


def decision_lines(answered: Answered, leads: Leads) -> list[Picture]:
    """The rows by their class, and the lines between answers; nothing where rows are not two numbers.

    Arguments:
        leads: of scores, one column a line: above 0 on one side of it, below 0 on the other.
    """
    rows, outcome = answered.rows, answered.outcome
    if not isinstance(rows, Tensor) or not isinstance(outcome, TableOutcome):
        return []
    if not rows.is_floating_point() or rows.shape[1:] != (2,) or not len(rows):
        return []
    places = rows.cpu().double().numpy()
    corners = _corners(places)
    across, up = np.linspace(corners[0], corners[1], _PLACES).T
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    fields = leads(all_scores(answered.network, torch.from_numpy(grid).to(rows.dtype)))
    shown = Points(
        "Decision line",
        places,
        outcome.truth,
        outcome.classes,
        "The rows by their true class. Along the line the answer changes.",
        None,
        _AXES,
        fields.T.reshape(-1, _PLACES, _PLACES).float().cpu().numpy(),
        corners,
    )
    return [shown]


def _corners(places: Float[np.ndarray, "rows 2"]) -> Float[np.ndarray, "2 2"]:
    """The lower left and the upper right corner of what is shown."""
    low, high = places.min(axis=0), places.max(axis=0)
    room = _MARGIN * np.where(high > low, high - low, 1.0)
    return np.stack([low - room, high + room])

"""One training among several, and how it ended."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from handrail.training.callbacks import Callback
from handrail.training.standing import Progress
from handrail.training.terms import Lesson

Listeners = Callable[[str], tuple[Callback, ...]]


@dataclass(frozen=True)
class Pupil:
    """One training among several.

    name: of its folder, and for its listeners. lesson: a settled recipe, whose seed is this training's own, and rows.
    network: at its beginning, on the device of the rows; it is trained in place. epochs: the one to stop after, where that is not
    the recipe's; schedules are still those of the recipe's epochs.
    """

    name: str
    lesson: Lesson
    network: nn.Module
    epochs: int | None = None


@dataclass(frozen=True)
class Trained:
    """How a training ended. failure: why it was broken off, empty where it was not; the weights are then the last good ones."""

    progress: Progress
    failure: str = ""

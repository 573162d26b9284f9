"""Several networks trained on the same task: replicas of one recipe, trials of a search."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import nn

from handrail.errors import TrainingError
from handrail.training.callbacks import Callback
from handrail.training.session import Lesson, train
from handrail.training.signals import StopWish
from handrail.training.standing import Progress

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


def train_many(
    pupils: Sequence[Pupil],
    *,
    together: Literal["auto"] | bool = "auto",
    folder: Path | None = None,
    listeners: Listeners = lambda _name: (),
    wish: StopWish | None = None,
) -> list[Trained]:
    """Train all of them; one whose loss is not a number does no harm to the rest.

    Arguments:
        together: as one program where they can be stacked; `auto` where that is quicker, too.
        folder: of the checkpoints. A training that was interrupted goes on from there, and one that had come to its last epoch
            goes on where more epochs are asked for now.
        listeners: to the training of a name.

    Returns: how each ended, in their order.

    Raises: `RecipeError` when parts do not fit, `Interrupted` when asked to stop.
    """
    return [_alone(pupil, folder=folder, listeners=listeners, wish=wish) for pupil in pupils]


def _alone(pupil: Pupil, *, folder: Path | None, listeners: Listeners, wish: StopWish | None) -> Trained:
    own = None if folder is None else folder / pupil.name
    try:
        done = train(
            pupil.lesson, pupil.network, epochs=pupil.epochs, folder=own, callbacks=listeners(pupil.name), wish=wish
        )
    except TrainingError as failure:
        return Trained(Progress(), str(failure))
    return Trained(done)

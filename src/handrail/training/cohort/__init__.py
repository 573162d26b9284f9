"""Many networks trained as one program."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from handrail.components import build
from handrail.learning.gradient import Gradient
from handrail.learning.stacked import StackedGradient
from handrail.training.callbacks import Callbacks
from handrail.training.cohort.engine import CohortEngine, Seat
from handrail.training.cohort.likeness import differing, kind_of, objective_of, unlike
from handrail.training.cohort.program import Program
from handrail.training.pupil import Listeners, Pupil, Trained
from handrail.training.signals import StopWish
from handrail.training.terms import terms_of

__all__ = ["cohort_of", "kind_of", "train_cohort", "unlike"]


def cohort_of(pupils: Sequence[Pupil], *, file: Path | None, listeners: Listeners, wish: StopWish) -> CohortEngine:
    """An engine for networks that are alike (see `unlike`).

    Arguments:
        file: of the checkpoint, from which an interrupted training goes on.
    """
    rules: list[Gradient] = [build("rule", pupil.lesson.recipe.learning) for pupil in pupils]
    places = StackedGradient.order(rules)
    ordered = [pupils[place] for place in places]
    objectives = [objective_of(pupil) for pupil in ordered]
    seats = [_seat(pupil, listeners) for pupil in ordered]
    program = Program([pupil.network for pupil in ordered], objectives[0], differing(objectives))
    terms = terms_of(ordered[0].lesson)
    return CohortEngine(seats, program, [rules[place] for place in places], terms=terms, file=file, wish=wish)


def train_cohort(cohort: CohortEngine, pupils: Sequence[Pupil]) -> list[Trained]:
    """Train a cohort, each network in place.

    Raises: `Interrupted` when asked to stop.
    """
    with _collecting_little():
        cohort.run()
    ended = {seat.name: Trained(seat.progress, seat.failure) for seat in cohort.seats}
    return [ended[pupil.name] for pupil in pupils]


def _seat(pupil: Pupil, listeners: Listeners) -> Seat:
    limits = terms_of(pupil.lesson, epochs=pupil.epochs).limits
    callbacks = Callbacks(list(listeners(pupil.name)))
    generator = torch.Generator(pupil.lesson.device or torch.device("cpu"))
    return Seat(pupil.name, pupil.network, pupil.lesson.recipe.seed, limits, callbacks, generator)


@contextmanager
def _collecting_little() -> Iterator[None]:
    """While open, the garbage collector looks at new objects only: a trace makes many, and going through all others takes longer."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()

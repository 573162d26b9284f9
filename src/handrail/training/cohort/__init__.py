"""Many networks trained as one program."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from handrail.components import build
from handrail.learning.fast.stacked import StackedGradient
from handrail.learning.rules.gradient import Gradient
from handrail.tools.machine import freeze_garbage, keep_freed_memory
from handrail.training.callbacks import Callbacks
from handrail.training.cohort.compatibility import differing, kind_of, objective_of, unlike
from handrail.training.cohort.engine import CohortEngine, Member
from handrail.training.cohort.program import Program
from handrail.training.job import Job, Listeners, Trained, TrainingData, make_setup
from handrail.training.signals import StopRequest
from handrail.training.speed.compilation import quietly, settle
from handrail.training.speed.matmul import quick_products
from handrail.training.speed.threads import Threads
from handrail.training.train import restore_threads

__all__ = ["cohort_of", "kind_of", "train_cohort", "unlike"]


def cohort_of(
    pupils: Sequence[Job], *, file: Path | None, listeners: Listeners, wish: StopRequest
) -> CohortEngine:
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
    _share_chance(seats, program)
    terms = make_setup(ordered[0].lesson)
    return CohortEngine(seats, program, [rules[place] for place in places], terms=terms, file=file, wish=wish)


def train_cohort(cohort: CohortEngine, pupils: Sequence[Job], *, cores: int | None = None) -> list[Trained]:
    """Train a cohort, each network in place.

    Arguments:
        cores: that may be used; by default all.

    Raises: `Interrupted` when asked to stop.
    """
    keep_freed_memory()
    network, terms = pupils[0].network, cohort.terms
    rows_in_all = terms.limits.batch_size * len(pupils)
    operations = 6.0 * sum(parameter.numel() for parameter in network.parameters()) * rows_in_all
    with freeze_garbage(), restore_threads(), quick_products(network, terms.train.inputs, rows_in_all):
        free = pupils[0].lesson.recipe.training.threads == "auto"
        cohort.threads = Threads(cohort.prepare, operations=operations, free=free, cores=cores)
        _compile(cohort, pupils[0].lesson)
        cohort.run()
    ended = {seat.name: Trained(seat.progress, seat.failure) for seat in cohort.seats}
    return [ended[pupil.name] for pupil in pupils]


def _share_chance(seats: Sequence[Member], program: Program) -> None:
    """Let networks that draw the same numbers draw them once."""
    generators: dict[tuple[Any, ...], torch.Generator] = {}
    for position, seat in enumerate(seats):
        seat.generator = generators.setdefault((seat.seed, program.streams(position)), seat.generator)


def _compile(cohort: CohortEngine, lesson: TrainingData) -> None:
    """Compile the program where that repays."""
    rows = min(cohort.terms.limits.batch_size, len(cohort.terms.train))
    setting = lesson.recipe.training.compile

    def compiled() -> None:
        if not cohort.program.compiled_rows:
            cohort.program.compile(rows)
        cohort.prepare()

    choice = settle(
        setting,
        device=lesson.device or torch.device("cpu"),
        steps=cohort.terms.plan.epochs * cohort.terms.plan.steps,
        eager=cohort.prepare,
        compiled=compiled,
        note=None if cohort.file is None else cohort.file.with_name("compile.json"),
    )
    if choice.compiled and not cohort.program.compiled_rows:
        quietly(compiled)
    elif cohort.program.compiled_rows and not choice.compiled:
        cohort.program.compile(0)


def _seat(pupil: Job, listeners: Listeners) -> Member:
    limits = make_setup(pupil.lesson, epochs=pupil.epochs).limits
    callbacks = Callbacks(list(listeners(pupil.name)))
    generator = torch.Generator(pupil.lesson.device or torch.device("cpu"))
    return Member(pupil.name, pupil.network, pupil.lesson.recipe.seed, limits, callbacks, generator)

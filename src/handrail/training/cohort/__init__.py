"""Many networks trained as one program.

May import `learning`, `tasks` and files of `training`, but not `train` or `train_many`. A layer that draws
random numbers gets a stand-in in `layers`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from handrail.components import build
from handrail.learning.fast.stacked import StackedGradient
from handrail.learning.rule import step_operations
from handrail.learning.rules.gradient import Gradient
from handrail.tools.machine import freeze_garbage, keep_freed_memory
from handrail.training.callbacks import Callbacks
from handrail.training.cohort.compatibility import differing, kind_of, objective_of, unlike
from handrail.training.cohort.engine import CohortEngine, Member
from handrail.training.cohort.program import Program
from handrail.training.job import Job, Listeners, Trained, TrainingData, make_setup
from handrail.training.signals import StopRequest
from handrail.training.speed.compilation import leave_no_empty_cache, quietly, settle
from handrail.training.speed.matmul import quick_products
from handrail.training.speed.threads import Threads, restore_threads

__all__ = ["cohort_of", "kind_of", "train_cohort", "unlike"]


def cohort_of(
    jobs: Sequence[Job], *, file: Path | None, listeners: Listeners, stop_request: StopRequest
) -> CohortEngine:
    """An engine for networks that are alike (see `unlike`); `file` is its checkpoint, where it resumes."""
    rules: list[Gradient] = [build("rule", job.data.recipe.learning) for job in jobs]
    places = StackedGradient.order(rules)
    rules, jobs = [rules[place] for place in places], [jobs[place] for place in places]
    objectives = [objective_of(job) for job in jobs]
    members = [_member(job, listeners) for job in jobs]
    program = Program([job.network for job in jobs], objectives[0], differing(objectives))
    _share_generators(members, program)
    setup = make_setup(jobs[0].data)
    return CohortEngine(members, program, rules, setup=setup, file=file, stop_request=stop_request)


def train_cohort(cohort: CohortEngine, jobs: Sequence[Job], *, cores: int | None = None) -> list[Trained]:
    """Train a cohort, each network in place, on at most so many cores; by default on all.

    Raises: `Interrupted` when asked to stop.
    """
    keep_freed_memory()
    leave_no_empty_cache()
    network, setup, data = jobs[0].network, cohort.setup, jobs[0].data
    rows_in_all = setup.limits.batch_size * len(jobs)
    with freeze_garbage(), restore_threads(), quick_products(network, setup.train.inputs, rows_in_all):
        free = data.recipe.training.threads == "auto"
        operations = step_operations(network, rows_in_all)
        cohort.threads = Threads(cohort.prepare, operations=operations, free=free, cores=cores)
        _compile(cohort, data)
        cohort.run()
    ended = {member.name: Trained(member.progress, member.failure) for member in cohort.members}
    return [ended[job.name] for job in jobs]


def _share_generators(members: Sequence[Member], program: Program) -> None:
    """Let networks that draw the same random numbers draw them once."""
    generators: dict[tuple[Any, ...], torch.Generator] = {}
    for position, member in enumerate(members):
        key = (member.seed, program.streams(position))
        member.generator = generators.setdefault(key, member.generator)


def _compile(cohort: CohortEngine, data: TrainingData) -> None:
    """Compile the program where that repays."""
    rows = min(cohort.setup.limits.batch_size, len(cohort.setup.train))

    def compiled() -> None:
        if not cohort.program.compiled_rows:
            cohort.program.compile(rows)
        cohort.prepare()

    choice = settle(
        data.recipe.training.compile,
        device=data.device or torch.device("cpu"),
        steps=cohort.setup.plan.epochs * cohort.setup.plan.steps,
        eager=cohort.prepare,
        compiled=compiled,
        note=None if cohort.file is None else cohort.file.with_name("compile.json"),
    )
    if choice.compiled and not cohort.program.compiled_rows:
        quietly(compiled)
    elif cohort.program.compiled_rows and not choice.compiled:
        cohort.program.compile(0)


def _member(job: Job, listeners: Listeners) -> Member:
    limits = make_setup(job.data, epochs=job.epochs).limits
    generator = torch.Generator(job.data.device or torch.device("cpu"))
    callbacks = Callbacks(listeners(job.name))
    return Member(job.name, job.network, job.data.recipe.seed, limits, callbacks, generator, job.losses)

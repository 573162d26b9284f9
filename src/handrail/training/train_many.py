"""Several networks trained on the same task: replicas of one recipe, trials of a search."""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from handrail.errors import RecipeError, TrainingError
from handrail.tools.files import write_text
from handrail.training.callbacks import Callbacks
from handrail.training.cohort import CohortEngine, cohort_of, kind_of, train_cohort, unlike
from handrail.training.cohort.compatibility import prefer_together
from handrail.training.job import Job, Listeners, Trained
from handrail.training.signals import StopRequest
from handrail.training.stopping import Progress
from handrail.training.train import train

_log = logging.getLogger("handrail")
MOST = 64  # networks in one program: more are no quicker, and leave the caches
_NUMBERS = 50_000_000  # parameters in one program
Together = Literal["auto"] | bool


def train_many(
    jobs: Sequence[Job],
    *,
    together: Together = "auto",
    folder: Path | None = None,
    listeners: Listeners = lambda _name: (),
    stop_request: StopRequest | None = None,
    cores: int | None = None,
) -> list[Trained]:
    """Train all of them; one whose loss is not a number does no harm to the rest.

    Arguments:
        jobs: with names of their own. In a folder with checkpoints the same ones as before, in the same
            order; those that have stopped for good keep the epoch at which they did.
        together: as one program where they can be stacked; `auto` where that is quicker, too.
        folder: of the checkpoints. A training that was interrupted goes on from there, and one that had come
            to its last epoch goes on where there are more epochs now.
        listeners: to the training of a name.
        cores: that may be used; all of them, unless others train beside this process.

    Returns: how each ended, in their order.

    Raises: `RecipeError` when parts do not fit, or networks are to be trained together that cannot be;
    `Interrupted` when asked to stop.
    """
    stop_request = StopRequest() if stop_request is None else stop_request
    ended: dict[str, Trained] = {}
    for number, group in enumerate(_groups(jobs, together), start=1):
        place = None if folder is None else folder / f"group-{number}"
        cohort = _cohort(group, together, place, listeners, stop_request)
        if cohort is None:
            ended |= {job.name: _train_alone(job, place, listeners, stop_request) for job in group}
        else:
            trained = train_cohort(cohort, group, cores=cores)
            ended |= {job.name: result for job, result in zip(group, trained, strict=True)}
    return [ended[job.name] for job in jobs]


def _groups(jobs: Sequence[Job], together: Together) -> Iterator[list[Job]]:
    """Networks that may be alike, in the order of the first of each kind, and not too many at once."""
    kinds: dict[Any, list[Job]] = {}
    for job in jobs:
        kind = job.name if together is False else (id(job.data.inputs), kind_of(job))
        kinds.setdefault(kind, []).append(job)
    for group in kinds.values():
        size = sum(parameter.numel() for parameter in group[0].network.parameters())
        most = max(1, min(MOST, _NUMBERS // max(1, size)))
        parts = -(-len(group) // most)
        each = -(-len(group) // parts)
        yield from (group[start : start + each] for start in range(0, len(group), each))


def _cohort(
    group: list[Job], together: Together, folder: Path | None, listeners: Listeners, stop_request: StopRequest
) -> CohortEngine | None:
    """The engine of the group; None where its networks are trained one after another.

    The first choice is written down and stays, since a measurement may come out otherwise the next time.
    """
    if len(group) < 2:
        return None
    note = None if folder is None else folder / "together.json"
    known = json.loads(note.read_text(encoding="utf-8")) if note is not None and note.exists() else None
    if known is not None and not known["together"]:
        return None
    file = None if folder is None else folder / "state.safetensors"
    watched = Callbacks(listeners(group[0].name)).listens_to_steps
    reason = "somebody listens to their steps" if watched else unlike(group)
    cohort = None
    if not reason:
        cohort = cohort_of(group, file=file, listeners=listeners, stop_request=stop_request)
        try:
            chosen, reason = prefer_together(cohort, group)
        # Whatever a layer raises that cannot be stacked; other mistakes show when it is trained alone.
        except Exception as error:
            cohort, reason = None, f"they cannot be stacked ({str(error).splitlines()[0]})"
        else:
            cohort = cohort if chosen or together is True or known is not None else None
    if cohort is None and together is True:
        raise RecipeError(
            f"training.together: these networks cannot be trained as one program: {reason}; expected auto or "
            "false."
        )
    if known is None:
        _record_choice(cohort is not None, reason, len(group), note)
    return cohort


def _record_choice(together: bool, reason: str, count: int, note: Path | None) -> None:
    way = "as one program" if together else "one after another"
    _log.info("%d networks are trained %s: %s", count, way, reason)
    if note is not None:
        note.parent.mkdir(parents=True, exist_ok=True)
        write_text(note, json.dumps({"together": together, "why": reason}, ensure_ascii=False) + "\n")


def _train_alone(job: Job, folder: Path | None, listeners: Listeners, stop_request: StopRequest) -> Trained:
    own = None if folder is None else folder / job.name
    if own is not None:
        for part in ("last", "best"):
            (own / part).mkdir(parents=True, exist_ok=True)
    callbacks = listeners(job.name)
    try:
        progress = train(
            job.data,
            job.network,
            epochs=job.epochs,
            losses=job.losses,
            folder=own,
            beginning=job.beginning,
            callbacks=callbacks,
            stop_request=stop_request,
        )
    except TrainingError as failure:
        return Trained(Progress(), str(failure))
    return Trained(progress)

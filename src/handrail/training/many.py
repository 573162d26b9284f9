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
from handrail.training.cohort.choice import judge
from handrail.training.job import Job, Listeners, Trained
from handrail.training.signals import StopRequest
from handrail.training.state import Progress
from handrail.training.train import train

_log = logging.getLogger("handrail")
MOST = 64  # networks in one program: more are no quicker, and leave the caches
_NUMBERS = 50_000_000  # parameters in one program


def train_many(
    pupils: Sequence[Job],
    *,
    together: Literal["auto"] | bool = "auto",
    folder: Path | None = None,
    listeners: Listeners = lambda _name: (),
    wish: StopRequest | None = None,
    cores: int | None = None,
) -> list[Trained]:
    """Train all of them; one whose loss is not a number does no harm to the rest.

    Arguments:
        pupils: with names of their own. In a folder with checkpoints the same ones as before, in the same
            order; those that are not to go on keep the epoch at which they stopped as theirs.
        together: as one program where they can be stacked; `auto` where that is quicker, too.
        folder: of the checkpoints. A training that was interrupted goes on from there, and one that had come
            to its last epoch goes on where more epochs are asked for now.
        listeners: to the training of a name.
        cores: that may be used; all of them, unless others train beside this process.

    Returns: how each ended, in their order.

    Raises: `RecipeError` when parts do not fit, or networks are to be trained together that cannot be;
    `Interrupted` when asked to
        stop.
    """
    wish = StopRequest() if wish is None else wish
    ended: dict[str, Trained] = {}
    for number, group in enumerate(_groups(pupils, together), start=1):
        place = None if folder is None else folder / f"group-{number}"
        ended |= _train_group(
            group, together=together, folder=place, listeners=listeners, wish=wish, cores=cores
        )
    return [ended[pupil.name] for pupil in pupils]


def _groups(pupils: Sequence[Job], together: Literal["auto"] | bool) -> Iterator[list[Job]]:
    """Networks that may be alike, in the order of the first of each kind, and not too many at once."""
    kinds: dict[Any, list[Job]] = {}
    for pupil in pupils:
        kinds.setdefault(
            pupil.name if together is False else (id(pupil.lesson.inputs), kind_of(pupil)), []
        ).append(pupil)
    for group in kinds.values():
        size = sum(parameter.numel() for parameter in group[0].network.parameters())
        most = max(1, min(MOST, _NUMBERS // max(1, size)))
        parts = -(-len(group) // most)
        each = -(-len(group) // parts)
        yield from (group[start : start + each] for start in range(0, len(group), each))


def _train_group(
    group: list[Job],
    *,
    together: Literal["auto"] | bool,
    folder: Path | None,
    listeners: Listeners,
    wish: StopRequest,
    cores: int | None,
) -> dict[str, Trained]:
    cohort = _cohort(group, together=together, folder=folder, listeners=listeners, wish=wish)
    if cohort is None:
        return {pupil.name: _alone(pupil, folder=folder, listeners=listeners, wish=wish) for pupil in group}
    return dict(zip((pupil.name for pupil in group), train_cohort(cohort, group, cores=cores), strict=True))


def _cohort(
    group: list[Job],
    *,
    together: Literal["auto"] | bool,
    folder: Path | None,
    listeners: Listeners,
    wish: StopRequest,
) -> CohortEngine | None:
    """The engine of the group, or nothing where its networks are trained one after another.

    What was chosen once stays so, since a measurement may come out otherwise the next time.
    """
    if len(group) < 2:
        return None
    note = None if folder is None else folder / "together.json"
    known = json.loads(note.read_text(encoding="utf-8")) if note is not None and note.exists() else None
    if known is not None and not known["together"]:
        return None
    reason = (
        "somebody listens to their steps"
        if Callbacks(list(listeners(group[0].name))).listens_to_steps
        else unlike(group)
    )
    cohort = None
    if not reason:
        cohort = cohort_of(
            group, file=folder and folder / "state.safetensors", listeners=listeners, wish=wish
        )
        try:
            chosen, why = judge(cohort, group)
        # Whatever a layer says that knows nothing of stacks; what is wrong elsewhere shows alone, too.
        except Exception as error:
            cohort, reason = None, f"they cannot be stacked ({str(error).splitlines()[0]})"
        else:
            cohort = cohort if chosen or together is True or known is not None else None
            reason = why
    if cohort is None and together is True:
        raise RecipeError(
            f"training.together: these networks cannot be trained as one program: {reason}; expected auto or "
            "false."
        )
    if known is None:
        _log.info(
            "%d networks are trained %s: %s",
            len(group),
            "one after another" if cohort is None else "as one program",
            reason,
        )
        if note is not None:
            note.parent.mkdir(parents=True, exist_ok=True)
            write_text(
                note, json.dumps({"together": cohort is not None, "why": reason}, ensure_ascii=False) + "\n"
            )
    return cohort


def _alone(pupil: Job, *, folder: Path | None, listeners: Listeners, wish: StopRequest) -> Trained:
    own = None if folder is None else folder / pupil.name
    if own is not None:
        for part in ("last", "best"):
            (own / part).mkdir(parents=True, exist_ok=True)
    try:
        done = train(
            pupil.lesson,
            pupil.network,
            epochs=pupil.epochs,
            folder=own,
            callbacks=listeners(pupil.name),
            wish=wish,
        )
    except TrainingError as failure:
        return Trained(Progress(), str(failure))
    return Trained(done)

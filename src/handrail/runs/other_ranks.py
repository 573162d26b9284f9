"""What all processes but the first do in data-parallel training: the same rows, the same network, their share
of each batch.
"""

import logging
from typing import Any, NoReturn

import torch

from handrail.data.prepare import prepare
from handrail.errors import DataError
from handrail.learning.team import Team
from handrail.recipe import Recipe
from handrail.recipe.compose import SOURCES
from handrail.runs.assembly import assemble, lesson_of
from handrail.runs.folder import Folder
from handrail.training.callbacks import Callback
from handrail.training.distributed.join import resumable
from handrail.training.signals import listening
from handrail.training.train import choose_device, train


def help_train(asked: Recipe, team: Team, *, callbacks: tuple[Callback, ...] = ()) -> NoReturn:
    """Train with the first process, which writes all files and goes on alone afterwards.

    Raises: `SystemExit` with code 0 at the end; what `fit` raises; `LostError` when the first process fails,
    and says why itself.
    """
    logging.getLogger("handrail").addHandler(logging.NullHandler())
    folder = Folder(team.from_first(_listen))
    kept = {f"data.{name}": str(folder.data(name)) for name in SOURCES if folder.data(name).exists()}
    recipe = asked.with_values(kept)
    data = prepare(recipe.data, cache_in=folder.path)
    device = choose_device(recipe.training.device)
    recipe, _, pipeline = assemble(recipe, data.train, schema=data.schema, task=data.task, device=device)
    lesson = lesson_of(recipe, pipeline, data.train, data.validation)
    fingerprint, threads = team.from_first(_listen)
    if fingerprint != data.fingerprint:
        raise DataError(
            f"'{data.source}' has other rows for process {team.rank} than for the first; expected the same "
            f"file."
        )
    torch.set_num_threads(threads)
    with resumable(folder.path), listening(patient=True) as wish:
        train(lesson, pipeline.network, folder=folder.checkpoints, callbacks=callbacks, wish=wish, team=team)
        team.disband()
    raise AssertionError("the work of a helper ends when the team disbands")


def _listen() -> Any:
    raise AssertionError("only the first process is asked")

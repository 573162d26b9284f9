"""Train the network of a run again, as its recipe says, on other rows or with other targets."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from handrail.audits.audited import Audited
from handrail.data.part import Part
from handrail.data.rows import Rows
from handrail.pipeline import Pipeline
from handrail.pipeline.ensemble import first_of
from handrail.recipe import Recipe
from handrail.runs.assembly import make_training_data, threads_for, weigh_classes, with_network
from handrail.tasks.scoring import decided_classes
from handrail.training.speed.threads import restore_threads
from handrail.training.train import train


@dataclass(frozen=True, eq=False)
class Course:
    """A network of a run's recipe on its way: it can be taught one part after another.

    Arguments:
        pipeline: encoder and task as the run has them, and the network.
        recipe: by which each part is learned.
    """

    audited: Audited
    pipeline: Pipeline
    recipe: Recipe


def expected_seconds(audited: Audited, *, epochs: int, rows: int, trainings: int) -> float:
    """How long trainings will take, by the seconds of the fit for an epoch and a row."""
    done = audited.run.summary["training"]
    each = done["seconds"] / max(1, done["epochs"]) / max(1, len(audited.train))
    return each * epochs * rows * trainings


def begin(audited: Audited, *, epochs: int, changes: Mapping[str, Any] | None = None) -> Course:
    """A network as the recipe of the run begins it, which learns each part for so many epochs.

    Arguments:
        changes: of the recipe's settings.
    """
    given = {"training.replicas": 1, "training.epochs": epochs, "training.patience": None}
    recipe = audited.run.settled_recipe.with_values({**given, **(changes or {})})
    before = audited.run.pipeline
    pipeline = with_network(recipe, before.encoder, copy.deepcopy(before.decoder)).to(before.device)
    return Course(audited, pipeline, recipe)


def learn(
    course: Course,
    part: Part,
    *,
    inputs: Any = None,
    targets: Any = None,
    change: Callable[[Rows], Rows] | None = None,
) -> None:
    """Train the network further, on the rows of a part; nothing is written.

    Arguments:
        inputs: in place of the encoded rows.
        targets: in place of the rows' own, as the task encodes them.
        change: of the encoded rows.
    """
    pipeline = course.pipeline
    data = make_training_data(course.recipe, pipeline, part, None)
    rows = data.inputs if inputs is None else inputs
    known = data.targets if targets is None else targets.to(data.targets)
    data = replace(data, inputs=rows if change is None else change(rows), targets=known)
    with restore_threads():
        torch.set_num_threads(threads_for(course.recipe, pipeline, len(part)))
        train(data, pipeline.network)
    pipeline.eval()


def retrain(audited: Audited, part: Part, *, epochs: int, **how: Any) -> Pipeline:
    """The pipeline of the run with its network trained from the beginning; `how` as in `learn`."""
    course = begin(audited, epochs=epochs)
    weigh_classes(course.recipe, course.pipeline.decoder, part)
    learn(course, part, **how)
    return course.pipeline


def decided_by(pipeline: Pipeline, rows: Rows) -> Int[np.ndarray, " rows"]:
    """The classes that the network of a pipeline decides for, of replicas the first that answers."""
    return decided_classes(pipeline.decoder, first_of(pipeline.network), rows)

"""Train the network of a run again, as its recipe says, on other rows or with other targets."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import nn

from handrail.audits.audited import Audited
from handrail.data.part import Part
from handrail.data.rows import Rows
from handrail.pipeline import Pipeline
from handrail.pipeline.ensemble import first_of
from handrail.runs.assembly import make_training_data, threads_for, weigh_classes, with_network
from handrail.tasks.scoring import all_scores
from handrail.training.speed.threads import restore_threads
from handrail.training.train import train

_SLOWER = 1.0  # than in the fit, which validated, too


def expected_seconds(audited: Audited, *, epochs: int, rows: int, trainings: int) -> float:
    """How long trainings will take, by the seconds of the fit for an epoch and a row."""
    done = audited.run.summary["training"]
    each = done["seconds"] / max(1, done["epochs"]) / max(1, len(audited.train))
    return _SLOWER * each * epochs * rows * trainings


def retrain(
    audited: Audited,
    part: Part,
    *,
    epochs: int,
    targets: Any = None,
    change: Callable[[Rows], Rows] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Pipeline:
    """The pipeline of the run with its network trained from the beginning, for so many epochs.

    Encoder and task stay as the run has them. Nothing is written.

    Arguments:
        part: whose rows are learned.
        targets: of these rows in place of their own, as the task encodes them.
        change: of the encoded rows.
        changes: of the recipe's settings.
    """
    recipe = audited.run.settled_recipe.with_values(
        {"training.replicas": 1, "training.epochs": epochs, "training.patience": None, **(changes or {})}
    )
    before = audited.run.pipeline
    weigh_classes(recipe, before.decoder, part)
    pipeline = with_network(recipe, before.encoder, before.decoder).to(before.device)
    data = make_training_data(recipe, pipeline, part, None)
    data = data if change is None else replace(data, inputs=change(data.inputs))
    data = data if targets is None else replace(data, targets=targets.to(data.targets))
    with restore_threads():
        torch.set_num_threads(threads_for(recipe, pipeline, len(part)))
        train(data, pipeline.network)
    return pipeline.eval()


def decided_classes(pipeline: Pipeline, rows: Rows) -> Int[np.ndarray, " rows"]:
    """The classes that a network decides for."""
    network: nn.Module = first_of(pipeline.network)
    task: Any = pipeline.decoder
    return task.decide(task(all_scores(network, rows))).cpu().numpy().astype(int)

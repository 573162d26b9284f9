"""The refit: training and validation rows together, on the course that the fit took.

There are no validation rows left. What depends on them is as in the fit: the number of epochs, and the losses
that a learning rate follows. And nothing would tell that a network has come to nothing: it is measured on
rows that it has learned from.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from handrail.components import build, is_object, parse
from handrail.errors import RunError, TrainingError
from handrail.learning.rule import Rule
from handrail.learning.rules.gradient import Gradient
from handrail.pipeline import Pipeline
from handrail.pipeline.ensemble import Ensemble
from handrail.runs.folder import Folder, read_json, write_json
from handrail.runs.replicas import Replica, best_of, replica_jobs
from handrail.training.callbacks import make_progress, read_records
from handrail.training.engine import validate
from handrail.training.job import Job, Trained, TrainingData, make_setup
from handrail.training.stages import as_trained
from handrail.training.stopping import Progress
from handrail.training.train import train
from handrail.training.train_many import train_many
from handrail.training.transfer.weights import BEGINNING

_log = logging.getLogger("handrail")
_FAILURES = "failures.json"  # in the folder of the refit
_LOOKED_AT = 10_000  # rows: enough to see that a network has come to nothing


def retrain(
    training_data: TrainingData,
    pipeline: Pipeline,
    before: Pipeline,
    *,
    fitted: Sequence[Replica],
    folder: Folder,
    progress: str,
) -> dict[int, str]:
    """Train the network of a pipeline, or its replicas, as those of the fit were, and set which answer.

    Returns: why replicas failed, by their numbers; these do not answer.

    Raises: `TrainingError` when no network is left that could answer.
    """
    jobs = _jobs(training_data, pipeline, fitted, folder)
    listeners = tuple(make_progress(progress, replicas=len(jobs)))
    if not isinstance(pipeline.network, Ensemble):
        job = jobs[0]
        done = train(
            job.data,
            job.network,
            epochs=job.epochs,
            losses=job.losses,
            beginning=job.beginning,
            callbacks=listeners,
        )
        if fault := _fault(job, done):
            raise TrainingError(f"the refit failed: {fault} The network of the fit stays as it is.")
        return {}
    together = training_data.recipe.training.together
    ended = train_many(jobs, together=together, listeners=lambda _name: listeners)
    failures = {
        number: failure
        for number, (job, end) in enumerate(zip(jobs, ended, strict=True), start=1)
        if (failure := _failure(job, end))
    }
    assert isinstance(before.network, Ensemble)
    _let_answer(pipeline.network, before.network, fitted, failures)
    return failures


def _failure(job: Job, end: Trained) -> str:
    return end.failure or _fault(job, end.progress)


def _let_answer(
    network: Ensemble, before: Ensemble, fitted: Sequence[Replica], failures: Mapping[int, str]
) -> None:
    """Those that answered before and have not failed; in place of a single one, the next best."""
    sound = [each for each in fitted if not each.failure and each.replica not in failures]
    answering = tuple(each.replica - 1 for each in sound if each.replica - 1 in before.answering)
    if not answering and sound and len(before.answering) == 1:
        answering = (best_of(sound).replica - 1,)
    if not answering:
        first = next(iter(failures.values()), "")
        raise TrainingError(
            f"the refit failed: none of the replicas that answered is left; the first: {first} The replicas "
            "of the fit stay as they are."
        )
    network.answering = answering
    for number, failure in failures.items():
        _log.warning("replica %d failed in the refit, and does not answer: %s", number, failure)


def _jobs(
    training_data: TrainingData, pipeline: Pipeline, fitted: Sequence[Replica], folder: Folder
) -> list[Job]:
    """A training for each network, with the epochs and losses of its fit."""
    single = not isinstance(pipeline.network, Ensemble)
    records = read_records(folder.metrics)
    jobs = []
    for job, before in zip(replica_jobs(training_data, pipeline), fitted, strict=True):
        own = records if single else [line for line in records if line.get("replica") == before.replica]
        losses = {line["epoch"]: line["val_loss"] for line in own if line.get("val_loss") is not None}
        epochs = max(1, before.best_epoch)
        if epochs > 1 and epochs not in losses and _follows_losses(job):
            raise RunError(
                f"'{folder.metrics}' lacks the validation loss of epoch {epochs}, which the learning rate of "
                "a refit follows; restore the file, or fit again."
            )
        if single:
            beginning = folder.checkpoints / BEGINNING
        else:
            beginning = next(folder.checkpoints.glob(f"group-*/{job.name}/{BEGINNING}"), None)
        jobs.append(replace(job, epochs=epochs, losses=losses, beginning=beginning))
    return jobs


def _follows_losses(job: Job) -> bool:
    """Whether the rule does anything with the loss of a validation."""
    rule = build("rule", job.data.recipe.learning)
    if type(rule) is Gradient:
        schedule = rule.specs[1]
        return not is_object(schedule) and parse(schedule, "schedule")[0] == "on_plateau"
    return type(rule).observe is not Rule.observe


@torch.inference_mode()
def _fault(job: Job, progress: Progress) -> str:
    """What is wrong with a network that has come to nothing (not finite, or exploded); empty for others."""
    weights = job.network.named_parameters()
    bad = [name for name, value in weights if not bool(torch.isfinite(value).all())]
    if bad:
        return (
            f"after the last epoch '{bad[0]}' holds values that are not finite. Try a smaller learning rate."
        )
    network, data = as_trained(job.network, job.data)
    setup = make_setup(data)
    rows = setup.train.take(torch.arange(min(len(setup.train), _LOOKED_AT)))
    loss = validate(network, setup.plan.objective, rows, lambda _scores, _targets: {})["loss"]
    if math.isfinite(loss) and progress.first_fault([loss]) is None:
        return ""
    return f"after the last epoch the loss of training rows is {loss:.3g}. Try a smaller learning rate."


def write_failures(folder: Folder, failures: Mapping[int, str]) -> None:
    """Keep why replicas failed beside the network of the refit."""
    write_json(folder.refit / _FAILURES, {str(number): failure for number, failure in failures.items()})


def with_failures(folder: Folder, fitted: Sequence[Replica]) -> list[Replica]:
    """The replicas, those that failed in the refit marked as such."""
    path = folder.refit / _FAILURES
    failures = read_json(path) if path.exists() else {}
    return [
        replace(each, failure=f"in the refit: {failures[str(each.replica)]}")
        if str(each.replica) in failures and not each.failure
        else each
        for each in fitted
    ]


def refit_failures(fitted: Sequence[Replica], refitted: Sequence[Replica]) -> list[str]:
    """A sentence for each replica that failed in the refit alone."""
    pairs = zip(fitted, refitted, strict=True)
    failed = [after for before, after in pairs if after.failure and not before.failure]
    return [f"Replica {each.replica} does not answer: it failed {each.failure}" for each in failed]

"""fit: the five steps in order. The only file that knows them all."""

import logging
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import torch

from handrail.components import is_object
from handrail.data.checks import check_drift, check_size
from handrail.data.checks.finding import Finding
from handrail.data.dataset import Dataset, prepare, reopen
from handrail.data.sources import read
from handrail.data.writers.blocks import write_parts
from handrail.errors import HandrailError, RecipeError, RunError, TrainingError
from handrail.learning.team import Team
from handrail.pipeline import Pipeline
from handrail.pipeline.ensemble import first_of
from handrail.recipe import Recipe
from handrail.report.samples import write_showcase
from handrail.run import Run
from handrail.runs.assembly import assemble, check_data, count_parameters, lesson_of, threads_for
from handrail.runs.assessment import hardest, measure_beside, write_predictions
from handrail.runs.folder import (
    Folder,
    begin,
    discard,
    environment,
    existing,
    logged,
    read_json,
    write_json,
    write_yaml,
)
from handrail.runs.other_ranks import help_train
from handrail.runs.record import SOURCES, load_recipe
from handrail.runs.replicas import Replica, best_of, check_keep, spread, train_pipeline
from handrail.tools.files import write_atomically, write_text
from handrail.training.callbacks import Callback
from handrail.training.distributed.join import joined, resumable
from handrail.training.job import batch_size, usual_loss
from handrail.training.signals import Interrupted, listening
from handrail.training.train import choose_device, threads_kept
from handrail.training.transfer import transfer_facts
from handrail.training.transfer.weights import weights_at

_log = logging.getLogger("handrail")


def fit(
    source: Any = None,
    target: str | int | list[str | int] | None = None,
    *,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    progress: str = "none",
    callbacks: tuple[Callback, ...] = (),
) -> Run:
    """Take data through the whole recipe: read, split, seal, encode, train, decide, measure on validation
    rows, report.

    The test rows are not looked at; `Run.test` opens them. Under torchrun all processes train the one
    network; then the first goes on, and the others end here, with exit code 0.

    Arguments:
        source: a file, glob, database URL, `bundled:NAME`, data frame or arrays; instead of the recipe's.
        target: the column or columns to predict; instead of the recipe's.
        recipe: a `Recipe`, its settings, or a YAML file; every setting has a default.
        changes: dotted settings on top, for example `{"training.epochs": 20, "model": my_module}`.
        out: the run folder; by default `runs/<name>-<time>`.
        progress: "auto" shows progress on standard error, "none" does not.
        callbacks: listeners of training.

    Returns: the run.

    Raises: `RecipeError`, `DataError`, `RunError` before anything is trained; then nothing is left behind.
        `TrainingError` when the loss is not a number; the last good weights are kept. `Interrupted` on Ctrl-C
        or SIGTERM; `resume` goes on.
    """
    asked = compose(source, target, recipe=recipe, changes=changes)
    if asked.tuning.space:
        raise RecipeError(
            "tuning.space: has no effect in a fit; search it with handrail tune, or leave it out."
        )
    with joined(asked) as team:
        if not team.is_first:
            help_train(asked, team, callbacks=callbacks)
        folder = begin(asked, out)
        try:
            return _fit_into(folder, asked, team, progress=progress, callbacks=callbacks)
        except TrainingError:
            raise
        except HandrailError:
            discard(folder)
            raise


def resume(
    path: str | Path,
    *,
    source: Any = None,
    model: torch.nn.Module | None = None,
    progress: str = "none",
    callbacks: tuple[Callback, ...] = (),
) -> Run:
    """Continue a fit that was interrupted or killed, to the same bits; a fit that has ended is returned as it
    is.

    Arguments:
        path: the run folder.
        source: where the same data is now, if it has moved.
        model: the module, where the fit was given an object.

    Raises: `RunError` when there is no run, `DataError` when the data is not what it was.
    """
    folder = existing(path)
    if folder.validation.exists() and folder.report.exists():
        return Run(folder.path, model=model)
    asked = load_recipe(folder, model=model)
    if source is not None:
        asked = asked.with_values({"data.source": _absolute(source)})
    _check_unchanged(folder, asked)
    with joined(asked) as team:
        if not team.is_first:
            help_train(asked, team, callbacks=callbacks)
        return _fit_into(folder, asked, team, progress=progress, callbacks=callbacks)


def compose(
    source: Any = None,
    target: Any = None,
    *,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Recipe:
    """The recipe that the arguments of `fit` describe.

    Raises: `RecipeError` with every mistake.
    """
    if isinstance(recipe, str | Path):
        recipe = Recipe.load(recipe)
    base = Recipe() if recipe is None else recipe if isinstance(recipe, Recipe) else Recipe.parse(recipe)
    given = dict(changes or {})
    if source is not None:
        given["data.source"] = source
    if target is not None:
        given["data.target"] = target
    read_from = given.get("data.source", base.data.source)
    if base.name == "run" and "name" not in given and isinstance(read_from, str | Path):
        given["name"] = _name_of(str(given.get("data.read.table") or base.data.read.table or read_from))
    composed = base.with_values(given)
    composed = composed.with_values(
        {f"data.{name}": _absolute(getattr(composed.data, name)) for name in SOURCES}
    )
    if composed.transfer.start is not None:
        composed = composed.with_values({"transfer.start": _absolute(composed.transfer.start)})
        weights_at(Path(str(composed.transfer.start)))
    if composed.data.source is None:
        raise RecipeError(
            "no source was given (data.source); expected a file, a database URL or bundled:NAME."
        )
    return composed


def check_source(
    source: Any = None,
    target: Any = None,
    *,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
) -> tuple[Dataset, list[Finding]]:
    """Look a table over without training: the parts, and the findings, those on all three parts included.

    Raises: `RecipeError`, `DataError` as `fit`; findings that would stop a fit are returned.
    """
    asked = compose(source, target, recipe=recipe, changes=changes)
    data = prepare(asked.data)
    _, _, test = reopen(asked.data, data.schema, data.task, expected=data.fingerprint)
    return data, [
        *data.findings,
        *check_drift(data.train.sample, test.sample, schema=data.schema, target=False),
    ]


def _absolute(source: Any) -> Any:
    """Local files by their full path, so that a run can be continued from any folder."""
    if isinstance(source, Path) or (
        isinstance(source, str) and "://" not in source and not source.startswith("bundled:")
    ):
        return str(Path(source).expanduser().absolute())
    if isinstance(source, list) and all(isinstance(item, str | Path) for item in source):
        return [_absolute(item) for item in source]
    return source


def _name_of(source: str) -> str:
    stem = source.removeprefix("bundled:").split("?")[0].rstrip("/").split("/")[-1].split(".")[0]
    return (
        "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in stem).strip("-") or "run"
    )


def _fit_into(
    folder: Folder, asked: Recipe, team: Team, *, progress: str, callbacks: tuple[Callback, ...]
) -> Run:
    """The five steps, into a folder; what an earlier attempt left there is continued."""
    with threads_kept(), logged(folder):
        try:
            _five_steps(folder, asked, team, progress=progress, callbacks=callbacks)
        except KeyboardInterrupt:
            _log.error("interrupted")
            raise Interrupted(
                f"interrupted. Continue with: handrail resume {folder.path}", signal.SIGINT
            ) from None
        except Exception as stop:
            _log.error("stopped: %s", stop)
            raise
    return Run(
        folder.path,
        model=asked.model if is_object(asked.model) else None,
        recipe=asked if _in_reach(asked) else None,
    )


def _in_reach(recipe: Recipe) -> bool:
    """Whether all sources can be read again as the recipe names them."""
    return all(_is_name(getattr(recipe.data, name)) for name in SOURCES)


def _is_name(source: Any) -> bool:
    several = isinstance(source, list) and all(isinstance(item, str | Path) for item in source)
    return source is None or isinstance(source, str | Path) or several


def _five_steps(
    folder: Folder, asked: Recipe, team: Team, *, progress: str, callbacks: tuple[Callback, ...]
) -> None:
    recipe = _with_data_in_folder(folder, asked)
    team.from_first(lambda: folder.path)
    device = choose_device(recipe.training.device)
    data = prepare(recipe.data, cache_in=folder.path)
    _log.info(
        "%s: %d training, %d validation, %d sealed rows",
        data.source,
        len(data.train),
        len(data.validation),
        data.sealed.rows,
    )
    _check(recipe, data)
    recipe, why, pipeline = assemble(recipe, data.train, schema=data.schema, task=data.task, device=device)
    check_keep(recipe, pipeline)
    _settle_environment(
        folder,
        data,
        device=str(device),
        threads=threads_for(recipe, pipeline, len(data.train)),
        processes=team.size,
    )
    write_yaml(folder.resolved, _resolved(recipe, data, str(device)))
    _write_split(folder, data)
    findings = [*data.findings, *_size(pipeline, data)]
    for finding in findings:
        _log.log(
            logging.WARNING if finding.level == "warning" else logging.INFO, "%s: %s", finding.name, finding
        )
    lesson = lesson_of(recipe, pipeline, data.train, data.validation)
    team.from_first(lambda: (data.fingerprint, torch.get_num_threads()))
    with resumable(folder.path), listening(patient=team.size > 1) as wish:
        replicas = train_pipeline(
            lesson, pipeline, folder, progress=progress, callbacks=callbacks, wish=wish, team=team
        )
        team.disband()
    for replica in replicas:
        _log.info("%s", replica)
    _note_computing(folder, recipe)
    _finish(folder, recipe, data, pipeline, why=why, findings=findings, replicas=replicas)
    _log.info("done")


def _with_data_in_folder(folder: Folder, asked: Recipe) -> Recipe:
    """Write the recipe; tables in memory are kept in the run folder, so that the run can be continued and
    tested.
    """
    plain = asked.asked()
    changes = {}
    for name in SOURCES:
        source = getattr(asked.data, name)
        if _is_name(source):
            continue
        with write_atomically(folder.data(name)) as path:
            read(source, options=asked.data.read).frame.write_parquet(path)
        plain["data"][name] = folder.data(name).name
        changes[f"data.{name}"] = str(folder.data(name))
    if not folder.recipe.exists():
        write_json(folder.begun, asked.plain())
        write_yaml(folder.recipe, plain)
    return asked.with_values(changes) if changes else asked


def _check_unchanged(folder: Folder, asked: Recipe) -> None:
    """A fit is continued by the recipe that it was begun with.

    Raises: `RunError` when the recipe has been changed since.
    """
    if not folder.begun.exists():
        return
    before, now = _flat(read_json(folder.begun)), _flat(asked.plain())
    moved = {f"data.{name}" for name in SOURCES}
    changed = [name for name in now if now[name] != before.get(name) and name not in moved]
    if changed:
        raise RunError(
            f"the recipe of '{folder.path}' has been changed since the fit began: {', '.join(changed)}. A fit is continued as it "
            "was begun; take the changes back, or fit again into another folder."
        )


def _flat(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Sections and their settings as one mapping: `{"training.epochs": 20, …}`."""
    flat: dict[str, Any] = {}
    for section, value in plain.items():
        flat |= (
            {f"{section}.{name}": setting for name, setting in value.items()}
            if isinstance(value, dict)
            else {section: value}
        )
    return flat


def _check(recipe: Recipe, data: Dataset) -> None:
    check_data(recipe, data)
    if data.task.name != "binary" and recipe.evaluation.threshold != "auto":
        raise RecipeError(
            f"evaluation.threshold: has no effect on {data.task.name}; expected a target with two classes."
        )


def _size(pipeline: Pipeline, data: Dataset) -> list[Finding]:
    target = data.train.target
    counts = (
        torch.bincount(target, minlength=len(data.task.classes)).tolist()
        if data.task.is_classification
        else []
    )
    if data.task.name == "multi-label":
        counts = target.sum(dim=0).long().tolist()
    return check_size(
        len(data.train), count_parameters(first_of(pipeline.network)), data.task, data.schema, counts
    )


def _resolved(recipe: Recipe, data: Dataset, device: str) -> dict[str, Any]:
    """Every default, and what `auto` came to."""
    plain = recipe.resolved()
    plain["data"]["task"] = data.task.name
    plain["data"]["target"] = list(data.task.targets)
    plain["data"]["stream"] = data.train.sample is not data.train
    if recipe.objective.loss == "auto":
        chosen = recipe.with_values({"objective.loss": usual_loss(recipe.learning, data.task.name)})
        plain["objective"]["loss"] = chosen.resolved()["objective"]["loss"]
    plain["training"]["batch_size"] = batch_size(recipe, len(data.train))
    plain["training"]["device"] = device
    plain["training"]["threads"] = torch.get_num_threads()
    return plain


def _settle_environment(folder: Folder, data: Dataset, *, device: str, threads: int, processes: int) -> None:
    """Write what the figures depend on besides the recipe; a fit that is continued must find the same rows.

    It goes on with the number of threads that it was begun with, since another one gives other last digits.

    Raises: `RunError` when the rows are others than before, or in another order.
    """
    now = {**environment(device, threads), "processes": processes, "data": data.fingerprint}
    if not folder.environment.exists():
        write_json(folder.environment, now)
        torch.set_num_threads(threads)
        return
    before = read_json(folder.environment)
    if before["data"] != data.fingerprint:
        raise RunError(
            f"'{data.source}' has changed since the fit began: its rows, or their order, are not the same. Restore it, name its "
            "new place (resume --source), or fit again into another folder."
        )
    before.setdefault("processes", 1)
    other = [
        name for name in ("packages", "device", "system", "python", "processes") if before[name] != now[name]
    ]
    if other:
        _log.warning(
            "continued elsewhere (%s): the last digits may differ from those of one unbroken fit",
            ", ".join(other),
        )
    torch.set_num_threads(threads if before["processes"] != processes else before["threads"])


def _note_computing(folder: Folder, recipe: Recipe) -> None:
    """Write what was chosen by measuring, beside the rest of what the figures depend on."""
    chosen = {
        name: [read_json(path) for path in sorted(folder.checkpoints.rglob(f"{name}.json"))]
        for name in ("compile", "together")
    }
    write_json(
        folder.environment,
        {**read_json(folder.environment), "precision": recipe.training.precision, **chosen},
    )


def _write_split(folder: Folder, data: Dataset) -> None:
    """The part of each row of the source, and the test rows' hashes, in a file each time the same."""
    with write_atomically(folder.split) as path:
        write_parts(path, data.parts, ["train", "validation", "test", "left out"])
    with write_atomically(folder.sealed) as path:
        pl.DataFrame({"hash": data.sealed.hashes}).write_parquet(path)


def _finish(
    folder: Folder,
    recipe: Recipe,
    data: Dataset,
    pipeline: Pipeline,
    *,
    why: tuple[str, ...],
    findings: list[Finding],
    replicas: Sequence[Replica],
) -> None:
    """Decide on validation rows, measure there, and write model and report."""
    pipeline.decoder.settle(
        pipeline.network, pipeline.rows(data.validation), data.validation, recipe.evaluation
    )
    predictions = pipeline.outcome(data.validation)
    measured, beside = measure_beside(recipe, pipeline, predictions, train=data.train, part=data.validation)
    lead = best_of(replicas)
    pipeline.save(folder.model)
    write_predictions(folder, "validation", predictions, data.validation)
    write_showcase(folder, pipeline, data.train, data.validation, predictions)
    summary = {
        "source": data.source,
        "task": data.task.model_dump(),
        "rows": {"train": len(data.train), "validation": len(data.validation), "test": data.sealed.rows},
        "columns": [column.model_dump() for column in data.schema.columns],
        "notes": list(data.notes),
        "findings": [finding.model_dump() for finding in findings],
        "training": {
            "epochs": lead.epochs,
            "best_epoch": lead.best_epoch,
            "stopped": lead.stopped,
            "seconds": sum(replica.seconds for replica in replicas),
            "parameters": count_parameters(first_of(pipeline.network)),
            "inputs": list(shape) if isinstance(shape := pipeline.encoder.shape, tuple) else shape,
            "why": list(why),
            "transfer": transfer_facts(folder.checkpoints),
        },
        "decisions": pipeline.decoder.decisions,
        "hardest": hardest(predictions, data.validation, [column.name for column in data.schema.columns]),
        "metrics": measured,
        "replicas": spread(pipeline, replicas, data.validation) if len(replicas) > 1 else None,
        **beside,
    }
    write_json(folder.validation, summary)
    run = Run(folder.path, model=recipe.model if is_object(recipe.model) else None)
    write_text(folder.model / "card.md", run.card())
    run.report()

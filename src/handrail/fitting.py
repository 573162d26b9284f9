"""fit: the five steps in order. The only file that knows them all."""

import logging
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import torch

from handrail.components import is_object
from handrail.data.checks import check_size
from handrail.data.dataset import Dataset
from handrail.data.finding import Finding
from handrail.data.prepare import prepare
from handrail.data.writers import keep_table
from handrail.data.writers.formats import write_parts
from handrail.errors import RecipeError
from handrail.pipeline import Pipeline
from handrail.pipeline.ensemble import first_of
from handrail.recipe import SOURCES, Recipe, absolute, compose
from handrail.report.samples import write_samples
from handrail.run import Run
from handrail.runs.assembly import (
    as_begun,
    assemble,
    check_data,
    check_start,
    check_threshold,
    count_parameters,
    help_train,
    make_training_data,
    refuse_errors,
    resolve_recipe,
    threads_for,
    try_network,
)
from handrail.runs.assessment import summarise, write_predictions
from handrail.runs.environment import check_same_recipe, record_choices, settle_environment
from handrail.runs.folder import (
    Folder,
    find_folder,
    log_to,
    new_folder,
    set_aside,
    write_json,
    write_yaml,
)
from handrail.runs.lock import hold
from handrail.runs.memory import check_memory
from handrail.runs.record import load_recipe
from handrail.runs.replicas import FitContext, Replica, train_pipeline
from handrail.runs.unfinished import find_unfinished
from handrail.tools.files import write_atomically, write_text
from handrail.tools.interface import call
from handrail.tools.moved import forward
from handrail.tools.trust import reading
from handrail.training.callbacks import Callback, read_records
from handrail.training.distributed.join import join_processes, resumable
from handrail.training.signals import Interrupted, listening
from handrail.training.speed.threads import restore_threads
from handrail.training.stages import stage_facts
from handrail.training.train import choose_device
from handrail.training.transfer import transfer_facts

_log = logging.getLogger("handrail")
__getattr__ = forward(__name__)


def fit(
    source: Any = None,
    target: str | int | list[str | int] | None = None,
    *,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    trust: bool = False,
    progress: str = "none",
    callbacks: tuple[Callback, ...] = (),
) -> Run:
    """Take data through the whole recipe: read, split, seal, encode, train, validate, report.

    The test rows stay sealed; `Run.test` opens them. Under torchrun all processes train the one network; then
    the first goes on, and the others end here, with exit code 0.

    Arguments:
        source: a file, glob, database URL, `bundled:NAME`, `toy:NAME`, data frame or arrays; instead of the
            recipe's.
        target: the column or columns to predict; instead of the recipe's.
        recipe: a `Recipe`, its settings, or a YAML file; every setting has a default.
        changes: dotted settings on top, for example `{"training.epochs": 20, "model": my_module}`.
        out: the run folder; by default `runs/<name>-<time>`.
        overwrite: replace the run that is in this folder; it comes back if the new one cannot begin.
        trust: import what a recipe file names by import path.
        progress: "auto" shows progress on standard error, "none" does not.
        callbacks: listeners of training.

    Returns: the run.

    Raises: `RecipeError`, `DataError`, `RunError` before anything is trained; then nothing is left behind.
        `TrainingError` when the loss is not a number; the last good weights are kept. `Interrupted` on Ctrl-C
        or SIGTERM; `resume` goes on.
    """
    asked = compose(source, target, recipe=recipe, changes=changes, trust=trust)
    check_start(asked)
    if asked.tuning.space:
        raise RecipeError(
            f"tuning.space: has no effect in a fit; search it with {call('tune', '…')}, or leave it out."
        )
    with join_processes(asked) as team:
        if not team.is_first:
            help_train(asked, team, callbacks=callbacks)
        with set_aside(out, "run", "recipe.yaml", overwrite=overwrite), new_folder(asked, out) as folder:
            return _fit(asked, FitContext(folder, team, progress, callbacks, trust))


def resume(
    path: str | Path,
    *,
    source: Any = None,
    model: torch.nn.Module | None = None,
    trust: bool = False,
    allow_pickle: bool = False,
    progress: str = "none",
    callbacks: tuple[Callback, ...] = (),
) -> Run:
    """Continue an interrupted or killed fit, to the same bits; a finished fit is returned unchanged.

    Arguments:
        path: the run folder.
        source: where the same data is now, if it has moved.
        model: the module, where the fit was given an object.
        trust: import what the files of the run name by import path.
        allow_pickle: read its data although it is a pickle.

    Raises: `RunError` when there is no run, `DataError` when the data has changed, `RecipeError` for import
        paths that are not trusted.
    """
    folder = find_folder(path)
    if folder.validation.exists() and folder.report.exists():
        return Run(folder.path, model=model, trust=trust, allow_pickle=allow_pickle)
    asked = load_recipe(folder, model=model, trust=trust, allow_pickle=allow_pickle)
    if source is not None:
        with reading(folder.recipe, trust=trust):
            asked = asked.with_values({"data.source": absolute(source)})
    check_same_recipe(folder, asked)
    with join_processes(asked) as team:
        if not team.is_first:
            help_train(asked, team, callbacks=callbacks)
        with hold(folder.path):
            return _fit(asked, FitContext(folder, team, progress, callbacks, trust))


def _fit(asked: Recipe, context: FitContext) -> Run:
    """Take the five steps in the run's folder, continuing what an earlier attempt left there."""
    with torch.enable_grad(), restore_threads(), log_to(context.folder):  # whoever called, training needs it
        try:
            _take_steps(asked, context)
        except KeyboardInterrupt:
            _log.error("interrupted")
            text = f"interrupted. Continue with: {call('resume', context.folder.path)}"
            raise Interrupted(text, signal.SIGINT) from None
        except Exception as stop:
            _log.error("stopped: %s", stop)
            raise
    readable = all(_is_path(getattr(asked.data, name)) for name in SOURCES)
    model = asked.model if is_object(asked.model) else None
    how: Any = {"trust": context.trust, "allow_pickle": asked.data.read.allow_pickle}
    return Run(context.folder.path, model=model, recipe=asked if readable else None, **how)


def _take_steps(asked: Recipe, context: FitContext) -> None:
    """Massage the data, choose model and objective, train, and test on validation rows."""
    data, recipe = _massage(asked, context)
    recipe, reasons, pipeline, findings = _choose(recipe, data, context)
    replicas = _train(recipe, data, pipeline, context)
    records = read_records(context.folder.metrics)
    rows = len(data.train)
    findings += find_unfinished(records, replicas, pipeline, asked=asked, recipe=recipe, rows=rows)
    _test(recipe, data, pipeline, replicas, context, reasons=reasons, findings=findings)
    _log.info("done")


def _massage(asked: Recipe, context: FitContext) -> tuple[Dataset, Recipe]:
    """Read, split, seal, and infer the columns; the recipe returned names the tables saved in the folder."""
    recipe = _keep_tables(context.folder, asked)
    context.team.from_first(lambda: context.folder.path)
    data = prepare(as_begun(recipe.data, context.folder), cache_in=context.folder.path)
    rows = (len(data.train), len(data.validation), data.sealed.rows)
    _log.info("%s: %d training, %d validation, %d sealed rows", data.source, *rows)
    check_data(recipe, data)
    check_threshold(recipe, data.task)
    return data, recipe


def _choose(
    recipe: Recipe, data: Dataset, context: FitContext
) -> tuple[Recipe, tuple[str, ...], Pipeline, list[Finding]]:
    """Choose encoder, network and objective, and write the choices into the folder before training.

    Returns: the recipe without any `auto`, the reasons, the untrained pipeline, and the findings.
    """
    folder, device, schema = context.folder, choose_device(recipe.training.device), data.schema
    chosen = not is_object(recipe.model) and recipe.model == "auto"
    recipe, reasons, pipeline = assemble(recipe, data.train, schema=schema, task=data.task, device=device)
    shape, rows = pipeline.encoder.shape, len(data.train)
    memory = check_memory(recipe, data.task, shape, rows=rows)
    refuse_errors(memory)
    threads = threads_for(recipe, pipeline, rows)
    settle_environment(folder, data, device=str(device), threads=threads, processes=context.team.size)
    write_yaml(folder.resolved_recipe, resolve_recipe(recipe, data, str(device)))
    _write_split(folder, data)
    findings = [*_told_of_stages(recipe, data), *memory, *_check_size(pipeline, data, chosen=chosen)]
    for finding in findings:
        level = logging.WARNING if finding.level == "warning" else logging.INFO
        _log.log(level, "%s: %s", finding.name, finding)
    return recipe, reasons, pipeline, findings


def _told_of_stages(recipe: Recipe, data: Dataset) -> list[Finding]:
    """The findings about the data; where stages learn from rows without a target, that is said."""
    unlabelled = data.train.unlabelled
    if not recipe.stages or unlabelled is None:
        return [*data.findings]
    changes = {
        "level": "note",
        "why": "A stage learns without a target.",
        "action": f"The stages learn from the {len(unlabelled):,} training rows among them; the network on "
        "top does not, and nothing is measured on them.",
    }
    return [each.model_copy(update=changes) if each.name == "no-target" else each for each in data.findings]


def _train(recipe: Recipe, data: Dataset, pipeline: Pipeline, context: FitContext) -> list[Replica]:
    """Train the network or all its replicas."""
    training_data = make_training_data(recipe, pipeline, data.train, data.validation)
    try_network(pipeline, training_data)
    team = context.team
    team.from_first(lambda: (data.fingerprint, torch.get_num_threads()))
    with resumable(context.folder.path), listening(patient=team.size > 1) as stop_request:
        replicas = train_pipeline(training_data, pipeline, context, stop_request=stop_request)
        team.disband()
    for replica in replicas:
        _log.info("%s", replica)
    record_choices(context.folder, recipe)
    return replicas


def _test(
    recipe: Recipe,
    data: Dataset,
    pipeline: Pipeline,
    replicas: Sequence[Replica],
    context: FitContext,
    *,
    reasons: tuple[str, ...],
    findings: list[Finding],
) -> None:
    """Decide and measure on validation rows, then write figures, model and report; the seal stays shut."""
    part, folder = data.validation, context.folder
    pipeline.decoder.settle(pipeline.network, pipeline.rows(part), part, recipe.evaluation)
    outcome = pipeline.outcome(part)
    summary = summarise(recipe, data, pipeline, outcome, replicas, reasons=reasons, findings=findings)
    summary["training"]["transfer"] = transfer_facts(folder.checkpoints)
    summary["training"]["stages"] = stages = stage_facts(recipe, folder.checkpoints)
    summary["training"]["seconds"] += sum(stage["seconds"] for stage in stages)
    pipeline.save(folder.model)
    write_predictions(folder, "validation", outcome, part, data.task)
    write_samples(folder, pipeline, data.train, part, outcome)
    write_json(folder.validation, summary)
    model = recipe.model if is_object(recipe.model) else None
    run = Run(folder.path, model=model, trust=context.trust)
    write_text(folder.model / "card.md", run.card())
    run.report()


def _keep_tables(folder: Folder, asked: Recipe) -> Recipe:
    """Save the recipe and tables given in memory, so that the run can be continued and tested."""
    plain = asked.asked()
    places: dict[str, Any] = {}
    for name in SOURCES:
        source = getattr(asked.data, name)
        if _is_path(source):
            continue
        with write_atomically(folder.data(name)) as path:
            table = keep_table(source, path, options=asked.data.read, drop=asked.data.drop)
        if name == "source" and asked.data.target is None and table.target is not None:
            places["data.target"] = plain["data"]["target"] = table.target
        plain["data"][name] = folder.data(name).name
        places[f"data.{name}"] = str(folder.data(name))
    if not folder.recipe.exists():
        write_json(folder.first_recipe, asked.plain())
        write_yaml(folder.recipe, plain)
    return asked.with_values(places) if places else asked


def _is_path(source: Any) -> bool:
    """Whether a source can be read again from the recipe: a path, several, or None."""
    several = isinstance(source, list) and all(isinstance(item, str | Path) for item in source)
    return source is None or isinstance(source, str | Path) or several


def _check_size(pipeline: Pipeline, data: Dataset, *, chosen: bool) -> list[Finding]:
    if data.train.table.is_undivided:
        return []  # more rows there are not
    target, task = data.train.target, data.task
    counts = torch.bincount(target, minlength=len(task.classes)).tolist() if task.is_classification else []
    if task.name == "multi-label":
        counts = target.sum(dim=0).long().tolist()
    parameters = count_parameters(first_of(pipeline.network))
    return check_size(len(data.train), parameters, task, data.schema, counts, chosen=chosen)


def _write_split(folder: Folder, data: Dataset) -> None:
    """The part of each row of the source, and the test rows' hashes."""
    with write_atomically(folder.split) as path:
        write_parts(path, data.parts, ["train", "validation", "test", "left out", "each"])
    with write_atomically(folder.sealed_hashes) as path:
        pl.DataFrame({"hash": data.sealed.hashes}).write_parquet(path)

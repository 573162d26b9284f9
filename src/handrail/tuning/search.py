"""tune: try settings, measure them on validation rows, and report what is within noise."""

import functools
import math
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from handrail.data.dataset import Dataset
from handrail.data.prepare import prepare
from handrail.data.sources import read
from handrail.errors import HandrailError, RecipeError, RunError, TrainingError, did_you_mean
from handrail.evaluation.metric_names import higher_is_better
from handrail.fitting import check_start
from handrail.recipe import Recipe
from handrail.recipe.compose import SOURCES, compose
from handrail.runs.assembly import check_data
from handrail.runs.folder import write_yaml
from handrail.tools.files import write_atomically
from handrail.tools.machine import cores
from handrail.tools.yaml import read_yaml
from handrail.training.seeds import derive
from handrail.training.signals import Interrupted, StopRequest, listening
from handrail.training.train import restore_threads
from handrail.tuning.checks import check_space, choose_method
from handrail.tuning.comparison import measure, resample_metric, resamples_for
from handrail.tuning.executors import Executor, ForkedProcesses, ThisProcess
from handrail.tuning.executors.pool import WorkerPool
from handrail.tuning.executors.processes import NewProcess, can_copy
from handrail.tuning.executors.worker import make_job
from handrail.tuning.folder import SearchFolder, begin_search, find_search
from handrail.tuning.group import Grouping, Measurement
from handrail.tuning.methods import Method, make_method
from handrail.tuning.progress import SearchProgress
from handrail.tuning.ranking import Criterion, make_summary, rank
from handrail.tuning.results import Search, fit_winner, write_results
from handrail.tuning.space import Space
from handrail.tuning.trial import Result, Trial
from handrail.tuning.trial_store import TrialStore, settings_text
from handrail.tuning.workspace import Workspace


def tune(
    source: Any = None,
    target: str | int | list[str | int] | None = None,
    *,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
    space: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    refit: bool = False,
    progress: str = "none",
) -> Search:
    """Search for the settings that do best on validation rows. The test rows stay sealed.

    Arguments:
        source, target, recipe, changes: as for `fit`; the base of every trial.
        space: dotted settings with the values to try, in place of the recipe's `tuning.space`:
            `{"model.mlp.dropout": [0, 0.2], "learning.gradient.optimizer.adamw.learning_rate": {"low": 1e-4,
            "high": 0.1, "log": True}}`.
        out: the search folder; by default `runs/<name>-search-<time>`.
        refit: train the winner again, with its replicas, first on training rows and then on training and
            validation rows together, as a run in the folder `winner`, which `Run.test(refit=True)` measures.
        progress: "auto" reports on standard error how far it is, "none" does not.

    Returns: the search: its table, its winner, and what is within noise.

    Raises: `RecipeError`, `DataError` before anything is trained; then nothing is left behind.
        `TrainingError` when every trial failed. `Interrupted` on Ctrl-C or SIGTERM; `resume_search`
        continues.
    """
    settings = dict(changes or {}) | ({} if space is None else {"tuning.space": dict(space)})
    asked = compose(source, target, recipe=recipe, changes=settings)
    check_start(asked)
    check_space(asked)
    new_folders = [path for path in _parents(out) if not path.exists()]
    folder = begin_search(asked.name, out)
    try:
        return _search_in(folder, asked, refit=refit, progress=progress)
    except TrainingError:
        raise
    except HandrailError:
        _discard(folder, new_folders)
        raise


def resume_search(
    path: str | Path,
    *,
    source: Any = None,
    model: torch.nn.Module | None = None,
    refit: bool = False,
    progress: str = "none",
) -> Search:
    """Continue a search that was interrupted or killed; the table is the same as without the interruption.

    Arguments:
        path: the search folder.
        source: where the same data is now, if it has moved.
        model: the module, where the search was given an object.

    Raises: `RunError` when there is no search, or its recipe was changed; `DataError` when the data is not
    what it was.
    """
    folder = find_search(path)
    if folder.summary.exists() and not refit:
        return Search(folder.path)
    return _search_in(folder, _recipe_in(folder, source=source, model=model), refit=refit, progress=progress)


def _recipe_in(folder: SearchFolder, *, source: Any, model: torch.nn.Module | None) -> Recipe:
    values = read_yaml(folder.recipe)
    if model is not None:
        values["model"] = model
    elif str(values.get("model", "")).startswith("<object"):
        raise RunError(
            f"the model of '{folder.path}' was an object, {values['model']}; pass it again (model=...)."
        )
    asked = Recipe.parse(values)
    copies = {
        f"data.{name}": str(folder.data(name))
        for name in SOURCES
        if getattr(asked.data, name) == folder.data(name).name
    }
    moved = (
        {}
        if source is None
        else {"data.source": source if "://" in str(source) else str(Path(str(source)).absolute())}
    )
    return asked.with_values({**copies, **moved})


def _search_in(folder: SearchFolder, asked: Recipe, *, refit: bool, progress: str) -> Search:
    progress_printer = SearchProgress(progress)
    try:
        with restore_threads(), listening() as stop_request:
            asked = _with_data_in_folder(folder, asked)
            store = TrialStore(folder.store)
            try:
                data = _prepare(folder, asked, store)
                _Search(
                    folder, asked, data, store, stop_request=stop_request, progress_printer=progress_printer
                ).run()
            finally:
                store.close()
        if refit:
            fit_winner(folder, data, progress=progress)
    except (Interrupted, KeyboardInterrupt) as stop:
        number = stop.exit_code - 128 if isinstance(stop, Interrupted) else signal.SIGINT
        raise Interrupted(
            f"interrupted; every finished trial is stored. Continue with: handrail resume {folder.path}",
            number,
        ) from None
    return Search(folder.path)


def _prepare(folder: SearchFolder, asked: Recipe, store: TrialStore) -> Dataset:
    """Read and check the rows; they must be the same as when the search began."""
    known = store.facts()
    plain = asked.plain()
    for name in SOURCES:
        plain["data"].pop(name)  # they may have moved; the fingerprint tells whether they are the same
    if known and known["recipe"] != plain:
        raise RunError(
            f"the recipe in '{folder.recipe}' has been changed since the search began. "
            "A search is continued with its recipe; undo the changes, or search again into another folder."
        )
    data = prepare(asked.data, cache_in=folder.path)
    check_data(asked, data)
    if known and known["data"] != data.fingerprint:
        raise RunError(
            f"'{data.source}' has changed since the search began: its rows, or their order, "
            "are not the same. Restore it, name its new place (resume --source), or search again "
            "into another folder."
        )
    if not known:
        store.note({"recipe": plain, "data": data.fingerprint, "threads": max(1, cores() // _workers(asked))})
    return data


def _with_data_in_folder(folder: SearchFolder, asked: Recipe) -> Recipe:
    """Write the recipe, and tables that lie in memory, for workers and a later resume to read."""
    written, changes = asked.asked(), {}
    for name in SOURCES:
        source = getattr(asked.data, name)
        several = isinstance(source, list) and all(isinstance(item, str | Path) for item in source)
        if source is None or isinstance(source, str | Path) or several:
            continue
        with write_atomically(folder.data(name)) as path:
            read(source, options=asked.data.read).frame.write_parquet(path)
        written["data"][name] = folder.data(name).name
        changes[f"data.{name}"] = str(folder.data(name).absolute())
    if not folder.recipe.exists():
        write_yaml(folder.recipe, written)
    return asked.with_values(changes) if changes else asked


class _Search:
    """One search, from its first trial, or from where an earlier attempt stopped, to its table."""

    def __init__(
        self,
        folder: SearchFolder,
        asked: Recipe,
        data: Dataset,
        store: TrialStore,
        *,
        stop_request: StopRequest,
        progress_printer: SearchProgress,
    ) -> None:
        self.folder, self.asked, self.data, self.store = folder, asked, data, store
        self.stop_request, self.progress_printer = stop_request, progress_printer
        self.space: Space = check_space(asked)
        self.workspace = Workspace(asked, data, threads=store.facts()["threads"])
        self.measurement = _make_measurement(self.workspace)
        self.results, self.known = store.results(), store.settings()
        self.trials: dict[tuple[int, int], Trial] = {}
        self.grouping = Grouping(self.workspace)

    def run(self) -> None:
        """Train what the method asks for, tell it the results, until it is done; then write the table."""
        method, executor = self._make_method(), self._make_executor()
        try:
            while batch := method.ask():
                self._train(batch, executor)
                method.tell([self.results[trial.key] for trial in batch])
        finally:
            executor.close()
        ranking = rank(self.trials, self.results, self._criterion)
        if all(result.failure for result in ranking):
            reasons = list(dict.fromkeys(result.failure for result in ranking))[:3]
            raise TrainingError([f"every trial failed; the search is in '{self.folder.path}'.", *reasons])
        summary = make_summary(self.trials, ranking, self._measure_baselines(), self._criterion)
        write_results(
            self.folder,
            self.asked,
            self.data,
            {"space": self.space, "method": choose_method(self.asked, self.space), **summary},
        )
        shutil.rmtree(self.folder.work, ignore_errors=True)

    @property
    def _criterion(self) -> Criterion:
        return Criterion(self.measurement.metric, self.asked.evaluation.confidence, self.asked.seed)

    def _make_method(self) -> Method:
        settled = self.workspace.settle(self.asked)
        assert settled.training.epochs != "auto", "a recipe is settled before training"
        return make_method(
            choose_method(self.asked, self.space),
            self.asked.tuning,
            self.space,
            seed=self.asked.seed,
            epochs=settled.training.epochs,
            higher=higher_is_better(self.measurement.metric),
        )

    def _train(self, batch: list[Trial], executor: Executor) -> None:
        """Train the trials without a stored result, grouped as if all were new."""
        self.trials |= {trial.key: trial for trial in batch}
        different = [
            trial
            for trial in batch
            if self.known.get(trial.key, settings_text(trial)) != settings_text(trial)
        ]
        if different:
            raise RunError(
                f"trial {different[0].number} of '{self.folder.path}' has other settings "
                "than this version proposes; search again into another folder."
            )
        groups, failed = self.grouping.groups(batch)
        self._add(
            [self.trials[result.key] for result in failed],
            [result for result in failed if result.key not in self.results],
        )
        left = [group for group in groups if any(trial.key not in self.results for trial in group.trials)]
        self.progress_printer.batch(batch, done=sum(trial.key in self.results for trial in batch))
        executor.run([(group, self.folder.work / group.name) for group in left], self._add)
        self.workspace.drop_networks()

    def _add(self, trials: Sequence[Trial], results: Sequence[Result]) -> None:
        self.store.add(trials, results)
        self.results |= {result.key: result for result in results}
        self.progress_printer.add(results, metric=self.measurement.metric, sign=self._criterion.sign)

    def _make_executor(self) -> Executor:
        settings, stop_request = self.asked.tuning, self.stop_request
        count = _workers(self.asked)
        job = make_job(self.asked, self.data.fingerprint, self.measurement, threads=self.workspace.threads)
        if settings.cluster is not None:
            if job is None:
                raise RecipeError(
                    "tuning.cluster: a recipe with objects cannot be sent; name its parts by import path."
                )
            from handrail.tuning.executors.ray import Cluster

            return Cluster(job, settings.cluster, count, stop_request=stop_request)
        if count == 1 or self.workspace.device.type != "cpu":
            return ThisProcess(self.workspace, self.measurement, stop_request=stop_request)
        make_pool = (
            None
            if job is None
            else functools.partial(
                WorkerPool, functools.partial(NewProcess, job), count, stop_request=stop_request
            )
        )
        usual = (
            ThisProcess(self.workspace, self.measurement, stop_request=stop_request, make_workers=make_pool)
            if settings.workers == "auto" or not make_pool
            else make_pool()
        )
        return (
            ForkedProcesses(
                self.workspace, self.measurement, count, stop_request=stop_request, fallback=usual
            )
            if can_copy(self.workspace)
            else usual
        )

    def _measure_baselines(self) -> dict[str, tuple[float, np.ndarray]]:
        """The figure of each baseline and its resamples, as means over the folds."""
        folds = self.workspace.baselines()
        metric, measurement = self.measurement.metric, self.measurement
        figures = {}
        for name in folds[0]:
            value = sum(measure(fold[name], metric) for fold in folds) / len(folds)
            resampled = [
                resample_metric(
                    fold[name], metric, resamples=measurement.resamples, seed=measurement.seed + number
                )
                for number, fold in enumerate(folds)
            ]
            if math.isfinite(value):  # a baseline without a defined figure is left out
                figures[name] = (value, sum(resampled) / len(resampled))
        return figures


def _make_measurement(workspace: Workspace) -> Measurement:
    """The metric that trials are ranked by: as asked, or the fair one that the task chooses."""
    recipe = workspace.settle(workspace.recipe)
    outcome, fair = workspace.evaluate(recipe, 0, workspace.network(recipe, 0).eval())
    asked = workspace.recipe.tuning.metric
    if asked not in ("auto", *outcome.names()):
        raise RecipeError(
            f"tuning.metric: {workspace.data.task.name} has no figure '{asked}'."
            + did_you_mean(asked, ["auto", *outcome.names()])
        )
    resamples = resamples_for(outcome, workspace.recipe.evaluation.resamples)
    return Measurement(
        fair if asked == "auto" else asked, resamples, derive(workspace.recipe.seed, "resamples") % 2**32
    )


def _workers(asked: Recipe) -> int:
    return cores() if asked.tuning.workers == "auto" else asked.tuning.workers


def _parents(out: str | Path | None) -> list[Path]:
    path = Path(out) if out else Path("runs")
    return [path, *path.parents]


def _discard(folder: SearchFolder, new_folders: list[Path]) -> None:
    """Remove the files of a search that never began a trial."""
    for file in (folder.recipe, folder.store, *(folder.data(name) for name in SOURCES)):
        file.unlink(missing_ok=True)
    for path in [folder.path, *new_folders]:
        try:
            path.rmdir()
        except OSError:  # something else is there
            return

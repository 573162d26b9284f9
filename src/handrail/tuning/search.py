"""tune: try settings, measure them on validation rows, and report what is within noise."""

import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from handrail.data.dataset import Dataset
from handrail.data.prepare import prepare
from handrail.data.writers import keep_table
from handrail.errors import RecipeError, RunError, TrainingError, did_you_mean
from handrail.recipe import SOURCES, Recipe, compose
from handrail.runs.assembly import check_data, check_start
from handrail.runs.folder import set_aside, write_yaml
from handrail.runs.lock import hold
from handrail.tools.files import write_atomically
from handrail.tools.interface import argument, call
from handrail.tools.machine import cores
from handrail.tools.trust import reading
from handrail.tools.yaml import read_yaml
from handrail.training.seeds import derive
from handrail.training.signals import Interrupted, StopRequest, listening
from handrail.training.speed.threads import restore_threads
from handrail.tuning.checks import check_space, choose_method
from handrail.tuning.comparison import (
    Criterion,
    Measurement,
    find_simplest,
    make_summary,
    rank,
    resamples_for,
)
from handrail.tuning.executors import Executor, make_executor
from handrail.tuning.group import Grouping
from handrail.tuning.methods import Method, make_method
from handrail.tuning.results import (
    Search,
    SearchFolder,
    find_search,
    fit_winner,
    new_search,
    write_results,
)
from handrail.tuning.trial import Result, Trial, TrialStore, settings_text
from handrail.tuning.workspace import Workspace

_PAUSE = 1.0  # seconds between two lines of progress


def tune(
    source: Any = None,
    target: str | int | list[str | int] | None = None,
    *,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
    space: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    refit: bool = False,
    trust: bool = False,
    progress: str = "none",
) -> Search:
    """Search for the settings that do best on validation rows. The test rows stay sealed.

    Arguments:
        source, target, recipe, changes: as for `fit`; the base of every trial.
        space: dotted settings with the values to try, in place of the recipe's `tuning.space`:
            `{"model.mlp.dropout": [0, 0.2], "learning.gradient.optimizer.adamw.learning_rate": {"low": 1e-4,
            "high": 0.1, "log": True}}`.
        out: the search folder; by default `runs/<name>-search-<time>`.
        overwrite: replace the search that is in this folder; it comes back if the new one cannot begin.
        refit: train the winner again, with its replicas, first on training rows and then on training and
            validation rows together, as a run in the folder `winner`, which `Run.test(refit=True)` measures.
        trust: import what a recipe file names by import path.
        progress: "auto" reports on standard error how far it is, "none" does not.

    Returns: the search: its table, its winner, and what is within noise.

    Raises: `RecipeError`, `DataError` before anything is trained; then nothing is left behind.
        `TrainingError` when every trial failed. `Interrupted` on Ctrl-C or SIGTERM; see `resume_search`.
    """
    settings = dict(changes or {}) | ({} if space is None else {"tuning.space": dict(space)})
    asked = compose(source, target, recipe=recipe, changes=settings, trust=trust)
    check_start(asked)
    check_space(asked)
    with set_aside(out, "search", "search.yaml", overwrite=overwrite), new_search(asked.name, out) as folder:
        return _search_in(folder, asked, refit=refit, trust=trust, progress=progress)


def resume_search(
    path: str | Path,
    *,
    source: Any = None,
    model: torch.nn.Module | None = None,
    refit: bool = False,
    trust: bool = False,
    allow_pickle: bool = False,
    progress: str = "none",
) -> Search:
    """Continue a search that was interrupted or killed; the table is the same as without the interruption.

    Arguments:
        path: the search folder.
        source: where the same data is now, if it has moved.
        model: the module, where the search was given an object.
        trust: import what the files of the search name by import path.
        allow_pickle: read its data although it is a pickle.

    Raises: `RunError` when there is no search, or its recipe or its data has changed; `RecipeError` for
        import paths that are not trusted.
    """
    folder = find_search(path)
    if folder.summary.exists() and not refit:
        return Search(folder.path, trust=trust)
    with reading(folder.recipe, trust=trust):
        asked = _recipe_in(folder, source=source, model=model, trust=trust, allow_pickle=allow_pickle)
    with hold(folder.path):
        return _search_in(folder, asked, refit=refit, trust=trust, progress=progress)


def _recipe_in(
    folder: SearchFolder, *, source: Any, model: torch.nn.Module | None, trust: bool, allow_pickle: bool
) -> Recipe:
    values = read_yaml(folder.recipe)
    if model is not None:
        values["model"] = model
    elif str(values.get("model", "")).startswith("<object"):
        problem = f"was an object, {values['model']}; pass it again (model=...)"
        raise RunError(f"the model of '{folder.path}' {problem}.")
    asked = Recipe.from_file(values, folder.recipe, trust=trust, allow_pickle=allow_pickle)
    files = {name: folder.data(name) for name in SOURCES}
    changes: dict[str, Any] = {
        f"data.{name}": str(file) for name, file in files.items() if getattr(asked.data, name) == file.name
    }
    if source is not None:
        changes["data.source"] = source if "://" in str(source) else str(Path(str(source)).absolute())
    return asked.with_values(changes)


def _search_in(folder: SearchFolder, asked: Recipe, *, refit: bool, trust: bool, progress: str) -> Search:
    printer = SearchProgress(progress)
    try:
        with restore_threads(), listening() as stop_request:
            asked = _with_data_in_folder(folder, asked)
            store = TrialStore(folder.store)
            try:
                data = _prepare(folder, asked, store)
                _Search(folder, asked, data, store, stop_request=stop_request, printer=printer).run()
            finally:
                store.close()
        if refit:
            allow_pickle = asked.data.read.allow_pickle
            fit_winner(folder, data, trust=trust, allow_pickle=allow_pickle, progress=progress)
    except (Interrupted, KeyboardInterrupt) as stop:
        number = stop.exit_code - 128 if isinstance(stop, Interrupted) else signal.SIGINT
        advice = f"Continue with: {call('resume', folder.path, function='resume_search')}"
        raise Interrupted(f"interrupted; every finished trial is stored. {advice}", number) from None
    return Search(folder.path, trust=trust)


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
            f"'{data.source}' has changed since the search began: its rows, or their order, are not the same."
            f" Restore it, name its new place ({argument('source', 'PATH')}), or search again into another "
            "folder."
        )
    if not known:
        store.note({"recipe": plain, "data": data.fingerprint, "threads": max(1, cores() // _workers(asked))})
    return data


def _with_data_in_folder(folder: SearchFolder, asked: Recipe) -> Recipe:
    """Write the recipe, and tables that lie in memory, for workers and a later resume to read."""
    written = asked.asked()
    changes: dict[str, Any] = {}
    for name in SOURCES:
        source = getattr(asked.data, name)
        several = isinstance(source, list) and all(isinstance(item, str | Path) for item in source)
        if source is None or isinstance(source, str | Path) or several:
            continue
        with write_atomically(folder.data(name)) as path:
            table = keep_table(source, path, options=asked.data.read, drop=asked.data.drop)
        if name == "source" and asked.data.target is None and table.target is not None:
            changes["data.target"] = written["data"]["target"] = table.target
        written["data"][name] = folder.data(name).name
        changes[f"data.{name}"] = str(folder.data(name).absolute())
    if not folder.recipe.exists():
        write_yaml(folder.recipe, written)
    return asked.with_values(changes) if changes else asked


class SearchProgress:
    """Prints plain lines, or nothing with the style `none`."""

    def __init__(self, style: str) -> None:
        self.silent = style == "none"
        self.asked = self.done = self.failed = 0
        self.best: tuple[float, int] | None = None
        self._printed, self._began = 0.0, time.monotonic()

    def batch(self, trials: Sequence[Trial], *, done: int) -> None:
        """Report that trials begin; `done` of them have a stored result."""
        self.asked += len(trials)
        self.done += done
        if not self.silent:
            rung = f", rung {trials[0].rung + 1}" if trials[0].share < 1 or trials[0].rung else ""
            before = f" ({done} of them stored already)" if done else ""
            print(f"{len(trials)} trials begin{rung}{before}", file=sys.stderr)  # noqa: T201

    def add(self, results: Sequence[Result], *, metric: str, sign: int) -> None:
        """Report trials that have ended."""
        self.done += len(results)
        self.failed += sum(bool(result.failure) for result in results)
        for result in results:
            if not result.failure and (self.best is None or sign * result.value > sign * self.best[0]):
                self.best = (result.value, result.number)
        now = time.monotonic()
        if self.silent or not results or (now - self._printed < _PAUSE and self.done < self.asked):
            return
        self._printed = now
        best = "" if self.best is None else f"; best {metric} {self.best[0]:.4f}, trial {self.best[1]}"
        failed = f", {self.failed} failed" if self.failed else ""
        text = f"{self.done} of {self.asked} done{failed}{best}  ({now - self._began:.1f} s)"
        print(text, file=sys.stderr)  # noqa: T201


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
        printer: SearchProgress,
    ) -> None:
        self.folder, self.asked, self.data, self.store = folder, asked, data, store
        self.stop_request, self.printer = stop_request, printer
        self.space = check_space(asked)
        self.workspace = Workspace(asked, data, threads=store.facts()["threads"])
        self.measurement = _make_measurement(self.workspace)
        self.results, self.known = store.results(), store.settings()
        self.trials: dict[tuple[int, int], Trial] = {}
        self.grouping = Grouping(self.workspace)

    def run(self) -> None:
        """Train what the method asks for, tell it the results, until it is done; then write the table."""
        method = self._make_method()
        executor = make_executor(
            self.workspace, self.measurement, _workers(self.asked), stop_request=self.stop_request
        )
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
        best = self.trials[ranking[0].number, ranking[0].rung]
        baselines = self.workspace.measure_baselines(self.measurement, best)
        summary = {"space": self.space, "method": choose_method(self.asked, self.space)}
        summary |= make_summary(self.trials, ranking, baselines, self._criterion)
        summary |= self._choose(summary)
        write_results(self.folder, self.asked, self.data, summary)
        shutil.rmtree(self.folder.work, ignore_errors=True)

    def _choose(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """The trial that wins, and where simplicity counts, the parameters of those within noise."""
        if self.asked.tuning.choose == "best":
            return {"choose": "best", "chosen": summary["best"]}
        alike = [row for row in summary["table"] if row.get("within_noise")]
        parameters = {
            row["trial"]: self.workspace.count_parameters(self.trials[row["trial"], row["rung"]])
            for row in alike
        }
        return {"choose": "simplest", "chosen": find_simplest(summary, parameters), "parameters": parameters}

    @property
    def _criterion(self) -> Criterion:
        return Criterion(self.measurement.metric, self.asked.evaluation.confidence, self.asked.seed)

    def _make_method(self) -> Method:
        name, settings, seed = choose_method(self.asked, self.space), self.asked.tuning, self.asked.seed
        epochs, higher = self.workspace.settle(self.asked).training.epochs, self._criterion.sign > 0
        assert epochs != "auto", "a recipe is settled before training"
        return make_method(name, settings, self.space, seed=seed, epochs=epochs, higher=higher)

    def _train(self, batch: list[Trial], executor: Executor) -> None:
        """Train the trials without a stored result, grouped as if all were new."""
        self.trials |= {trial.key: trial for trial in batch}
        for trial in batch:
            if self.known.get(trial.key, settings_text(trial)) != settings_text(trial):
                raise RunError(
                    f"trial {trial.number} of '{self.folder.path}' has other settings "
                    "than this version proposes; search again into another folder."
                )
        groups, failed = self.grouping.groups(batch)
        self._add(batch, [result for result in failed if result.key not in self.results])
        left = [group for group in groups if any(trial.key not in self.results for trial in group.trials)]
        self.printer.batch(batch, done=sum(trial.key in self.results for trial in batch))
        executor.run([(group, self.folder.work / group.name) for group in left], self._add)
        self.workspace.drop_networks()

    def _add(self, trials: Sequence[Trial], results: Sequence[Result]) -> None:
        self.store.add(trials, results)
        self.results |= {result.key: result for result in results}
        self.printer.add(results, metric=self.measurement.metric, sign=self._criterion.sign)


def _make_measurement(workspace: Workspace) -> Measurement:
    """The metric that trials are ranked by: as asked, or the fair one that the task chooses."""
    recipe = workspace.settle(workspace.recipe)
    outcome, fair = workspace.evaluate(recipe, 0, workspace.network(recipe, 0).eval())
    asked = workspace.recipe.tuning.metric
    known = ["auto", *outcome.names()]
    if asked not in known:
        hint = did_you_mean(asked, known)
        raise RecipeError(f"tuning.metric: {workspace.data.task.name} has no figure '{asked}'.{hint}")
    resamples = resamples_for(outcome, workspace.recipe.evaluation.resamples)
    seed = derive(workspace.recipe.seed, "resamples") % 2**32
    return Measurement(fair if asked == "auto" else asked, resamples, seed)


def _workers(asked: Recipe) -> int:
    return cores() if asked.tuning.workers == "auto" else asked.tuning.workers

"""tune: try settings, judge them on validation rows, and say honestly what came of it."""

import functools
import math
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
from handrail.training.signals import Interrupted, StopWish, listening
from handrail.training.train import threads_kept
from handrail.tuning.checks import checked_space, method_of
from handrail.tuning.executors import Copies, Hands, Own
from handrail.tuning.executors.pool import Crew
from handrail.tuning.executors.processes import Fresh, can_copy
from handrail.tuning.executors.worker import job_of
from handrail.tuning.folder import SearchFolder, begin_search, existing_search
from handrail.tuning.group import Grouping, Measuring
from handrail.tuning.methods import Method, make_method
from handrail.tuning.progress import Teller
from handrail.tuning.ranking import Question, judged, ranked
from handrail.tuning.resamples import draws_of, resamples_for, value_of
from handrail.tuning.results import Search, write_found
from handrail.tuning.space import Space
from handrail.tuning.trial import Trial
from handrail.tuning.trial_store import Store, spoken_settings
from handrail.tuning.winner import fit_winner
from handrail.tuning.workspace import Workshop


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
    """Search the settings that do best on validation rows. The test rows stay sealed.

    Arguments:
        source, target, recipe, changes: as for `fit`; the base of every trial.
        space: dotted settings with the values to try, in place of the recipe's `tuning.space`:
            `{"model.mlp.dropout": [0, 0.2], "learning.gradient.optimizer.adamw.learning_rate": {"low": 1e-4,
            "high": 0.1, "log": True}}`.
        out: the search folder; by default `runs/<name>-search-<time>`.
        refit: train the winner anew, with its replicas, first on training rows and then on training and
            validation rows together, as a run in the folder `winner`, which `Run.test(refit=True)` measures.
        progress: "auto" tells on standard error how far it is, "none" does not.

    Returns: the search: its table, its winner, and what is within noise.

    Raises: `RecipeError`, `DataError` before anything is trained; then nothing is left behind.
    `TrainingError` when every trial failed.
        `Interrupted` on Ctrl-C or SIGTERM; `resume_search` goes on.
    """
    given = dict(changes or {}) | ({} if space is None else {"tuning.space": dict(space)})
    asked = compose(source, target, recipe=recipe, changes=given)
    check_start(asked)
    checked_space(asked)
    made = [path for path in _parents(out) if not path.exists()]
    folder = begin_search(asked.name, out)
    try:
        return _search_in(folder, asked, refit=refit, progress=progress)
    except TrainingError:
        raise
    except HandrailError:
        _discard(folder, made)
        raise


def resume_search(
    path: str | Path,
    *,
    source: Any = None,
    model: torch.nn.Module | None = None,
    refit: bool = False,
    progress: str = "none",
) -> Search:
    """Continue a search that was interrupted or killed; what is finished is not repeated, and the table comes
    out the same.

    Arguments:
        path: the search folder.
        source: where the same data is now, if it has moved.
        model: the module, where the search was given an object.

    Raises: `RunError` when there is no search, or its recipe was changed; `DataError` when the data is not
    what it was.
    """
    folder = existing_search(path)
    if folder.summary.exists() and not refit:
        return Search(folder.path)
    return _search_in(folder, _recipe_in(folder, source=source, model=model), refit=refit, progress=progress)


def _recipe_in(folder: SearchFolder, *, source: Any, model: torch.nn.Module | None) -> Recipe:
    values = read_yaml(folder.recipe)
    if model is not None:
        values["model"] = model
    elif str(values.get("model", "")).startswith("<object"):
        raise RunError(
            f"the model of '{folder.path}' was given as an object, {values['model']}; give it again (model=...)."
        )
    asked = Recipe.parse(values)
    kept = {
        f"data.{name}": str(folder.data(name))
        for name in SOURCES
        if getattr(asked.data, name) == folder.data(name).name
    }
    moved = (
        {}
        if source is None
        else {"data.source": source if "://" in str(source) else str(Path(str(source)).absolute())}
    )
    return asked.with_values({**kept, **moved})


def _search_in(folder: SearchFolder, asked: Recipe, *, refit: bool, progress: str) -> Search:
    teller = Teller(progress)
    try:
        with threads_kept(), listening() as wish:
            asked = _with_data_in_folder(folder, asked)
            store = Store(folder.store)
            try:
                data = _prepared(folder, asked, store)
                _Search(folder, asked, data, store, wish=wish, teller=teller).run()
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


def _prepared(folder: SearchFolder, asked: Recipe, store: Store) -> Dataset:
    """The rows, checked, and the same as when the search began."""
    known = store.facts()
    plain = asked.plain()
    for name in SOURCES:
        plain["data"].pop(name)  # they may have moved; the fingerprint tells whether they are the same
    if known and known["recipe"] != plain:
        raise RunError(
            f"the recipe in '{folder.recipe}' has been changed since the search began. A search is continued as it was begun; take the "
            "changes back, or search again into another folder."
        )
    data = prepare(asked.data, cache_in=folder.path)
    check_data(asked, data)
    if known and known["data"] != data.fingerprint:
        raise RunError(
            f"'{data.source}' has changed since the search began: its rows, or their order, are not the same. Restore it, name its new "
            "place (resume --source), or search again into another folder."
        )
    if not known:
        store.note({"recipe": plain, "data": data.fingerprint, "threads": max(1, cores() // _workers(asked))})
    return data


def _with_data_in_folder(folder: SearchFolder, asked: Recipe) -> Recipe:
    """Write the recipe; tables in memory are kept in the search folder, so that workers and a later resume
    can read them.
    """
    plain, changes = asked.asked(), {}
    for name in SOURCES:
        source = getattr(asked.data, name)
        several = isinstance(source, list) and all(isinstance(item, str | Path) for item in source)
        if source is None or isinstance(source, str | Path) or several:
            continue
        with write_atomically(folder.data(name)) as path:
            read(source, options=asked.data.read).frame.write_parquet(path)
        plain["data"][name] = folder.data(name).name
        changes[f"data.{name}"] = str(folder.data(name).absolute())
    if not folder.recipe.exists():
        write_yaml(folder.recipe, plain)
    return asked.with_values(changes) if changes else asked


class _Search:
    """One search, from its first trial, or from where an earlier attempt stopped, to its table."""

    def __init__(
        self,
        folder: SearchFolder,
        asked: Recipe,
        data: Dataset,
        store: Store,
        *,
        wish: StopWish,
        teller: Teller,
    ) -> None:
        self.folder, self.asked, self.data, self.store = folder, asked, data, store
        self.wish, self.teller = wish, teller
        self.space: Space = checked_space(asked)
        self.workshop = Workshop(asked, data, threads=store.facts()["threads"])
        self.measuring = _measuring(self.workshop)
        self.results, self.known = store.results(), store.settings()
        self.trials: dict[tuple[int, int], Trial] = {}
        self.grouping = Grouping(self.workshop)

    def run(self) -> None:
        """Ask the method, train what it asks for, tell it; then write the table."""
        method, hands = self._method(), self._hands()
        try:
            while batch := method.ask():
                self._train(batch, hands)
                method.tell([self.results[trial.key] for trial in batch])
        finally:
            hands.close()
        order = ranked(self.trials, self.results, self._question)
        if all(one.failure for one in order):
            reasons = list(dict.fromkeys(one.failure for one in order))[:3]
            raise TrainingError([f"every trial failed; the search is in '{self.folder.path}'.", *reasons])
        found = judged(self.trials, order, self._rivals(), self._question)
        write_found(
            self.folder,
            self.asked,
            self.data,
            {"space": self.space, "method": method_of(self.asked, self.space), **found},
        )
        shutil.rmtree(self.folder.work, ignore_errors=True)

    @property
    def _question(self) -> Question:
        return Question(self.measuring.metric, self.asked.evaluation.confidence, self.asked.seed)

    def _method(self) -> Method:
        settled = self.workshop.settle(self.asked)
        assert settled.training.epochs != "auto", "a recipe is settled before training"
        return make_method(
            method_of(self.asked, self.space),
            self.asked.tuning,
            self.space,
            seed=self.asked.seed,
            epochs=settled.training.epochs,
            higher=higher_is_better(self.measuring.metric),
        )

    def _train(self, batch: list[Trial], hands: Hands) -> None:
        """Those of a batch that are not stored yet; groups are those of the whole batch all the same."""
        self.trials |= {trial.key: trial for trial in batch}
        strange = [
            trial
            for trial in batch
            if self.known.get(trial.key, spoken_settings(trial)) != spoken_settings(trial)
        ]
        if strange:
            raise RunError(
                f"trial {strange[0].number} of '{self.folder.path}' has other settings than this version proposes; search again into "
                "another folder."
            )
        groups, failed = self.grouping.groups(batch)
        self._keep(
            [self.trials[one.key] for one in failed], [one for one in failed if one.key not in self.results]
        )
        left = [group for group in groups if any(trial.key not in self.results for trial in group.trials)]
        self.teller.batch(batch, done=sum(trial.key in self.results for trial in batch))
        hands.do([(group, self.folder.work / group.name) for group in left], self._keep)
        self.workshop.forget_networks()

    def _keep(self, trials: Any, results: Any) -> None:
        self.store.add(trials, results)
        self.results |= {one.key: one for one in results}
        self.teller.finished(results, metric=self.measuring.metric, sign=self._question.sign)

    def _hands(self) -> Hands:
        settings, wish = self.asked.tuning, self.wish
        count = _workers(self.asked)
        job = job_of(self.asked, self.data.fingerprint, self.measuring, threads=self.workshop.threads)
        if settings.cluster is not None:
            if job is None:
                raise RecipeError(
                    "tuning.cluster: a recipe with objects in it cannot be sent; name its parts by import path."
                )
            from handrail.tuning.executors.ray import Cluster

            return Cluster(job, settings.cluster, count, wish=wish)
        if count == 1 or self.workshop.device.type != "cpu":
            return Own(self.workshop, self.measuring, wish=wish)
        fresh = (
            None if job is None else functools.partial(Crew, functools.partial(Fresh, job), count, wish=wish)
        )
        usual = (
            Own(self.workshop, self.measuring, wish=wish, others=fresh)
            if settings.workers == "auto" or not fresh
            else fresh()
        )
        return (
            Copies(self.workshop, self.measuring, count, wish=wish, alone=usual)
            if can_copy(self.workshop)
            else usual
        )

    def _rivals(self) -> dict[str, Any]:
        """Each baseline's figure and its draws, as means over the folds."""
        folds = self.workshop.baselines()
        metric, measuring = self.measuring.metric, self.measuring
        found = {}
        for name in folds[0]:
            value = sum(value_of(fold[name], metric) for fold in folds) / len(folds)
            draws = [
                draws_of(fold[name], metric, resamples=measuring.resamples, seed=measuring.seed + place)
                for place, fold in enumerate(folds)
            ]
            if math.isfinite(value):  # a figure that is not defined for a baseline is no rival
                found[name] = (value, sum(draws) / len(draws))
        return found


def _measuring(workshop: Workshop) -> Measuring:
    """The figure that trials are judged by: as asked, or what the task's decoder finds fair of a network that
    has learned nothing.
    """
    recipe = workshop.settle(workshop.recipe)
    outcome, fair = workshop.answers(recipe, 0, workshop.network(recipe, 0).eval())
    asked = workshop.recipe.tuning.metric
    if asked not in ("auto", *outcome.names()):
        raise RecipeError(
            f"tuning.metric: {workshop.data.task.name} has no figure '{asked}'.{did_you_mean(asked, ['auto', *outcome.names()])}"
        )
    resamples = resamples_for(outcome, workshop.recipe.evaluation.resamples)
    return Measuring(
        fair if asked == "auto" else asked, resamples, derive(workshop.recipe.seed, "resamples") % 2**32
    )


def _workers(asked: Recipe) -> int:
    return cores() if asked.tuning.workers == "auto" else asked.tuning.workers


def _parents(out: str | Path | None) -> list[Path]:
    path = Path(out) if out else Path("runs")
    return [path, *path.parents]


def _discard(folder: SearchFolder, made: list[Path]) -> None:
    """Remove a search that never got as far as a trial; nothing half-written is left."""
    for inside in (folder.recipe, folder.store, *(folder.data(name) for name in SOURCES)):
        inside.unlink(missing_ok=True)
    for path in [folder.path, *made]:
        try:
            path.rmdir()
        except OSError:  # something else is there
            return

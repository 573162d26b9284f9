"""The folder of a search: its files, how results are written and read, and the run of the winner."""

import functools
import io
import math
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from handrail.data.dataset import Dataset
from handrail.errors import RunError, visible
from handrail.fitting import fit, resume
from handrail.recipe import Recipe
from handrail.run import Run
from handrail.runs.folder import check_folder, claim, discard_unless, read_json, write_json
from handrail.runs.lock import hold
from handrail.tools.files import write_bytes, write_text
from handrail.tools.interface import call
from handrail.tools.notebook import Printable
from handrail.tuning.space import Choices, Dimension
from handrail.tuning.trial import TrialStore


class SearchFolder:
    """The files of one search."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "search.yaml"  # not `recipe.yaml`: this is no run folder
        self.store = path / "search.sqlite"
        self.work = path / "work"  # checkpoints of trials under way; removed when the search ends
        self.table = path / "trials.csv"
        self.summary = path / "search.json"
        self.winner = path / "winner.yaml"
        self.report = path / "report.html"
        self.run = path / "winner"  # the run folder of the winner, once it was trained again

    def data(self, name: str) -> Path:
        """A table that was given as an object in memory: `source`, `validation` or `test`."""
        return self.path / f"data-{name}.parquet"


@contextmanager
def new_search(name: str, out: str | Path | None) -> Iterator[SearchFolder]:
    """The folder of a new search, held while open; a search that ends before its first trial leaves nothing.

    Raises: as `handrail.runs.folder.claim`.
    """
    with claim(name, out) as (path, made):
        folder = SearchFolder(path)
        with discard_unless(lambda: _has_begun(folder), path, made, marker=folder.recipe.name):
            yield folder


def _has_begun(folder: SearchFolder) -> bool:
    """Whether a trial has been trained, if only for a while, or has failed."""
    if folder.summary.exists() or any(folder.work.rglob("state.safetensors")):
        return True
    if not folder.store.is_file():
        return False
    try:
        store = TrialStore(folder.store)
    except RunError:  # what cannot be read is not thrown away
        return True
    with closing(store):
        return bool(store.settings())


def find_search(path: str | Path) -> SearchFolder:
    """The folder of an existing search. Raises: `RunError` when there is none."""
    return SearchFolder(check_folder(path, "search", "search.yaml"))


class Search(Printable):
    """A search folder; printed, or in a notebook's cell, what `handrail tune` prints.

    Arguments:
        path: the folder.
        trust: import what its files name by import path.

    Raises: `RunError` when the folder is no search.
    """

    def __init__(self, path: str | Path, *, trust: bool = False) -> None:
        self.folder, self._trust = find_search(path), trust

    def __repr__(self) -> str:
        return f"Search('{self.folder.path}')"

    def __str__(self) -> str:
        from handrail.report.search import search_text

        if not self.folder.summary.exists():
            continues = call("tune --resume", self.path, function="resume_search")
            return f"{self!r}: it has not ended; continue it with: {continues}"
        return visible(search_text(self.summary))

    @property
    def path(self) -> Path:
        """The search folder."""
        return self.folder.path

    @functools.cached_property
    def summary(self) -> dict[str, Any]:
        """The table and its conclusions: `search.json`. Raises: `RunError` while the search has not ended."""
        return read_json(self.folder.summary)

    @property
    def table(self) -> list[dict[str, Any]]:
        """The trials, best first, failed ones last: settings, metric, interval, loss, epochs, spreads."""
        return self.summary["table"]

    @property
    def best(self) -> dict[str, Any]:
        """The first row of the table."""
        return self.table[0]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the trial that wins: the best one, or the simplest within noise of it."""
        return chosen_row(self.summary)["settings"]

    @property
    def within_noise(self) -> list[int]:
        """The numbers of the trials that the validation rows cannot distinguish from the best."""
        return self.summary["within_noise"]

    @property
    def winner(self) -> Recipe:
        """The base recipe with the settings of the trial that wins: `winner.yaml`."""
        return Recipe.load(self.folder.winner, trust=self._trust)

    @property
    def run(self) -> Run | None:
        """The run of the winner, if it was trained again."""
        return Run(self.folder.run, trust=self._trust) if self.folder.run.exists() else None

    def frame(self) -> pl.DataFrame:
        """The table with a column for each setting: `trials.csv`."""
        return _frame(self.summary)


def write_results(folder: SearchFolder, asked: Recipe, data: Dataset, summary: Mapping[str, Any]) -> None:
    """Write `winner.yaml`, `trials.csv`, `report.html` and, last, `search.json`.

    The same trials give the same files, byte for byte.

    Arguments:
        summary: from `make_summary`, with the space and the method.
    """
    from handrail.report.search import render_search

    tuning = asked.tuning
    complete = {
        "name": asked.name,
        "source": data.source,
        "task": data.task.model_dump(),
        "positive": data.task.positive,
        "rows": {"train": len(data.train), "validation": len(data.validation), "test": data.sealed.rows},
        "folds": tuning.folds,
        "replicas": tuning.replicas,
        **summary,
        "space": {name: _plain_dimension(dimension) for name, dimension in summary["space"].items()},
    }
    _write_winner(folder, asked, complete)
    text = io.BytesIO()
    _frame(complete).write_csv(text)
    write_bytes(folder.table, text.getvalue())
    write_text(folder.report, render_search(complete, recipe=folder.recipe.read_text(encoding="utf-8")))
    write_json(folder.summary, _finite(complete))


def _plain_dimension(dimension: Dimension) -> dict[str, Any]:
    if isinstance(dimension, Choices):
        return {"choices": [_cell(value) for value in dimension.values]}
    return {"low": dimension.low, "high": dimension.high, "log": dimension.log, "step": dimension.step}


def _write_winner(folder: SearchFolder, asked: Recipe, summary: Mapping[str, Any]) -> None:
    """The base recipe with the best settings, ready for `fit`; a note above says where it comes from."""
    import yaml

    table, row = summary["table"], chosen_row(summary)
    plain = asked.with_values({**row["settings"], "tuning": {}}).asked()
    how = (
        "chosen by that figure" if row is table[0] else "the simplest within noise of the best by that figure"
    )
    note = (
        f"# Trial {row['trial']} of {len(table)}: {summary['metric']} {row['value']:.4g} on "
        f"validation rows. It was {how},\n"
        "# which is flattered: measure on test rows before you believe it.\n"
    )
    write_text(folder.winner, note + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120))


def chosen_row(summary: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row of the trial that wins; the first one in searches of earlier versions."""
    chosen = summary.get("chosen", summary["best"])
    return next(row for row in summary["table"] if row["trial"] == chosen)


def _frame(summary: Mapping[str, Any]) -> pl.DataFrame:
    names = list(summary["space"])
    rows = [
        {
            "rank": row["rank"],
            "trial": row["trial"],
            **{name: _cell(row["settings"][name]) for name in names},
            "rung": row["rung"],
            summary["metric"]: row.get("value"),
            "low": row.get("low"),
            "high": row.get("high"),
            "validation_loss": row.get("loss"),
            "epochs": " ".join(str(epoch) for epoch in row.get("epochs", [])),
            "over_seeds": row.get("over_seeds"),
            "over_folds": row.get("over_folds"),
            "within_noise": row.get("within_noise", False),
            "failure": row["failure"],
        }
        for row in summary["table"]
    ]
    return pl.DataFrame(rows, infer_schema_length=None, strict=False)


def _cell(value: Any) -> Any:
    return value if isinstance(value, int | float | str | None) else str(value)


def _finite(value: Any) -> Any:
    """Replace NaN and infinity by None, as JSON has neither."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def fit_winner(folder: SearchFolder, data: Dataset, *, trust: bool, allow_pickle: bool, progress: str) -> Run:
    """Fit the winner's recipe with its replicas, then train on training and validation rows together.

    The first fit, on training rows, finds the epochs, the temperature and the threshold, which need rows that
    the network has not learned from; the second uses them. The test rows stay sealed.
    """
    search = Search(folder.path, trust=trust)
    how: Any = {"trust": trust, "progress": progress}
    if (folder.run / "recipe.yaml").exists():
        run = resume(folder.run, allow_pickle=allow_pickle, **how)
    else:
        changes = {"data.read.allow_pickle": True} if allow_pickle else {}
        run = fit(recipe=folder.winner, changes=changes, out=folder.run, **how)
    with hold(folder.run):
        _note_choice(run, search)
        run.refit(progress=progress)
    return run


def _note_choice(run: Run, search: Search) -> None:
    summary, trials, metric = run.summary, len(search.table), search.summary["metric"]
    what = (
        "the best"
        if search.summary.get("choose", "best") == "best"
        else "the simplest within noise of the best"
    )
    note = (
        f"The settings were chosen as {what} of {trials} trials by {metric} on these validation rows, "
        "or rows among them: all validation figures of this run are flattered by that choice. "
        "Test rows tell how good it is."
    )
    if note not in summary["notes"]:
        write_json(run.folder.validation, {**summary, "notes": [*summary["notes"], note]})
        run.report()

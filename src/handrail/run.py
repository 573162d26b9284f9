"""Run: what a fit leaves on disk, and how it is read back, used and tested.

What predicting does not need is imported where it is used: `handrail predict` starts in half the time.
"""

import functools
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import polars as pl
import torch

from handrail.data.part import Part
from handrail.data.sources import read_expecting
from handrail.data.split.hash_sets import fingerprint
from handrail.data.table import Table
from handrail.data.writers.blocks import writes_blocks
from handrail.errors import DataError, RunError, visible
from handrail.evaluation.seal import Seal
from handrail.pipeline import Pipeline
from handrail.recipe.reading import ReadOptions, is_named
from handrail.runs.answers.predict import (
    Answers,
    keep_columns,
    predict_table,
    refuse_new_shares,
    with_trained_words,
    with_training_names,
)
from handrail.runs.answers.predict_large import large_source, predict_large, write_large
from handrail.runs.answers.using import Using
from handrail.runs.folder import read_json, write_json
from handrail.runs.lock import hold
from handrail.runs.record import RunRecord
from handrail.runs.replicas import Replica, replicas_from
from handrail.tasks.task import Choice
from handrail.tools.files import explain_damage, write_atomically


class Run(Using, RunRecord):
    """A run folder, ready to predict and to be tested; arguments and errors as `RunRecord`.

    Printed, or as the last line of a notebook's cell, it shows what `handrail fit` prints.
    """

    def __str__(self) -> str:
        from handrail.report.console import run_text

        return visible(run_text(self))

    @functools.cached_property
    def pipeline(self) -> Pipeline:
        """Encoder, network and task, ready to use: after a test with `refit`, those that were tested."""
        tested = self.tested
        if not tested or not tested["refit"]:
            return self._fit_pipeline
        return self._load(self.folder.refit)

    @functools.cached_property
    def _fit_pipeline(self) -> Pipeline:
        """The pipeline of the fit, whose validation figures are known."""
        return self._load(self.folder.model)

    def _load(self, folder: Path) -> Pipeline:
        return Pipeline.load(folder, network=self._module, trust=self._trust)

    def predict(
        self,
        source: Any,
        *,
        read_options: ReadOptions | None = None,
        strict: bool = False,
        skip_bad: bool = False,
    ) -> Answers:
        """Answers for new rows: columns by name, in any order; the target need not be there.

        Arguments:
            source: anything that `fit` reads.
            strict: also refuse rows with categories that training did not have.
            skip_bad: leave the answers of unreadable rows empty instead of refusing the table.

        Raises: `DataError` for missing columns, and for values that are no numbers or dates where the network
            needs them, with the rows by number.
        """
        how: Any = {"strict": strict, "skip_bad": skip_bad}
        large = large_source(source, self.reading_of(source, read_options), self.pipeline)
        if large is not None:
            return predict_large(self.pipeline, large, keep=False, **how)
        return predict_table(self.pipeline, self.read(source, options=read_options), **how)

    def read(self, source: Any, *, options: ReadOptions | None = None) -> Table:
        """A table with the columns that the network needs; one without names gets those of the recipe.

        Raises: `DataError` as `handrail.data.sources.read`.
        """
        task = self.pipeline.task
        schema = self.pipeline.encoder.schema
        names = [] if task.is_forecast else [column.name for column in schema.used]
        options = self.reading_of(source, options)
        table = read_expecting(source, names, options=options, labelled=False, drop=None)
        refuse_new_shares(table, schema, known=options.notations)
        table = with_trained_words(table, schema, options.missing)
        return with_training_names(table, self.recipe.data.read.names, task.targets)

    def reading_of(self, source: Any, options: ReadOptions | None) -> ReadOptions:
        """The options for new rows, whose numbers and words for missing are those of the training rows."""
        options = options or ReadOptions()
        if isinstance(source, Table) or is_named(source):
            return options
        known: dict[str, Any] = {
            "notations": {**self.pipeline.encoder.schema.notations, **options.notations},
            "missing": self.recipe.data.read.missing if options.missing is None else options.missing,
        }
        return options.model_copy(update=known)

    def parts(self, *, source: Any = None) -> tuple[Part, Part, Part]:
        """Training, validation and test rows, read again.

        Raises: `DataError` when they are not what they were.
        """
        from handrail.data.prepare import reopen

        data = self.recipe.data if source is None else self.recipe.with_values({"data.source": source}).data
        with explain_damage(self.folder.environment):
            expected = read_json(self.folder.environment)["data"]
        pipeline = self._fit_pipeline
        schema = pipeline.encoder.schema
        return reopen(data, schema, pipeline.task, expected=expected, cache_in=self.path)

    def test(
        self, *, again: bool = False, refit: bool = False, source: Any = None, progress: str = "none"
    ) -> dict[str, Any]:
        """Open the seal, measure once on the test rows, note it in the ledger, and renew the report.

        Arguments:
            again: open rows that have been opened before; every figure that follows is marked.
            refit: first train on training and validation rows together, for the best number of epochs; the
                run predicts with the resulting model from then on.
            source: where the same data is now, if it has moved.

        Returns: the content of `test.json`.

        Raises: `SealError` when at least half of the rows have been opened before, `DataError` when they are
            not what was sealed.
        """
        self.summary  # noqa: B018 - a fit that has not ended is refused before anything is opened
        with hold(self.path):
            return self._test(again=again, refit=refit, source=source, progress=progress)

    def _test(self, *, again: bool, refit: bool, source: Any, progress: str) -> dict[str, Any]:
        seal = self._seal(None)
        if not again:
            seal.check()
        train, validation, part = self.parts(source=source)
        seal = self._seal(part)
        # All that may be damaged is read before the seal is opened.
        pipeline, training, fitted = self._fit_pipeline, self.summary["training"], self._replicas
        from handrail.runs.assessment import make_choice

        encoder = pipeline.encoder
        choice = make_choice(self.recipe, encoder, train=train, validation=validation, training=training)
        if refit:
            train = train.join(validation)
            pipeline = self._refit(train, progress)
        opened = seal.open(run=str(self.path.absolute()), recipe=self.recipe, again=again)
        from handrail.data.checks.label_classes import describe_new_classes
        from handrail.runs.refit import refit_failures, with_failures

        replicas = with_failures(self.folder, fitted) if refit else fitted
        results = {**self._measure(pipeline, train, part, replicas, choice=choice), **opened.facts}
        failures = refit_failures(fitted, replicas)
        said = [*part.remarks, *describe_new_classes(train, part, task=pipeline.task)]
        results |= {"refit": refit, "remarks": [*said, *opened.facts["remarks"], *failures]}
        write_json(self.folder.test, results)
        opened.record({name: interval["value"] for name, interval in results["metrics"].items()})
        self.__dict__.pop("pipeline", None)
        self.report()
        return results

    def _seal(self, part: Part | None) -> Seal:
        """The seal of the test rows; of a series by the rows of its table, once they have been read."""
        opened_here = self.folder.test.exists()
        if part is None or part.table.moments is None:
            return Seal(self._hashes, opened_here=opened_here, whole=self.is_whole)
        moments = part.table.moments
        if fingerprint(moments) != fingerprint(self._hashes):  # a run of a version that knew windows alone
            with write_atomically(self.folder.sealed_hashes) as path:
                pl.DataFrame({"hash": moments}).write_parquet(path)
            self.__dict__["_hashes"] = moments
        windows = None if part.table.is_series else part.hashes
        return Seal(moments, windows=windows, opened_here=opened_here)

    def refit(self, *, progress: str = "none") -> None:
        """Train on training and validation rows together, for the best epochs; the seal stays shut.

        `test(refit=True)` measures the result; until then the run predicts with the network of the fit.

        Raises: `DataError` when the rows are not what they were.
        """
        from handrail.data.dataset import describe_change
        from handrail.data.prepare import prepare

        positive = self._fit_pipeline.task.positive
        recipe = self.recipe.data.model_copy(update={} if positive is None else {"positive": positive})
        with hold(self.path):
            data = prepare(recipe, cache_in=self.path)
            if data.fingerprint != read_json(self.folder.environment)["data"]:
                raise DataError(describe_change(data.source))
            self._refit(data.train.join(data.validation), progress)

    def _refit(self, part: Part, progress: str) -> Pipeline:
        """The network trained on both parts, once: it would come out the same again."""
        if (self.folder.refit / "pipeline.json").exists():
            return self._load(self.folder.refit)
        from handrail.runs import assembly

        recipe = self.settled_recipe
        fitted, folder, before = self._replicas, self.folder, self._fit_pipeline
        return assembly.refit(recipe, before, part, fitted=fitted, folder=folder, progress=progress)

    @property
    def _replicas(self) -> list[Replica]:
        """How each network was trained by the fit. Raises: `RunError` for figures of another number."""
        with explain_damage(self.folder.validation):
            known = self._read_replicas()
        if len(known) != self.recipe.training.replicas:
            what = f"found the figures of {len(known)} networks"
            raise RunError(
                f"'{self.folder.validation}' is damaged: {what}, the recipe asks for "
                f"{self.recipe.training.replicas}; take it from a copy of the folder, or train again."
            )
        return known

    def _read_replicas(self) -> list[Replica]:
        replicas = self.summary.get("replicas")  # nothing in runs of a version without them
        if replicas:
            return replicas_from(replicas["members"])
        done = self.summary["training"]
        epochs, best, stopped, seconds = (done[key] for key in ("epochs", "best_epoch", "stopped", "seconds"))
        return [Replica(1, self.recipe.seed, epochs, best, None, stopped, seconds)]

    def _measure(
        self, pipeline: Pipeline, train: Part, part: Part, replicas: Sequence[Replica], *, choice: Choice
    ) -> dict[str, Any]:
        from handrail.report.samples import write_test_samples
        from handrail.runs.assessment import hardest, measure_beside, write_predictions
        from handrail.runs.replicas import spread

        predictions = pipeline.outcome(part)
        measured, beside = measure_beside(
            self.recipe, pipeline, predictions, train=train, part=part, choice=choice
        )
        beside["replicas"] = spread(pipeline, replicas, part) if len(replicas) > 1 else None
        write_predictions(self.folder, "test", predictions, part, pipeline.task)
        write_test_samples(self.folder, pipeline, train, part, predictions)
        names = [column.name for column in pipeline.encoder.schema.columns]
        hard = hardest(predictions, part, names)
        decided = {"decisions": pipeline.decoder.decisions, "reasons": pipeline.decoder.reasons}
        return {"rows": len(part), "metrics": measured, **decided, **beside, "hardest": hard}

    def report(self) -> Path:
        """Write `report.html` anew from the files of the run."""
        from handrail.report.page import write_report

        with hold(self.path):
            return write_report(self)

    def view(self, name: str, *, source: Any = None, **settings: Any) -> Any:
        """Look inside the network: weights, activations, probes, neighbours …

        Arguments:
            name: of a view (`handrail list view`).
            source: where the data of the run is now, if it has moved.
            settings: those of the view.

        Returns: a `handrail.report.looks.View`: its arrays, table and pictures, which a notebook shows.

        Raises: `RecipeError` for a view or a setting that there is not; `DataError` where the view makes no
            sense for this network, and when the rows are not what they were.
        """
        from handrail.report.looks import view
        from handrail.views import Seen

        seen = Seen(self.pipeline, self.recipe, lambda: self.parts(source=source)[:2])
        return view(name, seen, settings, run=self.path.name)

    def card(self) -> str:
        """The model card, as Markdown."""
        from handrail.report.card import model_card

        return model_card(self)


def load(
    path: str | Path,
    *,
    model: torch.nn.Module | None = None,
    trust: bool = False,
    allow_pickle: bool = False,
) -> Run:
    """The run in a folder, ready to predict; arguments as `Run`.

    Raises: `RunError` when there is no run, or its fit has not ended; `RecipeError` for import paths in its
        files that are not trusted.
    """
    run = Run(path, model=model, trust=trust, allow_pickle=allow_pickle)
    run.pipeline  # noqa: B018 - damage shows now, not at the first prediction
    return run


def export_onnx(
    run: Run | str | Path,
    destination: str | Path | None = None,
    *,
    source: Any = None,
    overwrite: bool = False,
    trust: bool = False,
    allow_pickle: bool = False,
) -> Path:
    """Write the pipeline of a run as one ONNX file, compared with PyTorch on the validation rows.

    Inputs, outputs and metadata of the file as `handrail.pipeline.export.write_onnx`.

    Arguments:
        run: a run, or its folder.
        destination: the file; by default `model/model.onnx` in the run folder.
        source: where the data of the run is now, if it has moved.
        overwrite: replace an existing file.
        trust, allow_pickle: of a folder, as `Run`.

    Returns: the file.

    Raises: as `write_onnx`; `RunError` when the fit has not finished, `DataError` when the source of the run
        cannot be read.
    """
    from handrail.pipeline.export import write_onnx

    run = run if isinstance(run, Run) else load(run, trust=trust, allow_pickle=allow_pickle)
    path = run.folder.model / "model.onnx" if destination is None else Path(destination)
    with hold(run.path) if destination is None else nullcontext():
        write_onnx(
            run.pipeline, path, lambda: run.parts(source=source)[1].sample.features, overwrite=overwrite
        )
    return path


def predict_source(
    run: Run | str | Path,
    source: Any,
    *,
    options: ReadOptions | None = None,
    keep: bool = False,
    strict: bool = False,
    skip_bad: bool = False,
    trust: bool = False,
) -> Answers:
    """Answers of a run for a source; with `keep`, appended to the columns that were read.

    Raises: as `Run.predict`.
    """
    run = run if isinstance(run, Run) else load(run, trust=trust)
    large = large_source(source, run.reading_of(source, options), run.pipeline)
    if large is not None:
        return predict_large(run.pipeline, large, keep=keep, strict=strict, skip_bad=skip_bad)
    table = run.read(source, options=options)
    answers = predict_table(run.pipeline, table, strict=strict, skip_bad=skip_bad)
    return keep_columns(answers, table) if keep else answers


def predict_into(
    run: Run | str | Path,
    source: Any,
    out: Path,
    *,
    options: ReadOptions | None = None,
    keep: bool = False,
    strict: bool = False,
    skip_bad: bool = False,
    overwrite: bool = False,
    trust: bool = False,
) -> tuple[int, list[str]] | None:
    """Write the answers for a table larger than memory, a block of rows at a time.

    Returns: the number of rows and the warnings; None, and nothing is written, for other tables.

    Raises: as `Run.predict`; then nothing is written.
    """
    run = run if isinstance(run, Run) else load(run, trust=trust)
    options = run.reading_of(source, options)
    large = large_source(source, options, run.pipeline) if writes_blocks(out) else None
    if large is None:
        return None
    return write_large(
        run.pipeline, large, out, keep=keep, strict=strict, skip_bad=skip_bad, overwrite=overwrite
    )

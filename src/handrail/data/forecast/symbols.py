"""What a language model reads: a long text, or a column of a table as a series of symbols or numbers.

Whether a column is a series is decided by its training rows, the first ones in the order of time.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
import polars as pl

from handrail.data.columns.column import Conventions
from handrail.data.columns.names import without
from handrail.data.columns.reading import plain_values, without_marked
from handrail.data.columns.values import as_labels, as_numbers
from handrail.data.finding import Finding, share
from handrail.data.forecast.left_out import report_no_dates
from handrail.data.forecast.timeline import Timeline, order_rows
from handrail.data.sources import read
from handrail.data.sources.passages import from_table, read_passages, text_column, text_files
from handrail.data.split.draw import FEWEST_ROWS, TEST, TRAIN, draw
from handrail.data.split.names import check_names
from handrail.data.split.row_hashes import moment_hashes
from handrail.data.table import Table
from handrail.data.targets.find import find_targets
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe
from handrail.tools.words import plural

Tokens = Literal["cells", "bins"]
_CELLS = ("cells", "bins")
_FEW = 20  # different numbers are symbols where each comes often
_OFTEN = 5  # times that a symbol comes, on average
_ODD = 0.05  # of numbers may be words, which count as gaps


def read_stream(recipe: DataRecipe) -> Table:
    """A long text as passages, or a column as a series: a row a step, in the order of time.

    A step's cell is text (`data.text.tokens: cells`), or Float64 (`bins`). One without a value is an empty
    text, or not a number: it stays a step, for what stands on its two sides does not follow each other.

    Raises: `DataError` where the source, or a setting, does not serve.
    """
    asked = recipe.text.tokens
    if text_files(recipe.source, recipe.target):
        if asked in _CELLS:
            raise DataError(
                f"data.text.tokens: found '{asked}', but a text has no cells; name the column of a table "
                "(data.target), or choose characters, words or byte_pairs."
            )
        return read_passages(recipe.source, recipe.target, options=recipe.read)
    table = read(recipe.source, options=recipe.read)
    name = _column(table, recipe)
    if asked not in ("auto", *_CELLS) or name in table.stores or table.frame[name].dtype.is_nested():
        return from_table(table, name)
    if asked == "auto":
        return _read_as_found(table, name, recipe)
    refuse_division(recipe)
    return _Series.order(table, name, recipe).table(asked)


def _read_as_found(table: Table, name: str, recipe: DataRecipe) -> Table:
    """A series where the training rows are one, else texts.

    Raises: `DataError` where it is a series whose order or division does not serve.
    """
    if len(table.frame) < FEWEST_ROWS:
        return from_table(table, name)
    problem: DataError | None = None
    try:
        series = _Series.order(table, name, recipe)
    except DataError as error:  # dates do not matter to texts
        series = _Series(table, name, recipe, Timeline(table, np.arange(len(table.frame))))
        problem = error
    tokens = suitable_tokens(series.train)
    if tokens is None:
        return from_table(table, name)
    if problem is not None:
        raise problem
    refuse_division(recipe)
    return series.table(tokens, chosen=True)


def _column(table: Table, recipe: DataRecipe) -> str:
    columns, target = table.frame.columns, recipe.target
    if target is None and table.target is None:
        return columns[0] if len(columns) == 1 else text_column(table)
    name, *others = find_targets(columns, table.target if target is None else target, alone=True)
    if others:
        raise DataError(f"data.target: found {1 + len(others)} columns; a language model reads one.")
    return name


def refuse_division(recipe: DataRecipe) -> None:
    """Raises: `DataError` for settings that would tear a series apart."""
    found = {
        "split.method": recipe.split.method if recipe.split.method not in ("auto", "order") else None,
        "sample": None if recipe.sample is None else f"{recipe.sample:g}",
        "duplicates": "drop" if recipe.duplicates == "drop" else None,
    }
    problems = [
        f"data.{name}: found {value}, but the cells of a series follow each other: the last are the test, "
        "and none may be left out. Leave the setting out (data.text.tokens=characters reads lines of text)."
        for name, value in found.items()
        if value is not None
    ]
    if problems:
        raise DataError(problems)


def suitable_tokens(train: pl.Series) -> Tokens | None:
    """Bins for numbers, unless a few come again and again; cells for what repeats; else None."""
    known = train.drop_nulls()
    distinct = known.n_unique()
    repeats = distinct * _OFTEN <= len(known)
    if len(known) and _share_of_words(known) <= _ODD:
        return "cells" if repeats and distinct <= _FEW else "bins"
    return "cells" if len(known) and repeats else None


def _share_of_words(known: pl.Series) -> float:
    if known.dtype != pl.String and not known.dtype.is_numeric():
        return 1.0
    return as_numbers(known).null_count() / max(len(known), 1)


class _Series:
    """A column in the order of time; the last rows test, and those before them validate."""

    def __init__(self, table: Table, name: str, recipe: DataRecipe, timeline: Timeline) -> None:
        self.read, self.name, self.recipe, self.timeline = table, name, recipe, timeline
        self.found = timeline.table
        missing = [str(word) for word in recipe.missing.get(name, ())]
        cells = plain_values(self.found.frame[name])
        self.cells = without_marked(cells, missing) if missing else cells
        split = recipe.split.model_copy(update={"method": "order"})
        self.parts = draw(split, len(self.cells), source=f"'{table.source}'")

    @classmethod
    def order(cls, table: Table, name: str, recipe: DataRecipe) -> "_Series":
        """Raises: `DataError` where a column of dates does not put the rows in order."""
        check_names(recipe, table.frame.columns, (name,))
        idle = [each for each in recipe.missing if each != name]
        if idle:
            raise DataError(f"data.missing.{idle[0]}: has no effect on a series of '{name}'; leave it out.")
        rest = replace(table, frame=without(table.frame, recipe.drop))
        conventions = Conventions.of_dates(recipe.dates)
        timeline = order_rows(rest, (name,), kinds=recipe.columns, keep=True, conventions=conventions)
        return cls(table, name, recipe, timeline)

    @property
    def train(self) -> pl.Series:
        """The cells of the training rows."""
        return self.cells.filter(pl.Series(self.parts == TRAIN))

    def table(self, tokens: Tokens, *, chosen: bool = False) -> Table:
        """A row a step.

        Arguments:
            chosen: whether nobody asked for these tokens.

        Raises: `DataError` for a column of one value, and of words that are to be divided into bins.
        """
        self._require(tokens)
        values = as_labels(self.cells).fill_null("")
        if tokens == "bins":
            values = as_numbers(self.cells).cast(pl.Float64).fill_null(float("nan"))
        places = self.timeline.places
        first = int((self.parts != TEST).sum())
        return Table(
            pl.DataFrame({self.name: values}),
            self.found.source,
            notes=self.found.notes,
            findings=(*self.found.findings, *self._findings(tokens, chosen=chosen)),
            namer=self.found.row_name,
            target=self.name,
            moments=moment_hashes(self.read.frame[places], first, stores=self.read.stores),
            is_series=True,
        )

    def _require(self, tokens: Tokens) -> None:
        where, known = f"'{self.read.source}', column '{self.name}'", self.train.drop_nulls()
        distinct = known.n_unique()
        if distinct < 2:
            found = f"every value is '{known[0]}'" if distinct else "every value is missing"
            raise DataError(f"{where}: {found} in the training rows; expected at least two different ones.")
        if tokens == "bins" and (words := _share_of_words(known)) > _ODD:
            raise DataError(
                f"data.text.tokens: found bins, but {words:.0%} of the training rows of {where} are no "
                "numbers; expected cells, or a column of numbers."
            )

    def _findings(self, tokens: Tokens, *, chosen: bool) -> list[Finding]:
        known = self.cells.filter(pl.Series(self.parts != TEST))
        numbers = as_numbers(known) if tokens == "bins" else known
        return [
            *([self._report_choice(tokens)] if chosen else []),
            *([report_no_dates(self.read.source)] if self.timeline.date is None else []),
            *self._report_gaps(numbers.null_count(), numbers.null_count() - known.null_count(), len(known)),
        ]

    def _report_choice(self, tokens: Tokens) -> Finding:
        values = plural(self.train.drop_nulls().n_unique(), "different value")
        what = "each cell" if tokens == "cells" else "the bin of each number"
        other = "bins" if tokens == "cells" and _share_of_words(self.train.drop_nulls()) <= _ODD else "cells"
        other = "characters" if tokens == "cells" and other == "cells" else other
        return Finding(
            level="note",
            name="tokens",
            column=self.name,
            seen=f"Column '{self.name}': {what} is a token ({values} in {len(self.train):,} training rows).",
            why="The next one is predicted from those before it.",
            action=f"data.text.tokens={other} reads the column otherwise.",
            decided=True,
        )

    def _report_gaps(self, gaps: int, words: int, rows: int) -> list[Finding]:
        if not gaps:
            return []
        are_words = f", {words:,} of them words where numbers are expected" if words else ""
        return [
            Finding(
                level="warning",
                name="gaps",
                column=self.name,
                seen=f"Column '{self.name}': {gaps:,} of {plural(rows, 'training and validation row')} "
                f"({share(gaps, rows)}) have no value{are_words}.",
                why="What stands before a gap and after it does not follow each other.",
                action="A gap is a token of its own, 'missing'; fill the gaps in the source, if they can be.",
                decided=True,
            )
        ]

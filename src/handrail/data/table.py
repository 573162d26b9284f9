"""A table as it was found: no column has a kind yet.

The schema infers kinds later, from training rows only, so that a test row cannot change how a column is
understood.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from handrail.data.finding import Finding
from handrail.data.missing_words import WordsByColumn
from handrail.data.stores.store import Stores
from handrail.recipe.reading import Notation
from handrail.tools.moved import forward

EACH = 4  # in the place of a part's code: the row is in all three


@dataclass(frozen=True, eq=False)
class Table:
    """A table with what its reader knows about it.

    Arguments:
        frame: the columns as found.
        source: what a person would call it: a file's name, a URL without its password, 'data frame'.
        first_row: the number that a person gives to the first data row; in a text file with a header, 2.
        notes: how it was read, in a line a file.
        findings: what was odd while reading, and what was made of it.
        notations: how the numbers of columns were written; they stand in the frame plainly.
        is_text: whether every column is text as it was written, because the format knows no types.
        namer: gives the name of a row by index where rows do not simply count up from `first_row`.
        stores: by column, what no cell can hold (images, series); the cells are places in the store.
        parts: the part that the source itself gives each row (0 train, 1 validation, 2 test, 4 each of them).
        target: the column or columns that are meant, where the user names none.
        factors: the columns that say what varies from row to row.
        name_parts: the columns that are made of the names of files.
        moments: of a series or a table of windows, a hash of each test row of the table that they were taken
            from.
        unusable: by column, what it holds where that is of no use to a network; the column itself is empty.
        streamed: whether the frame holds a few columns only, since the rows are read block by block.
        is_series: whether each row is a step of one series, so that equal rows repeat nothing.
        partners: columns that hold the true partner of a row of two domains, to judge translations by.
        words: by column, where a word of a text file counts as missing, and which.
    """

    frame: pl.DataFrame
    source: str
    first_row: int = 1
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    notations: Mapping[str, Notation] = field(default_factory=dict)
    is_text: bool = False
    namer: Callable[[int], str] | None = field(default=None, repr=False)
    stores: Stores = field(default_factory=dict, repr=False)
    parts: np.ndarray | None = field(default=None, repr=False)
    target: str | list[str] | None = None
    factors: tuple[str, ...] = ()
    name_parts: tuple[str, ...] = ()
    moments: np.ndarray | None = field(default=None, repr=False)
    unusable: Mapping[str, str] = field(default_factory=dict)
    streamed: bool = False
    is_series: bool = False
    partners: tuple[str, ...] = ()
    words: WordsByColumn = field(default_factory=dict, repr=False)

    def row_name(self, index: int) -> str:
        """What a person would call the row at this index (from 0): 'row 17', or 'line 18' of a text file."""
        return self.namer(index) if self.namer else f"row {self.first_row + index}"

    @property
    def is_undivided(self) -> bool:
        """Whether all rows are in each part, as those of a truth table."""
        return self.parts is not None and bool((self.parts == EACH).all())

    def without_rows(self) -> "Table":
        """What is known of it, without the rows themselves."""
        return replace(self, frame=self.frame.clear())


__getattr__ = forward(__name__)

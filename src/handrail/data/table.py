"""A table as it was found, and the settings of finding it.

No column has been given a kind here: text files are read as text, and the schema infers kinds later, from
training rows only, so that a test row cannot change how a column is understood.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, field_validator

from handrail.data.stores.store import Stores

_DELIMITERS = {
    "\\t": "\t",
    "tab": "\t",
    "comma": ",",
    "semicolon": ";",
    "whitespace": " ",
    "space": " ",
    "\\s+": " ",
}


class ReadOptions(BaseModel):
    """How a table is to be read; whatever is left out is found out.

    Arguments:
        delimiter: one character, or `tab`, or `whitespace` (any run of spaces and tabs).
        header: whether the first row of a text file holds the column names.
        names: the column names, in the order of the columns; they replace those of the source.
        quote: the character around fields of a text file; the empty text for none.
        encoding: of a text file, such as `utf-8`, `cp1252` or `utf-16`.
        decimal: the decimal sign of a text file.
        missing: markers for missing values beside the usual ones.
        table: the table of a database.
        query: a query to be sent to a database, instead of `table`.
        allow_pickle: read a pickle although it can run any code.
        key: the NPZ array that holds the target; its column is then called `target`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    delimiter: str | None = None
    header: bool | None = None
    names: list[str] | None = None
    quote: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None
    missing: list[str] | None = None
    table: str | None = None
    query: str | None = None
    allow_pickle: bool = False
    key: str | None = None

    @field_validator("delimiter")
    @classmethod
    def _one_delimiter(cls, value: str | None) -> str | None:
        value = _DELIMITERS.get(value, value) if value is not None else None
        if value is not None and (len(value) != 1 or value in '"\r\n' or not value.isascii()):
            raise ValueError("expected one ASCII character, 'tab' or 'whitespace'")
        return value

    @field_validator("quote")
    @classmethod
    def _one_quote(cls, value: str | None) -> str | None:
        if value is not None and (len(value) > 1 or not value.isascii() or value in ("\r", "\n")):
            raise ValueError("expected one ASCII character, or the empty text for no quoting")
        return value

    @field_validator("names")
    @classmethod
    def _distinct_names(cls, value: list[str] | None) -> list[str] | None:
        if value is not None:
            twice = sorted({name for name in value if value.count(name) > 1})
            if twice:
                raise ValueError(f"expected distinct names, found twice: {', '.join(twice)}")
            if not value or not all(name.strip() for name in value):
                raise ValueError("expected at least one name, none of them empty")
        return value

    def given(self) -> dict[str, object]:
        """The settings that differ from "find out"."""
        return {key: value for key, value in self if value != type(self).model_fields[key].default}


@dataclass(frozen=True, eq=False)
class Table:
    """A table with what its reader knows about it.

    Arguments:
        frame: the columns as found.
        source: what a person would call it: a file's name, a URL without its password, 'data frame'.
        first_row: the number that a person gives to the first data row; in a text file with a header, 2.
        notes: what was found out while reading.
        is_text: whether every column is text as it was written, because the format knows no types.
        namer: gives the name of a row by index where rows do not simply count up from `first_row`.
        stores: by column, what no cell can hold (images, series); the cells are places in the store.
        parts: the part that the source itself gives each row (0 train, 1 validation, 2 test).
        target: the column that is meant, where the user names none.
        streamed: whether the frame holds a few columns only, since the rows are read block by block.
    """

    frame: pl.DataFrame
    source: str
    first_row: int = 1
    notes: tuple[str, ...] = ()
    is_text: bool = False
    namer: Callable[[int], str] | None = field(default=None, repr=False)
    stores: Stores = field(default_factory=dict, repr=False)
    parts: np.ndarray | None = field(default=None, repr=False)
    target: str | None = None
    streamed: bool = False

    def row_name(self, index: int) -> str:
        """What a person would call the row at this index (from 0): 'row 17', or 'line 18' of a text file."""
        return self.namer(index) if self.namer else f"row {self.first_row + index}"

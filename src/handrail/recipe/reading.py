"""How a table is read, and how its rows are divided: `data.read` and `data.split`."""

from collections import Counter
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from handrail.components.arguments import Count, Fraction, Positive

_DELIMITERS = {"\\t": "\t", "tab": "\t", "comma": ",", "semicolon": ";"}
_DELIMITERS |= {"whitespace": " ", "space": " ", "\\s+": " "}


class Limits(BaseModel):
    """What a source may hold at most, so that no file fills the memory or never ends.

    Arguments:
        unpacked: gigabytes (10⁹ bytes) of a file that is read whole, and of what is packed in it.
        expansion: times that a file of more than 64 MB may be larger than its packed form, or than what it
            has on the disk.
        columns: of a table.
        levels: of all categories that are encoded.
        encoded: gigabytes of the encoded rows, where one column a level (one-hot) makes them wide.
        classes: of a target.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    unpacked: Positive = 8.0
    expansion: Positive = 100.0
    columns: Count = 100_000
    levels: Count = 1_000_000
    encoded: Positive = 4.0
    classes: Count = 10_000


class ReadOptions(BaseModel):
    """How a table is to be read; whatever is left out is found out.

    Arguments:
        delimiter: one character, or `tab`, or `whitespace` (any run of spaces and tabs).
        header: whether the first row of a text file holds the column names.
        names: the column names, in the order of the columns; they replace those of the source.
        quote: the character around fields of a text file; the empty text for none.
        encoding: of a text file, such as `utf-8`, `cp1252` or `utf-16`.
        decimal: the decimal sign of a text file.
        missing: words for missing values beside the usual ones (?, NA, null, None, - …); the empty list for
            none, not even the usual ones, except among numbers and dates. Typed sources say themselves what
            is missing: of them only '?', '.' and the words given here count.
        table: the table of a database.
        query: a query to be sent to a database, instead of `table`.
        allow_pickle: read a pickle although it can run any code.
        key: the NPZ array that holds the target; its column is then called `target`.
        limits: what a source may hold at most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

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
    limits: Limits = Limits()

    @field_validator("delimiter")
    @classmethod
    def _one_delimiter(cls, value: str | None) -> str | None:
        value = value and _DELIMITERS.get(value, value)
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
            twice = sorted(name for name, count in Counter(value).items() if count > 1)
            if twice:
                raise ValueError(f"expected distinct names, found twice: {', '.join(twice)}")
            if not value or not all(name.strip() for name in value):
                raise ValueError("expected at least one name, none of them empty")
        return value

    def given(self) -> dict[str, object]:
        """The settings that differ from "find out"; limits hold for every source, and are not among them."""
        fields = type(self).model_fields
        return {key: value for key, value in self if key != "limits" and value != fields[key].default}


class Split(BaseModel):
    """How the rows are divided.

    `auto` and `random` draw the test rows by position alone; `auto` then draws validation rows class by
    class. `order` leaves the rows as they stand: training, validation, test (which `auto` does for one long
    text). `stratified` uses the classes of all rows, test rows included. `group`, `time` and `column` use the
    column named in `column`: whole groups stay together; the latest rows are the test, and rows of
    one moment stay together; it names the part.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    method: Literal["auto", "random", "stratified", "order", "group", "time", "column"] = "auto"
    column: str | None = None
    validation: Fraction = 0.15
    test: Fraction = 0.15
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _check(self) -> "Split":
        needs = self.method in ("group", "time", "column")
        if needs and self.column is None:
            raise ValueError(f"split method '{self.method}' needs split.column")
        if not needs and self.column is not None:
            problem = f"has no effect with method '{self.method}'; expected group, time or column"
            raise ValueError(f"split.column {problem}")
        share = self.validation + self.test
        if share >= 0.95:
            raise ValueError(f"validation and test take {share:.0%} of the rows; expected less than 95%")
        return self

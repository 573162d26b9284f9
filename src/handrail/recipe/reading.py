"""How a table is read, and how its rows are divided: `data.read` and `data.split`."""

import re
from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from handrail.components.arguments import Count, Fraction, Positive

BUNDLED, TOY = "bundled:", "toy:"
"What begins the name of a table that comes with handrail, and of one that is generated."
_DELIMITERS = {"\\t": "\t", "tab": "\t", "comma": ",", "semicolon": ";"}
_DELIMITERS |= {"whitespace": " ", "space": " ", "\\s+": " "}
_WRITTEN = frozenset(("delimiter", "quote", "comment", "decimal", "thousands", "missing"))
_MOST_SIGNS = 8  # of a comment
_ITEM = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([^,]*?))\s*(?:,|$)""")


def is_named(source: object) -> bool:
    """Whether a source is a name, which says the same everywhere, and no place."""
    return isinstance(source, str) and source.startswith((BUNDLED, TOY))


def written_value(key: str, text: str) -> Any:
    """The value of a setting of signs, which YAML would read as something else, or not at all.

    `decimal=,`, `quote='`, `comment=#` and `missing=[-999,?]` mean what stands there; quotes around a longer
    text are taken off. Text for one sign, a list of texts for `missing`; None for other settings.

    Arguments:
        key: the name of the setting within `data.read`.
        text: what stands behind the sign of equality.
    """
    if key not in _WRITTEN or (text == "null" and key != "missing"):
        return None
    if key != "missing":
        return text[1:-1] if _is_quoted(text) else text
    inside = text.strip()
    inside = inside[1:-1].strip() if inside.startswith("[") and inside.endswith("]") else inside
    found = [next(filter(None, match.groups()), "") for match in _ITEM.finditer(inside)] if inside else []
    return found if inside.endswith(",") or not found else found[:-1] if not found[-1] else found


def _is_quoted(text: str) -> bool:
    return len(text) >= 2 and text[0] == text[-1] and text[0] in "'\""


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


Sign = Literal["", ",", ".", " ", "'"]


class Notation(BaseModel):
    """How the numbers of one column are written.

    Arguments:
        decimal: the sign before the decimals.
        thousands: the sign between groups of digits; empty for none.
        unit: the currency, or the sign for percent, that stands before or behind each number; it does not
            change its value: 16 % is 16.
        sure: whether the column itself shows it, or it is given; else other columns, or what is usual.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    decimal: Literal[".", ","] = "."
    thousands: Sign = ""
    unit: str = ""
    sure: bool = True

    @model_validator(mode="after")
    def _two_signs(self) -> "Notation":
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both '{self.decimal}'; expected two signs")
        return self


class ReadOptions(BaseModel):
    """How a table is to be read; whatever is left out is found out.

    Arguments:
        delimiter: one character, or `tab`, or `whitespace` (any run of spaces and tabs).
        header: whether the first row of a text file holds the column names, or the number of the line that
            does, counted from 1 in the file; the lines before it are left out.
        names: the column names, in the order of the columns; they replace those of the source.
        skip: lines of a text file before the table, which are left out.
        comment: the sign at the beginning of lines of a text file that are left out, such as `#`.
        rows: `auto` leaves out rows of a text file that are not data: units below the header, the header
            again, totals at the end; `all` keeps them.
        quote: the character around fields of a text file; the empty text for none.
        encoding: of a text file, such as `utf-8`, `cp1252` or `utf-16`.
        decimal: the sign before decimals.
        thousands: the sign between thousands: a comma, a point, a space (narrow ones, too), an apostrophe, or
            the empty text for none.
        numbers: `auto` reads numbers with such signs, with currencies, percent or brackets, each column in
            its own notation; `plain` takes them as text.
        notations: by column, how its numbers are written.
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
    header: bool | int | None = None
    names: list[str] | None = None
    skip: Annotated[int, Field(ge=0)] | None = None
    comment: str | None = None
    rows: Literal["auto", "all"] = "auto"
    quote: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None
    thousands: Sign | None = None
    numbers: Literal["auto", "plain"] = "auto"
    notations: dict[str, Notation] = Field(default_factory=dict)
    missing: list[str] | None = None
    table: str | None = None
    query: str | None = None
    allow_pickle: bool = False
    key: str | None = None
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _two_signs(self) -> "ReadOptions":
        if self.decimal is not None and self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both '{self.decimal}'; expected two signs")
        return self

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

    @field_validator("header", mode="before")
    @classmethod
    def _a_line(cls, value: Any) -> Any:
        if value is None or isinstance(value, bool) or (isinstance(value, int) and value >= 1):
            return value
        expected = "expected true, false, or the number of the line that holds the names, counted from 1"
        raise ValueError(expected)

    @field_validator("comment")
    @classmethod
    def _a_sign(cls, value: str | None) -> str | None:
        if value is not None and not (0 < len(value) <= _MOST_SIGNS and value == value.strip()):
            raise ValueError(f"expected a sign such as '#' or '//', of at most {_MOST_SIGNS} characters")
        return value

    @field_validator("missing", mode="before")
    @classmethod
    def _as_texts(cls, value: Any) -> Any:
        """Numbers among the markers as text: `missing: [-999]` is how one writes them."""
        if not isinstance(value, list | tuple):
            return value
        is_number = [isinstance(each, int | float) and not isinstance(each, bool) for each in value]
        return [str(each) if number else each for each, number in zip(value, is_number, strict=True)]

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

    @model_validator(mode="after")
    def _check_lines(self) -> "ReadOptions":
        line = self.header_line
        if line is not None and self.skip is not None and self.skip >= line:
            raise ValueError(f"header: line {line} is among those that skip={self.skip} leaves out")
        if self.comment and self.comment in (self.delimiter, self.quote):
            raise ValueError(f"comment: '{self.comment}' is the delimiter or the quote, too")
        return self

    @property
    def header_line(self) -> int | None:
        """The line that holds the names, where one is given."""
        return None if self.header is None or isinstance(self.header, bool) else self.header

    def given(self) -> dict[str, object]:
        """The settings that differ from "find out"; limits hold for every source, and are not among them."""
        usual = type(self)()
        return {key: value for key, value in self if key != "limits" and value != getattr(usual, key)}


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

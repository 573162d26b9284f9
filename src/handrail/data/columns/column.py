"""What is known of a column: its kind, and how its values are read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from handrail.recipe.reading import Notation
from handrail.recipe.sections import Dates

ColumnKind = Literal[
    "numeric",
    "category",
    "boolean",
    "datetime",
    "text",
    "identifier",
    "constant",
    "image",
    "series",
    "audio",
    "stream",
    "symbols",
]
TABLE_KINDS = ("numeric", "boolean", "category", "datetime")  # one encoder takes all columns of these
COLUMN_KINDS = ("image", "series", "audio", "text", "stream", "symbols")  # each has its own encoder
FEATURE_KINDS = TABLE_KINDS + COLUMN_KINDS
# What a column is by its source, or by the task, and not by its cells.
STORED_KINDS = ("image", "series", "audio", "stream", "symbols")
IDENTIFIER_NAME = re.compile(
    r"(^|[_\s.-])(id|uuid|guid|key|index|rownum|row_number)$|[a-z](Id|ID)$|^(id|ID)[_A-Z]", re.ASCII
)


@dataclass(frozen=True)
class Conventions:
    """What the user says about how values are written.

    Arguments:
        order: of day, month and year where dates leave it open: `dmy`, `mdy`, `ymd`.
        formats: of dates, by column.
        missing: words and numbers that stand for missing, by column.
        fold: whether levels that differ in case and spaces alone are one; `auto` where they are words of
            which one spelling is the usual one.
    """

    order: str = "auto"
    formats: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fold: bool | Literal["auto"] = "auto"

    @classmethod
    def of_dates(cls, dates: Dates) -> "Conventions":
        """Those of dates alone."""
        return cls(dates.order, dates.formats)


AS_FOUND = Conventions()


class Column(BaseModel):
    """One column: its kind and how its values are read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: ColumnKind
    date_format: str | None = None
    more_formats: tuple[str, ...] = ()  # of dates that the first does not read
    other_format: str | None = None  # with day and month swapped, where it reads as many dates
    order_why: str = ""  # what the choice between the two went by
    markers: tuple[str, ...] = ()  # words that stand for 'missing' among numbers or dates
    missing: tuple[str, ...] = ()  # what stands for 'missing' by the user's word
    folds: tuple[tuple[str, str], ...] = ()  # spellings in small letters, and the level that they are
    words: tuple[bool | str, ...] = ()  # of a boolean: how most rows write no and yes, where not as 0 and 1
    # The values are numbers: a boolean accepts others, in a category '3.0' and '3' are one.
    numbers: bool = False
    why: str = ""


class Schema(BaseModel):
    """The columns that a fitted encoder may use, in the order of the table, without the target.

    Arguments:
        notations: how the numbers of the table's columns are written, where not plainly.
        missing_words: the usual words for missing that stood for it among words, too; None where that is not
            known, as in runs of earlier versions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[Column, ...]
    notations: dict[str, Notation] = Field(default_factory=dict)
    missing_words: tuple[str, ...] | None = None

    def of_kind(self, *kinds: str) -> list[Column]:
        """The columns of the given kinds, in order."""
        return [column for column in self.columns if column.kind in kinds]

    @property
    def used(self) -> list[Column]:
        """The columns that reach the network."""
        return self.of_kind(*FEATURE_KINDS)

    @property
    def cells(self) -> list[Column]:
        """The used columns whose values stand in the table itself: numbers, categories and dates."""
        return self.of_kind(*TABLE_KINDS)

    @property
    def set_aside(self) -> list[Column]:
        """The columns that do not reach the network."""
        return [column for column in self.columns if column.kind not in FEATURE_KINDS]


@dataclass(frozen=True)
class Trouble:
    """Values of one column that could not be read as its kind: their row positions, and the first of them."""

    column: str
    kind: str
    rows: tuple[int, ...]
    example: str

    @property
    def is_infinite(self) -> bool:
        """Whether these are infinite numbers, rather than values that are no numbers."""
        try:
            return abs(float(self.example)) == float("inf")
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"column '{self.column}' ({self.kind}): found '{self.example}'"

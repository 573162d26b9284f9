"""One long text as windows on a stream of codes, for language models."""

from typing import Any, ClassVar, Self

import polars as pl
import torch
from torch import nn

from handrail.data.encoders.column import ColumnEncoder
from handrail.data.encoders.text import AsCodes
from handrail.data.encoders.tokenizers import Tokenizer
from handrail.data.rows import Windows
from handrail.data.stores.store import Store
from handrail.errors import DataError
from handrail.recipe.encoding import Text
from handrail.shapes import TokenShape

_LENGTH = 64


class StreamEncoder(ColumnEncoder):
    """Passages, joined in their order, to neighbouring windows of `length` codes. A row is a window, not a
    passage.

    Arguments:
        name: of the column.
        tokenizer: learned from training passages.
        length: tokens that the network sees at once.
    """

    kind: ClassVar[str] = "stream"

    def __init__(self, name: str, tokenizer: Tokenizer, *, length: int) -> None:
        super().__init__()
        self.name, self.tokenizer, self.length = name, tokenizer, length

    @classmethod
    def fit(cls, column: pl.Series, store: Store | None, settings: Text) -> Self:
        """Learn the tokens of training passages, capital letters beside small ones.

        Raises: `HandrailError` where the package tokenizers is needed and not installed.
        """
        as_written = settings.model_copy(update={"lower": False})
        tokenizer = Tokenizer.fit(
            column, as_written, "characters" if settings.tokens == "auto" else settings.tokens
        )
        return cls(column.name, tokenizer, length=_LENGTH if settings.length == "auto" else settings.length)

    @property
    def shape(self) -> TokenShape:
        """Length and number of codes."""
        return TokenShape(self.length, self.tokenizer.vocabulary)

    def rows(self, column: pl.Series, store: Store | None = None) -> Windows:
        """What the network sees; what is to be said of it is `targets`.

        Raises: `DataError` when the passages do not fill one window.
        """
        return windows(self.tokenizer, column, self.length)

    def targets(self, column: pl.Series, store: Store | None = None) -> Windows:
        """At every step the token that follows.

        Raises: `DataError` when the passages do not fill one window.
        """
        return following(self.rows(column, store))

    def front(self) -> nn.Module:
        """Codes to int64."""
        return AsCodes()

    def share_unknown(self, column: pl.Series) -> float:
        """The share of all tokens of these passages that were never seen in training."""
        return self.tokenizer.share_unknown(column)

    def facts(self) -> dict[str, Any]:
        """Plain data."""
        return {"name": self.name, "length": self.length, "tokenizer": self.tokenizer.facts()}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Self:
        """The way back."""
        return cls(facts["name"], Tokenizer.from_facts(facts["tokenizer"]), length=facts["length"])


def windows(tokenizer: Tokenizer, column: pl.Series, length: int) -> Windows:
    """Windows on the joined passages that begin at 0, length, 2·length …, each with one more token behind it.

    Raises: `DataError` when the passages do not fill one window.
    """
    stream = torch.from_numpy(tokenizer.ragged(column).codes)
    if len(stream) <= length:
        raise DataError(
            f"column '{column.name}': found {len(stream):,} tokens in {len(column):,} passages, expected "
            "more than the "
            f"{length:,} that the network sees at once; give more text, or set data.text.length lower."
        )
    return Windows(stream, torch.arange(0, len(stream) - length, length), length)


def following(rows: Windows) -> Windows:
    """The same windows one token later."""
    return Windows(rows.data, rows.starts + 1, rows.length)

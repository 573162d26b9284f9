"""Texts as codes: a row a text, or one long text as windows for language models."""

import math
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int, Int32, Int64
from torch import Tensor, nn

from handrail.data.encoders.codes import FIRST, UNKNOWN, Ragged
from handrail.data.encoders.column import ColumnEncoder
from handrail.data.encoders.tokenizers import Tokenizer, suitable
from handrail.data.rows import Windows
from handrail.data.stores.store import Store
from handrail.errors import DataError
from handrail.recipe.sections import Text
from handrail.shapes import TokenShape

_LONGEST = 512
_WHOLE = 0.95  # this share of the training texts is held whole
_COUNTED = 1000
_STREAM_LENGTH = 64
_SHORTEST, _WINDOWS = 4, 150  # tokens at once in short series; windows of training rows: 30 validate


class AsCodes(nn.Module):
    """Codes as embeddings take them: int64; with answers beside them (teacher forcing), both."""

    def forward(self, codes: Tensor | tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
        """The same codes."""
        return tuple(part.long() for part in codes) if isinstance(codes, tuple) else codes.long()


class _Codes(ColumnEncoder):
    """What encoders of text share."""

    learned = ("name", "length", "tokenizer")

    def __init__(self, name: str, tokenizer: Tokenizer, *, length: int) -> None:
        super().__init__()
        self.name, self.tokenizer, self.length = name, tokenizer, length

    @property
    def shape(self) -> TokenShape:
        """Length and number of codes."""
        return TokenShape(self.length, self.tokenizer.vocabulary)

    def front(self) -> nn.Module:
        return AsCodes()

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "tokenizer": self.tokenizer.facts()}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Self:
        return super().from_facts({**facts, "tokenizer": Tokenizer.from_facts(facts["tokenizer"])})


class TextEncoder(_Codes):
    """Texts to codes `[rows, length]`, int32, padded with 0 at the end; a missing text is an empty one.

    Arguments:
        name: of the column.
        tokenizer: learned from training rows.
        length: tokens a row.
        counted: codes of the most frequent tokens, for the linear baseline.
    """

    kind: ClassVar[str] = "text"
    learned = ("name", "length", "counted", "tokenizer")

    def __init__(self, name: str, tokenizer: Tokenizer, *, length: int, counted: list[int]) -> None:
        super().__init__(name, tokenizer, length=length)
        self.counted = counted

    @classmethod
    def fit(cls, column: pl.Series, store: Store | None, settings: Text) -> Self:
        """Learn tokens and length from training rows.

        Raises: `HandrailError` where the package tokenizers is needed and not installed.
        """
        kind = suitable(column) if settings.tokens == "auto" else settings.tokens
        tokenizer = Tokenizer.fit(column, settings, kind)
        texts = tokenizer.ragged(column)
        length = _usual_length(texts.lengths) if settings.length == "auto" else settings.length
        return cls(column.name, tokenizer, length=length, counted=_most_frequent(texts, tokenizer.vocabulary))

    def rows(self, column: pl.Series, store: Store | None = None) -> Int32[Tensor, "rows length"]:
        """Codes, on the CPU."""
        return torch.from_numpy(self.tokenizer.pad(column, self.length))

    def simple(self, rows: Int[Tensor, "rows length"]) -> Float[Tensor, "rows width"]:
        """log(1 + how often) of the thousand most frequent tokens, in the part that the network sees."""
        # All others share a column, which is cut off.
        column = torch.full((self.tokenizer.vocabulary,), len(self.counted))
        column[self.counted] = torch.arange(len(self.counted))
        counts = torch.zeros(len(rows), len(self.counted) + 1)
        counts.scatter_add_(1, column[rows.long()], torch.ones(rows.shape))
        return counts[:, :-1].log1p()

    def unseen(self, column: pl.Series, store: Store | None = None) -> Int64[np.ndarray, " some"]:
        """Rows with text of which not one token was seen in training."""
        texts = self.tokenizer.ragged(column)
        return np.flatnonzero((texts.lengths > 0) & (texts.counts(texts.codes != UNKNOWN) == 0))


class StreamEncoder(_Codes):
    """Passages, joined in their order, to neighbouring windows of `length` codes; a row is a window.

    Arguments:
        name: of the column.
        tokenizer: learned from training passages.
        length: tokens that the network sees at once.
    """

    kind: ClassVar[str] = "stream"

    @classmethod
    def fit(cls, column: pl.Series, store: Store | None, settings: Text) -> Self:
        """Learn the tokens of training passages, capital letters beside small ones.

        Raises: `HandrailError` where the package tokenizers is needed and not installed.
        """
        kind = "characters" if settings.tokens == "auto" else settings.tokens
        tokenizer = Tokenizer.fit(column, settings.model_copy(update={"lower": False}), kind)
        length = _STREAM_LENGTH if settings.length == "auto" else settings.length
        return cls(column.name, tokenizer, length=length)

    def rows(self, column: pl.Series, store: Store | None = None) -> Windows:
        """What the network sees; `targets` is what it has to predict. Raises: as `windows`."""
        return windows(self.tokenizer, column, self.length)

    def targets(self, column: pl.Series, store: Store | None = None) -> Windows:
        """At every step the token that follows. Raises: as `windows`."""
        return following(self.rows(column, store))


class SymbolEncoder(StreamEncoder):
    """The cells of a column, a token each, as neighbouring windows; numbers by their bins."""

    kind: ClassVar[str] = "symbols"

    @classmethod
    def fit(cls, column: pl.Series, store: Store | None, settings: Text) -> Self:
        """Learn the symbols, or the edges of bins where the column is numbers, from training rows."""
        kind = "bins" if column.dtype.is_numeric() else "cells"
        tokenizer = Tokenizer.fit(column, settings.model_copy(update={"lower": False}), kind)
        length = int(np.clip(len(column) // _WINDOWS, _SHORTEST, _STREAM_LENGTH))
        return cls(column.name, tokenizer, length=length if settings.length == "auto" else settings.length)


def windows(tokenizer: Tokenizer, column: pl.Series, length: int) -> Windows:
    """Windows on the joined passages that begin at 0, length, 2·length …, each with one more token behind it.

    Raises: `DataError` when the passages do not fill one window.
    """
    stream = torch.from_numpy(tokenizer.ragged(column).codes)
    if len(stream) <= length:
        tokens = f"{len(stream):,} tokens in {len(column):,} passages"
        raise DataError(
            f"column '{column.name}': found {tokens}, expected more than the {length:,} that the network "
            "sees at once; give more text, or set data.text.length lower."
        )
    return Windows(stream, torch.arange(0, len(stream) - length, length), length)


def following(rows: Windows) -> Windows:
    """The same windows one token later."""
    return Windows(rows.data, rows.starts + 1, rows.length)


def _usual_length(lengths: np.ndarray) -> int:
    """The shortest length that holds 95 % of the texts whole, from 1 to 512."""
    longest = np.sort(lengths)[max(0, math.ceil(_WHOLE * len(lengths)) - 1)] if len(lengths) else 1
    return int(np.clip(longest, 1, _LONGEST))


def _most_frequent(texts: Ragged, vocabulary: int) -> list[int]:
    """The codes of the most frequent tokens, in the order of codes."""
    counts = np.bincount(texts.codes, minlength=vocabulary)[FIRST:]
    most = np.argsort(-counts, kind="stable")[: min(_COUNTED, int((counts > 0).sum()))]
    return (np.sort(most) + FIRST).tolist()

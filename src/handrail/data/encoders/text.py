"""A column of texts as rows of codes."""

import math
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int, Int32, Int64
from torch import Tensor, nn

from handrail.data.encoders.column import ColumnEncoder
from handrail.data.encoders.tokenizers import Tokenizer, suitable
from handrail.data.encoders.tokenizers.codes import FIRST, UNKNOWN, Ragged
from handrail.data.stores.store import Store
from handrail.recipe.encoding import Text
from handrail.shapes import TokenShape

_LONGEST = 512
_WHOLE = 0.95  # this share of the training texts is held whole
_COUNTED = 1000


class AsCodes(nn.Module):
    """Codes as embeddings take them: int64. With answers beside them, as a network that is led by the truth
    is given, both.
    """

    def forward(self, codes: Tensor | tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
        """The same codes."""
        return tuple(part.long() for part in codes) if isinstance(codes, tuple) else codes.long()


class TextEncoder(ColumnEncoder):
    """Texts to codes `[rows, length]`, int32, padded with 0 at the end; a missing text is an empty one.

    Arguments:
        name: of the column.
        tokenizer: learned from training rows.
        length: tokens a row.
        counted: codes of the most frequent tokens, for the linear baseline.
    """

    kind: ClassVar[str] = "text"

    def __init__(self, name: str, tokenizer: Tokenizer, *, length: int, counted: list[int]) -> None:
        super().__init__()
        self.name, self.tokenizer, self.length, self.counted = name, tokenizer, length, counted

    @classmethod
    def fit(cls, column: pl.Series, store: Store | None, settings: Text) -> Self:
        """Learn tokens and length from training rows.

        Raises: `HandrailError` where the package tokenizers is needed and not installed.
        """
        tokenizer = Tokenizer.fit(
            column, settings, suitable(column) if settings.tokens == "auto" else settings.tokens
        )
        found = tokenizer.ragged(column)
        length = _fitting(found.lengths) if settings.length == "auto" else settings.length
        return cls(column.name, tokenizer, length=length, counted=_most_frequent(found, tokenizer.vocabulary))

    @property
    def shape(self) -> TokenShape:
        """Length and number of codes."""
        return TokenShape(self.length, self.tokenizer.vocabulary)

    def rows(self, column: pl.Series, store: Store | None = None) -> Int32[Tensor, "rows length"]:
        """Codes, on the CPU."""
        return torch.from_numpy(self.tokenizer.padded(column, self.length))

    def front(self) -> nn.Module:
        """Codes to int64."""
        return AsCodes()

    def simple(self, rows: Int[Tensor, "rows length"]) -> Float[Tensor, "rows width"]:
        """log(1 + how often) of the thousand most frequent tokens, in the part of the text that the network
        sees.
        """
        # All others share a column, which is cut off.
        column = torch.full((self.tokenizer.vocabulary,), len(self.counted))
        column[self.counted] = torch.arange(len(self.counted))
        counts = torch.zeros(len(rows), len(self.counted) + 1)
        counts.scatter_add_(1, column[rows.long()], torch.ones(rows.shape))
        return counts[:, :-1].log1p()

    def unseen(self, column: pl.Series, store: Store | None = None) -> Int64[np.ndarray, " some"]:
        """Rows with text of which not one token was seen in training."""
        found = self.tokenizer.ragged(column)
        return np.flatnonzero((found.lengths > 0) & (found.counts(found.codes != UNKNOWN) == 0))

    def share_unknown(self, column: pl.Series) -> float:
        """The share of all tokens of these rows that were never seen in training."""
        return self.tokenizer.share_unknown(column)

    def facts(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "name": self.name,
            "length": self.length,
            "counted": self.counted,
            "tokenizer": self.tokenizer.facts(),
        }

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Self:
        """The way back."""
        tokenizer = Tokenizer.from_facts(facts["tokenizer"])
        return cls(facts["name"], tokenizer, length=facts["length"], counted=facts["counted"])


def _fitting(lengths: np.ndarray) -> int:
    """The shortest length that holds 95 % of the texts whole, from 1 to 512."""
    held = np.sort(lengths)[max(0, math.ceil(_WHOLE * len(lengths)) - 1)] if len(lengths) else 1
    return int(np.clip(held, 1, _LONGEST))


def _most_frequent(found: Ragged, vocabulary: int) -> list[int]:
    """The codes of the most frequent tokens, in the order of codes."""
    counts = np.bincount(found.codes, minlength=vocabulary)[FIRST:]
    most = np.argsort(-counts, kind="stable")[: min(_COUNTED, int((counts > 0).sum()))]
    return (np.sort(most) + FIRST).tolist()

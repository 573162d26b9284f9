"""Tokens that are whole cells of a column: symbols, or bins of numbers. A gap is a token of its own."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from handrail.data.encoders.codes import FIRST, UNKNOWN, UNKNOWN_SIGN, Ragged

MISSING = "missing"  # how a cell without a value is written
_LINE, _COMMA = "\n", ","
_EXACT = 17  # digits of a Float64


class Cells:
    """One token a cell, the most frequent first, ties by letter; white space within a cell is one space.

    They are written with commas between them, or a line each where a cell holds a comma.
    """

    def __init__(self, cells: Sequence[str]) -> None:
        self.tokens = tuple(cells)
        self._codes = {cell: code for code, cell in enumerate(self.tokens, start=FIRST)}
        self._written = ("", UNKNOWN_SIGN, *self.tokens)
        self._between = _LINE if any(_COMMA in cell for cell in self.tokens) else f"{_COMMA} "

    @classmethod
    def fit(cls, texts: Sequence[str], size: int) -> "Cells":
        counts = Counter(map(_cell, texts))
        return cls(sorted(counts, key=lambda cell: (-counts[cell], cell))[:size])

    @property
    def opening(self) -> str:
        """What stands at the beginning where nothing is given: the commonest cell."""
        return self.tokens[0]

    def ragged(self, texts: Sequence[str]) -> Ragged:
        codes = (self._codes.get(_cell(text), UNKNOWN) for text in texts)
        return _one_each(np.fromiter(codes, dtype=np.int32, count=len(texts)))

    def decode(self, codes: Iterable[int]) -> str:
        return self._between.join(self._written[code] for code in codes if code)

    def pieces(self, text: str) -> list[str]:
        """The cells of a written series: between commas or line ends; else between spaces."""
        return _split(text, self._between, self.tokens)

    def facts(self) -> dict[str, Any]:
        return {"cells": list(self.tokens)}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> "Cells":
        return cls(facts["cells"])


class Bins:
    """One token a number: the bin k with eₖ ≤ x < eₖ₊₁, the edges being quantiles of the training rows.

    Edges without a training row between them are one, and a value at which several fall has a bin of its own.
    What lies beyond all training rows belongs to the first or the last bin.

    Arguments:
        edges: between the bins, rising.
        digits: that edges are written with.
        gaps: whether a missing number has a token.
    """

    def __init__(self, edges: Sequence[float], *, digits: int, gaps: bool) -> None:
        self.edges, self.digits, self.gaps = np.asarray(edges, dtype=np.float64), digits, gaps
        self.tokens = (*_names(self.edges, digits), *([MISSING] if gaps else []))
        self._codes = {name: code for code, name in enumerate(self.tokens, start=FIRST)}
        self._written = ("", UNKNOWN_SIGN, *self.tokens)

    @classmethod
    def fit(cls, texts: Sequence[str], size: int) -> "Bins":
        """Bins of equal numbers of training rows, `size` at most; a token for gaps comes on top."""
        numbers = _numbers(texts)
        known = np.sort(numbers[np.isfinite(numbers)])
        edges = _parting(np.quantile(known, np.arange(1, size) / size) if len(known) else known, known)
        return cls(edges.tolist(), digits=_digits(edges, known), gaps=bool(np.isnan(numbers).any()))

    @property
    def opening(self) -> str:
        """What stands at the beginning where nothing is given: the bin in the middle."""
        return self.tokens[len(self.edges) // 2]

    def ragged(self, texts: Sequence[str]) -> Ragged:
        numbers = _numbers(texts)
        codes = (FIRST + np.searchsorted(self.edges, numbers, side="right")).astype(np.int32)
        for place in np.flatnonzero(np.isnan(numbers)).tolist():
            word = _cell(texts[place])
            codes[place] = self._codes.get(MISSING if word.lower() == "nan" else word, UNKNOWN)
        return _one_each(codes)

    def decode(self, codes: Iterable[int]) -> str:
        return f"{_COMMA} ".join(self._written[code] for code in codes if code)

    def pieces(self, text: str) -> list[str]:
        """The numbers of a written series, or the names of their bins."""
        return _split(text, _COMMA, self.tokens)

    def facts(self) -> dict[str, Any]:
        return {"edges": self.edges.tolist(), "digits": self.digits, "gaps": self.gaps}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> "Bins":
        return cls(facts["edges"], digits=facts["digits"], gaps=facts["gaps"])


def _cell(text: str) -> str:
    return " ".join(text.split()) or MISSING


def _one_each(codes: np.ndarray) -> Ragged:
    return Ragged(codes, np.ones(len(codes), dtype=np.int64))


def _split(text: str, between: str, tokens: Sequence[str]) -> list[str]:
    if _LINE in text.strip() or between == _LINE:
        parts = text.split(_LINE)
    elif _COMMA in text or _cell(text) in tokens:
        parts = text.split(_COMMA)
    else:
        parts = text.split()
    return [_cell(part) for part in parts if part.strip()]


def _numbers(texts: Sequence[str]) -> Float[np.ndarray, " texts"]:
    """Not a number where a text is none."""
    cast = pl.Series(texts, dtype=pl.String).str.strip_chars().cast(pl.Float64, strict=False)
    return cast.fill_null(float("nan")).to_numpy()


def _parting(
    edges: Float[np.ndarray, " edges"], known: Float[np.ndarray, " rows"]
) -> Float[np.ndarray, " kept"]:
    """The edges with rows on both sides and between them; a value at which several fall has a bin of its own.

    Arguments:
        known: rising.
    """
    values, falls = np.unique(edges, return_counts=True)
    tied = values[(falls > 1) | (values <= known[:1])]
    distinct = np.unique(known)
    above = np.searchsorted(distinct, tied, side="right")
    beyond = distinct[above[above < len(distinct)]]
    wanted = np.unique(np.concatenate([values, beyond]))
    below, first = np.unique(np.searchsorted(known, wanted), return_index=True)
    return wanted[first[below > 0]]


def _digits(edges: np.ndarray, known: np.ndarray) -> int:
    """As few, from three on, as divide the training rows as the edges themselves do."""

    def divide(digits: int) -> np.ndarray:
        return np.searchsorted([_rounded(edge, digits) for edge in edges], known, side="right")

    exact = divide(_EXACT)
    return next(digits for digits in range(3, _EXACT + 1) if np.array_equal(divide(digits), exact))


def _names(edges: np.ndarray, digits: int) -> list[str]:
    if not len(edges):
        return ["any number"]
    shown = [_plain(_rounded(edge, digits), digits) for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(shown)]
    return [f"below {shown[0]}", *between, f"{shown[-1]} or more"]


def _rounded(edge: float, digits: int) -> float:
    return float(f"{edge:.{digits}g}")


def _plain(edge: float, digits: int) -> str:
    """Without a power of ten for a whole number that is short."""
    return f"{edge:.0f}" if abs(edge) < 1e9 and edge == int(edge) else f"{edge:.{digits}g}"

"""Codes of tokens: the two that stand for none, and those of several texts, one behind the other."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, Int64

PADDING = 0
UNKNOWN = 1
FIRST = 2  # the code of the first real token
UNKNOWN_SIGN = "\ufffd"  # what stands for a token that was never seen when codes are written as text


class Ragged(NamedTuple):
    """The codes of several texts, one text behind the other."""

    codes: Int32[np.ndarray, " tokens"]
    lengths: Int64[np.ndarray, " texts"]

    def texts(self) -> list[list[int]]:
        """The codes text by text."""
        ends = np.cumsum(self.lengths)
        return [
            self.codes[end - length : end].tolist() for end, length in zip(ends, self.lengths, strict=True)
        ]

    def pad(self, length: int) -> Int32[np.ndarray, "texts {length}"]:
        """A row a text, cut at `length` and filled with padding at the end."""
        rows = np.zeros((len(self.lengths), length), dtype=np.int32)
        firsts = np.cumsum(self.lengths) - self.lengths
        place = np.arange(len(self.codes)) - np.repeat(firsts, self.lengths)
        inside = place < length
        row = np.repeat(np.arange(len(self.lengths)), self.lengths)
        rows[row[inside], place[inside]] = self.codes[inside]
        return rows

    def counts(self, mask: np.ndarray) -> Int64[np.ndarray, " texts"]:
        """How many tokens of each text are marked in `mask` `[tokens]`."""
        before = np.concatenate([[0], np.cumsum(mask, dtype=np.int64)])
        ends = np.cumsum(self.lengths)
        return before[ends] - before[ends - self.lengths]

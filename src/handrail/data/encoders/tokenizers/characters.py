"""Characters as tokens."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from handrail.data.encoders.tokenizers.codes import FIRST, UNKNOWN, UNKNOWN_SIGN, Ragged


class Characters:
    """One token a character (Unicode code point), in the order of code points."""

    def __init__(self, characters: str) -> None:
        self.tokens = tuple(characters)
        points = _points(characters)
        # The last place is for all beyond.
        self._codes = np.full(int(points.max(initial=0)) + 2, UNKNOWN, dtype=np.int32)
        self._codes[points] = np.arange(FIRST, FIRST + len(points), dtype=np.int32)
        self._written = np.array(["", UNKNOWN_SIGN, *self.tokens], dtype=object)

    @classmethod
    def fit(cls, texts: Sequence[str], size: int) -> "Characters":
        """The `size` most frequent characters."""
        points, counts = np.unique(_points("".join(texts)), return_counts=True)
        most = np.argsort(-counts, kind="stable")[:size]
        return cls("".join(map(chr, np.sort(points[most]).tolist())))

    def ragged(self, texts: Sequence[str]) -> Ragged:
        """Codes of texts."""
        points = _points("".join(texts))
        codes = self._codes[np.minimum(points, len(self._codes) - 1)]
        return Ragged(codes, np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)))

    def decode(self, codes: Iterable[int]) -> str:
        """The text, to the letter."""
        return "".join(self._written[np.fromiter(codes, dtype=np.int64)])

    def pieces(self, text: str) -> list[str]:
        """The characters."""
        return list(text)

    def joined(self, pieces: Sequence[str]) -> str:
        """The text of these pieces."""
        return "".join(pieces)

    def facts(self) -> dict[str, Any]:
        """Plain data."""
        return {"characters": "".join(self.tokens)}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> "Characters":
        """The way back."""
        return cls(facts["characters"])


def _points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)

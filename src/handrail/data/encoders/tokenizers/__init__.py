"""`Tokenizer`: from texts to codes and back, learned from training rows only."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl
from jaxtyping import Int32

from handrail.data.encoders.tokenizers.characters import Characters
from handrail.data.encoders.tokenizers.codes import FIRST, UNKNOWN, Ragged
from handrail.data.encoders.tokenizers.library import BytePairs, Words
from handrail.recipe.encoding import Text

Kind = Literal["characters", "words", "byte_pairs"]
_MODELS: dict[str, type[Characters] | type[Words] | type[BytePairs]] = {
    "characters": Characters,
    "words": Words,
    "byte_pairs": BytePairs,
}
_APART = 0.1


class Tokenizer:
    """Texts to codes and back. Code 0 is padding, 1 a token never seen; then come the tokens in a stable
    order.

    Arguments:
        kind: what a token is.
        model: what was learned.
        lower: whether capital letters count as small ones.
    """

    def __init__(self, kind: Kind, model: Characters | Words | BytePairs, *, lower: bool) -> None:
        self.kind, self.lower, self._model = kind, lower, model

    @classmethod
    def fit(cls, texts: Sequence[str] | pl.Series, settings: Text, kind: Kind) -> "Tokenizer":
        """Learn the tokens of these texts: at most `settings.vocabulary`, the padding and the unknown among
        them.

        Raises: `HandrailError` where the package tokenizers is needed and not installed; `DataError` for byte
        pairs
            with a vocabulary that does not hold all bytes.
        """
        return cls(
            kind,
            _MODELS[kind].fit(_listed(texts, settings.lower), settings.vocabulary - FIRST),
            lower=settings.lower,
        )

    @property
    def vocabulary(self) -> int:
        """How many codes there are, the padding and the unknown among them."""
        return FIRST + len(self._model.tokens)

    def ragged(self, texts: Sequence[str] | pl.Series) -> Ragged:
        """Codes of many texts, one behind the other; missing texts are empty ones."""
        return self._model.ragged(_listed(texts, self.lower))

    def encode(self, texts: Sequence[str] | pl.Series) -> list[list[int]]:
        """Codes text by text."""
        return self.ragged(texts).texts()

    def padded(self, texts: Sequence[str] | pl.Series, length: int) -> Int32[np.ndarray, "texts {length}"]:
        """Codes in rows of `length`: longer texts are cut, shorter ones end in padding."""
        return self.ragged(texts).padded(length)

    def decode(self, codes: Iterable[int]) -> str:
        """The text of codes, without padding. Characters and byte pairs come back to the letter, words with
        usual spaces.
        """
        return self._model.decode(int(code) for code in codes)

    def pieces(self, text: str) -> list[str]:
        """The tokens of a text as they are written, known or not."""
        return self._model.pieces(text.lower() if self.lower else text)

    def written(self, text: str) -> str:
        """The text as `decode` would write it were all its tokens known: what an answer is compared with."""
        return self._model.joined(self._model.pieces(text)) if self.kind == "words" else text

    def share_unknown(self, texts: Sequence[str] | pl.Series) -> float:
        """The share of the tokens that were never seen; 0 where there are no tokens."""
        codes = self.ragged(texts).codes
        return float((codes == UNKNOWN).mean()) if len(codes) else 0.0

    def facts(self) -> dict[str, Any]:
        """Plain data from which `from_facts` makes the same tokenizer."""
        return {"kind": self.kind, "lower": self.lower, "model": self._model.facts()}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> "Tokenizer":
        """The way back.

        Raises: `HandrailError` where the package tokenizers is needed and not installed.
        """
        return cls(facts["kind"], _MODELS[facts["kind"]].from_facts(facts["model"]), lower=facts["lower"])


def suitable(texts: pl.Series) -> Kind:
    """Words; characters where nine in ten texts are single words, such as names, formulas or codes."""
    apart = texts.cast(pl.String).drop_nulls().str.strip_chars()
    apart = apart.filter(apart != "").str.contains(r"\s")
    return "characters" if len(apart) and float(apart.mean() or 0) < _APART else "words"  # pyright: ignore[reportArgumentType]


def _listed(texts: Sequence[str] | pl.Series, lower: bool) -> list[str]:
    found = texts.cast(pl.String).fill_null("").to_list() if isinstance(texts, pl.Series) else list(texts)
    return [text.lower() for text in found] if lower else found

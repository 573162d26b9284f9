"""From texts to codes and back, learned from training rows only: `Tokenizer`, and what a token may be."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Literal

import numpy as np
import polars as pl
from jaxtyping import Int32

from handrail.data.columns.words import UNSPACED
from handrail.data.encoders.cells import Bins, Cells
from handrail.data.encoders.codes import FIRST, UNKNOWN, UNKNOWN_SIGN, Ragged
from handrail.errors import DataError, HandrailError
from handrail.recipe.sections import Text
from handrail.tools.words import list_some

_WORD = r"\w+|[^\w\s]"  # a run of letters, digits and underscores, or any other sign by itself
_NOT_A_WORD = "\n"  # stands for unknown words in the library's table, where no text can be mistaken for it
_BYTES = 256
_TEXTS = 8192  # texts that are encoded at once
_APART = 0.1
_LOOKED_AT = 1000  # texts

TextKind = Literal["characters", "words", "byte_pairs"]
Kind = Literal[TextKind, "cells", "bins"]


class Tokenizer:
    """Texts to codes and back. Code 0 is padding, 1 a token never seen; then the tokens in a stable order.

    Arguments:
        kind: what a token is.
        model: what was learned.
        lower: whether capital letters count as small ones.
    """

    def __init__(self, kind: Kind, model: "_Model", *, lower: bool) -> None:
        self.kind, self.lower, self._model = kind, lower, model

    @classmethod
    def fit(cls, texts: Sequence[str] | pl.Series, settings: Text, kind: Kind) -> "Tokenizer":
        """Learn the tokens of these texts: `settings.vocabulary` at most, padding and unknown among them.

        Of numbers at most `settings.bins` tokens.

        Raises: `HandrailError` where the package tokenizers is needed and not installed; `DataError` for byte
            pairs with a vocabulary that does not hold all bytes.
        """
        size = settings.vocabulary - FIRST
        size = min(settings.bins, size) if kind == "bins" else size
        model = _MODELS[kind].fit(_as_list(texts, settings.lower), size)
        return cls(kind, model, lower=settings.lower)

    @property
    def vocabulary(self) -> int:
        """How many codes there are, the padding and the unknown among them."""
        return FIRST + len(self._model.tokens)

    def ragged(self, texts: Sequence[str] | pl.Series) -> Ragged:
        """Codes of many texts, one behind the other; missing texts are empty ones."""
        return self._model.ragged(_as_list(texts, self.lower))

    def encode(self, texts: Sequence[str] | pl.Series) -> list[list[int]]:
        """Codes text by text."""
        return self.ragged(texts).texts()

    def pad(self, texts: Sequence[str] | pl.Series, length: int) -> Int32[np.ndarray, "texts {length}"]:
        """Codes in rows of `length`: longer texts are cut, shorter ones end in padding."""
        return self.ragged(texts).pad(length)

    def decode(self, codes: Iterable[int]) -> str:
        """The text of codes, without padding: to the letter, or for words with usual spaces."""
        return self._model.decode(int(code) for code in codes)

    def pieces(self, text: str) -> list[str]:
        """The tokens of a text as they are written, known or not."""
        return self._model.pieces(text.lower() if self.lower else text)

    def begin(self, text: str) -> list[int]:
        """The codes of a text that is to be continued, as `decode` writes it; of none, a usual beginning."""
        if not isinstance(self._model, Cells | Bins):
            return self.encode([text or "\n"])[0]
        return self.ragged(self._model.pieces(text) or [self._model.opening]).codes.tolist()

    @property
    def known(self) -> tuple[str, ...]:
        """The tokens that were learned."""
        return tuple(str(token) for token in self._model.tokens)

    @property
    def expected(self) -> str:
        """What such a text is made of."""
        if not isinstance(self._model, Cells | Bins):
            return "text like the training text"
        known = list_some([f"'{token}'" for token in self._model.tokens], most=20)
        what = "numbers, or their bins:" if isinstance(self._model, Bins) else "cells of"
        return f"{what} {known}"

    def normalise(self, text: str) -> str:
        """The text as `decode` would write it were all its tokens known: what an answer is compared with."""
        return _join_words(self._model.pieces(text)) if self.kind == "words" else text

    def share_unknown(self, texts: Sequence[str] | pl.Series) -> float:
        """The share of the tokens that were never seen; 0 where there are no tokens."""
        codes = self.ragged(texts).codes
        return float((codes == UNKNOWN).mean()) if len(codes) else 0.0

    def facts(self) -> dict[str, Any]:
        """Plain data from which `from_facts` makes the same tokenizer."""
        return {"kind": self.kind, "lower": self.lower, "model": self._model.facts()}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> "Tokenizer":
        """Raises: `HandrailError` where the package tokenizers is needed and not installed."""
        return cls(facts["kind"], _MODELS[facts["kind"]].from_facts(facts["model"]), lower=facts["lower"])


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
        points, counts = np.unique(_points("".join(texts)), return_counts=True)
        most = np.argsort(-counts, kind="stable")[:size]
        return cls("".join(map(chr, np.sort(points[most]).tolist())))

    def ragged(self, texts: Sequence[str]) -> Ragged:
        points = _points("".join(texts))
        codes = self._codes[np.minimum(points, len(self._codes) - 1)]
        return Ragged(codes, np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)))

    def decode(self, codes: Iterable[int]) -> str:
        return "".join(self._written[np.fromiter(codes, dtype=np.int64)])

    def pieces(self, text: str) -> list[str]:
        return list(text)

    def facts(self) -> dict[str, Any]:
        return {"characters": "".join(self.tokens)}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> "Characters":
        return cls(facts["characters"])


class Words:
    """Runs of letters and digits, and each other sign by itself; the most frequent first, ties by letter."""

    def __init__(self, words: Sequence[str]) -> None:
        self.tokens = tuple(words)
        numbers = {_NOT_A_WORD: 0} | {word: number for number, word in enumerate(self.tokens, start=1)}
        self._tokenizer = _word_splitter(_library("words").models.WordLevel(numbers, unk_token=_NOT_A_WORD))

    @classmethod
    def fit(cls, texts: Sequence[str], size: int) -> "Words":
        tokenizers = _library("words")
        learner = _word_splitter(tokenizers.models.WordLevel())
        trainer = tokenizers.trainers.WordLevelTrainer(
            vocab_size=size, min_frequency=0, show_progress=False, special_tokens=[]
        )
        learner.train_from_iterator(texts, trainer)
        return cls(_in_order(learner))

    def ragged(self, texts: Sequence[str]) -> Ragged:
        return _encode(self._tokenizer, texts, UNKNOWN)

    def decode(self, codes: Iterable[int]) -> str:
        """The words with spaces between them, but none before a full stop and its like."""
        written = ("", UNKNOWN_SIGN, *self.tokens)
        return _join_words([written[code] for code in codes if code])

    def pieces(self, text: str) -> list[str]:
        return [word for word, _ in self._tokenizer.pre_tokenizer.pre_tokenize_str(text)]

    def facts(self) -> dict[str, Any]:
        return {"words": list(self.tokens)}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> "Words":
        return cls(facts["words"])


class BytePairs:
    """Byte pairs: the 256 bytes, then again and again the pair of tokens that stands together most often.

    Source: Gage 1994; Sennrich, Haddow & Birch 2016; bytes: Radford et al. 2019
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.tokens = tuple(_in_order(tokenizer))

    @classmethod
    def fit(cls, texts: Sequence[str], size: int) -> "BytePairs":
        """The bytes and the `size` − 256 most useful pairs. Raises: `DataError` for a size below 256."""
        tokenizers = _library("byte_pairs")
        if size < _BYTES:
            raise DataError(
                f"data.text.vocabulary: found {size + FIRST}, expected at least {_BYTES + FIRST} for byte "
                f"pairs: all {_BYTES} bytes, the padding and the unknown."
            )
        before = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
        tokenizer.pre_tokenizer, tokenizer.decoder = before, tokenizers.decoders.ByteLevel()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=size, show_progress=False, special_tokens=[], initial_alphabet=before.alphabet()
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer)

    def ragged(self, texts: Sequence[str]) -> Ragged:
        return _encode(self._tokenizer, texts, FIRST)

    def decode(self, codes: Iterable[int]) -> str:
        """The text, to the letter; bytes that make no character come out as the unknown sign."""
        text, run = "", []
        for code in codes:
            if code >= FIRST:
                run.append(code - FIRST)
            elif code == UNKNOWN:
                text, run = text + self._tokenizer.decode(run) + UNKNOWN_SIGN, []
        return text + self._tokenizer.decode(run)

    def pieces(self, text: str) -> list[str]:
        numbers = self._tokenizer.encode(text, add_special_tokens=False).ids
        return [self._tokenizer.decode([number]) for number in numbers]

    def facts(self) -> dict[str, Any]:
        return {"library": self._tokenizer.to_str()}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> "BytePairs":
        return cls(_library("byte_pairs").Tokenizer.from_str(facts["library"]))


# Each offers `fit`, `tokens`, `ragged`, `decode`, `pieces`, `facts` and `from_facts`, as `Tokenizer` says.
_Model = Characters | Words | BytePairs | Cells | Bins
_MODELS: dict[str, type[_Model]] = {
    "characters": Characters,
    "words": Words,
    "byte_pairs": BytePairs,
    "cells": Cells,
    "bins": Bins,
}


def suitable(texts: pl.Series) -> TextKind:
    """Words; characters where nine in ten texts are single words, or their script has no spaces.

    Single words are names, formulas or codes; Chinese, Japanese and Thai are written without spaces.
    """
    words = texts.cast(pl.String).drop_nulls().str.strip_chars()
    sample = words.head(_LOOKED_AT)
    unspaced, letters = (int(sample.str.count_matches(signs).sum()) for signs in (UNSPACED, r"\p{L}"))
    if unspaced > letters / 2:
        return "characters"
    several = words.filter(words != "").str.contains(r"\s").to_numpy()
    return "characters" if len(several) and several.mean() < _APART else "words"


def _as_list(texts: Sequence[str] | pl.Series, lower: bool) -> list[str]:
    strings = texts.cast(pl.String).fill_null("").to_list() if isinstance(texts, pl.Series) else list(texts)
    return [text.lower() for text in strings] if lower else strings


def _points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _library(kind: str) -> Any:
    """The module `tokenizers`. Raises: `HandrailError` where it is not installed."""
    try:
        import tokenizers
    except ImportError:
        raise HandrailError(
            f"data.text.tokens: {kind} needs the package tokenizers; install it with: pip install "
            "'handrail[text]'. Characters (data.text.tokens: characters) do without."
        ) from None
    return tokenizers


def _word_splitter(model: Any) -> Any:
    tokenizers = _library("words")
    tokenizer = tokenizers.Tokenizer(model)
    word = tokenizers.Regex(_WORD)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Split(word, behavior="removed", invert=True)
    return tokenizer


def _in_order(tokenizer: Any) -> list[str]:
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def _encode(tokenizer: Any, texts: Sequence[str], shift: int) -> Ragged:
    codes, lengths = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
    for start in range(0, len(texts), _TEXTS):
        chunk = list(texts[start : start + _TEXTS])
        rows = [item.ids for item in tokenizer.encode_batch_fast(chunk, add_special_tokens=False)]
        lengths.append(np.fromiter(map(len, rows), dtype=np.int64, count=len(rows)))
        codes.append(np.fromiter(chain.from_iterable(rows), dtype=np.int32, count=int(lengths[-1].sum())))
    return Ragged(np.concatenate(codes) + np.int32(shift), np.concatenate(lengths))


def _join_words(words: Sequence[str]) -> str:
    """The text of words, spaced as usual."""
    text = re.sub(r" ([.,;:!?%)\]}…])", r"\1", " ".join(words))
    return re.sub(r"(?<=\w) (['’]) (?=\w)", r"\1", re.sub(r"([(\[{]) ", r"\1", text))

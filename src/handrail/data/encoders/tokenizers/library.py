"""The tokenizers library: words and byte pairs."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from handrail.data.encoders.tokenizers.codes import FIRST, UNKNOWN, UNKNOWN_SIGN, Ragged
from handrail.errors import DataError, HandrailError

WORD = r"\w+|[^\w\s]"  # a run of letters, digits and underscores, or any other sign by itself
_BYTES = 256
_TEXTS = 8192  # texts that are encoded at once
_NOT_A_WORD = "\n"  # stands for unknown words in the library's table, where no text can be mistaken for it


def library(kind: str) -> Any:
    """The module `tokenizers`.

    Raises: `HandrailError` where it is not installed.
    """
    try:
        import tokenizers
    except ImportError:
        raise HandrailError(
            f"data.text.tokens: {kind} needs the package tokenizers; install it with: pip install "
            "'handrail[text]'. "
            "Characters (data.text.tokens: characters) do without."
        ) from None
    return tokenizers


def _ragged(tokenizer: Any, texts: Sequence[str], shift: int) -> Ragged:
    codes, lengths = [], []
    for start in range(0, len(texts), _TEXTS):
        found = [
            item.ids
            for item in tokenizer.encode_batch_fast(
                list(texts[start : start + _TEXTS]), add_special_tokens=False
            )
        ]
        lengths.append(np.fromiter(map(len, found), dtype=np.int64, count=len(found)))
        codes.append(np.fromiter(chain.from_iterable(found), dtype=np.int32, count=int(lengths[-1].sum())))
    if not codes:
        return Ragged(np.zeros(0, np.int32), np.zeros(0, np.int64))
    return Ragged(np.concatenate(codes) + np.int32(shift), np.concatenate(lengths))


class Words:
    """Runs of letters and digits, and each other sign by itself; the most frequent first, equals by letter."""

    def __init__(self, words: Sequence[str]) -> None:
        self.tokens = tuple(words)
        numbers = {_NOT_A_WORD: 0} | {word: number for number, word in enumerate(self.tokens, start=1)}
        self._tokenizer = _splitter(library("words").models.WordLevel(numbers, unk_token=_NOT_A_WORD))

    @classmethod
    def fit(cls, texts: Sequence[str], size: int) -> "Words":
        """The `size` most frequent words."""
        tokenizers = library("words")
        learner = _splitter(tokenizers.models.WordLevel())
        trainer = tokenizers.trainers.WordLevelTrainer(
            vocab_size=size, min_frequency=0, show_progress=False, special_tokens=[]
        )
        learner.train_from_iterator(texts, trainer)
        return cls(_in_order(learner))

    def ragged(self, texts: Sequence[str]) -> Ragged:
        """Codes of texts."""
        return _ragged(self._tokenizer, texts, UNKNOWN)

    def decode(self, codes: Iterable[int]) -> str:
        """The words with spaces between them, but none before a full stop and its like."""
        written = ("", UNKNOWN_SIGN, *self.tokens)
        return self.joined([written[code] for code in codes if code])

    def pieces(self, text: str) -> list[str]:
        """The words, whether known or not."""
        return [word for word, _ in self._tokenizer.pre_tokenizer.pre_tokenize_str(text)]

    def joined(self, pieces: Sequence[str]) -> str:
        """The text of these words."""
        text = re.sub(r" ([.,;:!?%)\]}…])", r"\1", " ".join(pieces))
        return re.sub(r"(?<=\w) (['’]) (?=\w)", r"\1", re.sub(r"([(\[{]) ", r"\1", text))

    def facts(self) -> dict[str, Any]:
        """Plain data."""
        return {"words": list(self.tokens)}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> "Words":
        """The way back."""
        return cls(facts["words"])


def _splitter(model: Any) -> Any:
    tokenizers = library("words")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Split(
        tokenizers.Regex(WORD), behavior="removed", invert=True
    )
    return tokenizer


def _in_order(tokenizer: Any) -> list[str]:
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


class BytePairs:
    """Byte pairs: the 256 bytes, and then, again and again, the pair of tokens that stands together most
    often.

    Source: Gage 1994; Sennrich, Haddow & Birch 2016; bytes: Radford et al. 2019
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.tokens = tuple(_in_order(tokenizer))

    @classmethod
    def fit(cls, texts: Sequence[str], size: int) -> "BytePairs":
        """The bytes and the `size` − 256 most useful pairs.

        Raises: `DataError` where `size` does not hold all bytes.
        """
        tokenizers = library("byte_pairs")
        if size < _BYTES:
            raise DataError(
                f"data.text.vocabulary: found {size + FIRST}, expected at least {_BYTES + FIRST} for byte "
                f"pairs: all {_BYTES} "
                "bytes, the padding and the unknown."
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
        """Codes of texts; none is unknown."""
        return _ragged(self._tokenizer, texts, FIRST)

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
        """What each token stands for."""
        return [
            self._tokenizer.decode([number])
            for number in self._tokenizer.encode(text, add_special_tokens=False).ids
        ]

    def joined(self, pieces: Sequence[str]) -> str:
        """The text of these pieces."""
        return "".join(pieces)

    def facts(self) -> dict[str, Any]:
        """The library's own form."""
        return {"library": self._tokenizer.to_str()}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> "BytePairs":
        """The way back."""
        return cls(library("byte_pairs").Tokenizer.from_str(facts["library"]))

"""Series and texts whose law is known."""

from typing import Annotated

import numpy as np
import polars as pl
from pydantic import Field

from handrail.components import component
from handrail.data.sources.toys.toy import Rows, Seed, Size, Toy

Length = Annotated[int, Field(ge=2, le=50)]
_GOOD = ("fine", "bright", "warm", "lovely", "clear")
_BAD = ("poor", "dull", "cold", "awful", "murky")
_PLAIN = ("the", "film", "was", "rather", "story", "music", "with", "and", "people", "about")


@component("toy")
def season(
    *,
    rows: Rows = 2000,
    period: Annotated[int, Field(ge=2, le=10_000)] = 24,
    noise: Size = 0.1,
    seed: Seed = 0,
) -> Toy:
    """A rhythm in time: y = sin(2πt/period) + ½·sin(4πt/period + 1) + e, a row a step, e ~ N(0, noise²).

    Arguments:
        rows: steps in time.
        period: steps after which the rhythm begins anew.
        noise: the standard deviation of e, below which no forecast gets.

    Source: Fourier 1822
    """
    steps = np.arange(rows)
    phase = 2 * np.pi * steps / period
    drawn = noise * np.random.default_rng(seed).standard_normal(rows)
    return Toy(pl.DataFrame({"step": steps, "y": np.sin(phase) + np.sin(2 * phase + 1) / 2 + drawn}), "y")


@component("toy")
def reversed_words(
    *, rows: Rows = 2000, shortest: Length = 3, longest: Length = 6, letters: Length = 8, seed: Seed = 0
) -> Toy:
    """Words of random letters, to be written backwards: abca → acba.

    Arguments:
        shortest, longest: letters of a word.
        letters: of the alphabet.

    Source: Sutskever, Vinyals & Le 2014 (who reverse their sources)
    """
    generator = np.random.default_rng(seed)
    alphabet = np.array(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX")[:letters])
    lengths = generator.integers(min(shortest, longest), max(shortest, longest) + 1, rows)
    words = ["".join(alphabet[generator.integers(0, letters, length)]) for length in lengths]
    return Toy(pl.DataFrame({"word": words, "backwards": [word[::-1] for word in words]}), "backwards")


@component("toy")
def moods(*, rows: Rows = 2000, length: Length = 8, seed: Seed = 0) -> Toy:
    """Sentences of plain words with two words of one mood among them, good or bad.

    Arguments:
        length: words of a sentence.

    Source: Pang & Lee 2004 (the task)
    """
    generator = np.random.default_rng(seed)
    good = generator.permutation(np.arange(rows) % 2)
    texts = []
    for each in good:
        words = generator.choice(_PLAIN, length)
        words[generator.permutation(length)[:2]] = generator.choice(_GOOD if each else _BAD, 2)
        texts.append(" ".join(words))
    return Toy(pl.DataFrame({"text": texts, "mood": np.where(good, "good", "bad")}), "mood")


@component("toy")
def sums(
    *,
    rows: Rows = 4000,
    each: Annotated[int, Field(ge=1, le=100)] = 8,
    digits: Annotated[int, Field(ge=1, le=9)] = 1,
    seed: Seed = 0,
) -> Toy:
    """A text of sums to be continued (`data.task=next-token`): 7+5=21 3+4=70 …, results written backwards.

    Both numbers are uniform, and the result follows from them: a sum costs 2·digits·ln 10 nats, and no model
    of the text gets below that. Written from its last digit on, a result needs a carry alone at each step.

    Arguments:
        rows: lines.
        each: sums of a line.
        digits: of each of the two numbers; the result has one more.

    Source: Lee, Sreenivasan, Lee, Lee & Papailiopoulos 2023
    """
    numbers = np.random.default_rng(seed).integers(0, 10**digits, (rows, each, 2)).tolist()
    lines = [" ".join(_write(first, second, digits) for first, second in line) for line in numbers]
    return Toy(pl.DataFrame({"text": lines}), [])


def _write(first: int, second: int, digits: int) -> str:
    return f"{first:0{digits}}+{second:0{digits}}={f'{first + second:0{digits + 1}}'[::-1]}"

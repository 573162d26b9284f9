"""Answers token by token: language models, and texts that answer texts."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from handrail.data.encoders.tokenizers import Tokenizer
from handrail.data.rows import Windows, cut
from handrail.evaluation.outcomes import Outcome, Statistic

_ORDERS = 4
_WORD = re.compile(r"\w+|[^\w\s]")
_WORK = 2**22  # cells of the distance table that are held at once


@dataclass(frozen=True, eq=False)
class TokenOutcome:
    """What a language model said, window by window.

    Arguments:
        loss: summed negative log-likelihood of each window's tokens, in nats.
        tokens: how many tokens of each window count.
        right: how many of them had the greatest probability.
        truth: codes of the tokens, windows or `[rows, length]`.
        answers: codes of the tokens of the greatest probability.
        tokenizer: writes codes as text; without one they are shown as numbers.
    """

    loss: Float[np.ndarray, " rows"]
    tokens: Int64[np.ndarray, " rows"]
    right: Int64[np.ndarray, " rows"]
    truth: Tensor | Windows
    answers: Tensor | Windows
    tokenizer: Tokenizer | None = None
    task: str = "next-token"

    @property
    def rows(self) -> int:
        """How many windows there are."""
        return len(self.loss)

    @property
    def block(self) -> int:
        """Rows stand by themselves."""
        return 1

    @property
    def work(self) -> int:
        """Three sums."""
        return 3

    def names(self) -> list[str]:
        """The figures; the first is the main one."""
        return ["nats", "perplexity", "bits", "token_accuracy"]

    def measure(self) -> dict[str, float]:
        """All figures."""
        return _of_all_rows(self)

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        """One function from weights to the figures: Σ w·loss / Σ w·tokens and Σ w·right / Σ w·tokens."""
        wanted = set(names)
        return [
            lambda weights: {
                name: values for name, values in self._figures(weights).items() if name in wanted
            }
        ]

    def _figures(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        with np.errstate(all="ignore"):
            tokens = self.tokens @ weights
            nats = self.loss @ weights / tokens
            accuracy = self.right @ weights / tokens
            return {
                "nats": nats,
                "perplexity": np.exp(nats),
                "bits": nats / math.log(2),
                "token_accuracy": accuracy,
            }

    def same_rows(self, other: Outcome) -> bool:
        """Whether the other answers are about the same windows."""
        if (
            not isinstance(other, TokenOutcome)
            or other.rows != self.rows
            or not np.array_equal(self.tokens, other.tokens)
        ):
            return False
        return all(
            torch.equal(_codes(self.truth, *some), _codes(other.truth, *some))
            for some in _thousands(self.rows)
        )

    def errors(self) -> np.ndarray:
        """Nats a token."""
        return self.loss / np.maximum(self.tokens, 1)

    def spoken(self, row: int, *, truth: bool) -> str:
        """The tokens of a window as text."""
        codes = _codes(self.truth if truth else self.answers, row, row + 1)[0].tolist()
        return self.tokenizer.decode(codes) if self.tokenizer else " ".join(map(str, codes))

    def columns(self) -> dict[str, Any]:
        """Nats and counts of each window, its text, and the most probable token of each step."""
        texts = {
            name: [self.spoken(row, truth=name == "truth") for row in range(self.rows)]
            for name in ("truth", "answer")
        }
        return {**texts, "nats": self.errors(), "tokens": self.tokens, "right": self.right}


def _codes(rows: Tensor | Windows, start: int, stop: int) -> Tensor:
    found = cut(rows, start, stop)
    assert isinstance(found, Tensor)
    return found.cpu()


def _thousands(rows: int) -> list[tuple[int, int]]:
    return [(start, min(start + 1024, rows)) for start in range(0, rows, 1024)]


def _of_all_rows(outcome: "TokenOutcome | SequenceOutcome") -> dict[str, float]:
    ones = np.ones((outcome.rows, 1))
    found = {
        name: values for one in outcome.statistics(outcome.names()) for name, values in one(ones).items()
    }
    return {name: float(found[name][0]) for name in outcome.names()}


@dataclass(frozen=True, eq=False)
class SequenceOutcome:
    """Texts that answer texts, beside the true ones.

    Arguments:
        truth: the true texts, as the tokenizer writes them.
        answers: the texts that were said.
        tokenizer: cuts texts into the tokens that are counted.
    """

    truth: list[str]
    answers: list[str]
    tokenizer: Tokenizer
    task: str = "sequence"

    @property
    def rows(self) -> int:
        """How many texts there are."""
        return len(self.truth)

    @property
    def block(self) -> int:
        """Rows stand by themselves."""
        return 1

    @property
    def work(self) -> int:
        """Sums of matches, of tokens, of edits, and of runs of words."""
        return 16

    def names(self) -> list[str]:
        """The figures; the first is the main one."""
        return ["exact_match", "token_accuracy", "character_error_rate", "bleu"]

    def measure(self) -> dict[str, float]:
        """All figures; BLEU is not a number where no answer has four words."""
        return _of_all_rows(self)

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        """Functions from weights to the named figures, all of them ratios of weighted sums."""
        wanted = set(names)
        ratios: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        if "exact_match" in wanted:
            ratios["exact_match"] = (self._exact, np.ones(self.rows))
        if "token_accuracy" in wanted:
            ratios["token_accuracy"] = self._tokens
        if "character_error_rate" in wanted:
            ratios["character_error_rate"] = (self._edits, self._characters)
        found: list[Statistic] = [lambda weights: _ratios(ratios, weights)] if ratios else []
        return [*found, lambda weights: {"bleu": bleu(self._runs.T @ weights)}] if "bleu" in wanted else found

    @cached_property
    def _exact(self) -> np.ndarray:
        return np.array(
            [truth == answer for truth, answer in zip(self.truth, self.answers, strict=True)],
            dtype=np.float64,
        )

    @cached_property
    def _tokens(self) -> tuple[np.ndarray, np.ndarray]:
        pairs = [
            (self.tokenizer.pieces(t), self.tokenizer.pieces(a))
            for t, a in zip(self.truth, self.answers, strict=True)
        ]
        right = [sum(a == b for a, b in zip(truth, answer, strict=False)) for truth, answer in pairs]
        return np.array(right, dtype=np.float64), np.array(
            [len(truth) for truth, _ in pairs], dtype=np.float64
        )

    @cached_property
    def _edits(self) -> np.ndarray:
        return edit_distances(self.truth, self.answers).astype(np.float64)

    @cached_property
    def _characters(self) -> np.ndarray:
        return np.array([len(text) for text in self.truth], dtype=np.float64)

    @cached_property
    def _runs(self) -> np.ndarray:
        pairs = zip(self.truth, self.answers, strict=True)
        return np.array(
            [bleu_counts(_WORD.findall(truth), _WORD.findall(answer)) for truth, answer in pairs],
            dtype=np.float64,
        )

    def same_rows(self, other: Outcome) -> bool:
        """Whether the other answers are about the same texts."""
        return isinstance(other, SequenceOutcome) and self.truth == other.truth

    def errors(self) -> np.ndarray:
        """Changed characters a character of the truth."""
        return self._edits / np.maximum(self._characters, 1)

    def spoken(self, row: int, *, truth: bool) -> str:
        """The text."""
        return (self.truth if truth else self.answers)[row]

    def columns(self) -> dict[str, Any]:
        """Truth, answer and how many characters differ."""
        return {"truth": self.truth, "answer": self.answers, "edits": self._edits.astype(np.int64)}


def _ratios(ratios: dict[str, tuple[np.ndarray, np.ndarray]], weights: np.ndarray) -> dict[str, np.ndarray]:
    with np.errstate(all="ignore"):
        return {name: (above @ weights) / (below @ weights) for name, (above, below) in ratios.items()}


def edit_distances(truth: list[str], answers: list[str]) -> Int64[np.ndarray, " texts"]:
    """How many insertions, deletions and changes of one character turn each answer into its truth.

    Source: Levenshtein 1966; the table by rows: Wagner & Fischer 1974
    """
    found = np.zeros(len(truth), dtype=np.int64)
    order = np.argsort([max(len(a), len(b)) for a, b in zip(truth, answers, strict=True)], kind="stable")
    start = 0
    while start < len(order):
        width = 1 + max(len(truth[i]) + len(answers[i]) for i in order[start : start + 512])
        rows = order[start : start + max(1, min(512, _WORK // width))]
        found[rows] = _distances([truth[i] for i in rows], [answers[i] for i in rows])
        start += len(rows)
    return found


def _distances(first: list[str], second: list[str]) -> np.ndarray:
    """The distance table of many pairs at once, row by row of it."""
    a, lengths = _points(first, fill=-1)
    b, ends = _points(second, fill=-2)
    steps = np.arange(b.shape[1] + 1)
    table = np.tile(steps, (len(first), 1))  # [pairs, characters of the second + 1]
    found = ends.copy()
    for i in range(a.shape[1]):
        changed = table[:, :-1] + (b != a[:, i : i + 1])
        best = np.concatenate(
            [np.full((len(first), 1), i + 1), np.minimum(table[:, 1:] + 1, changed)], axis=1
        )
        table = np.minimum.accumulate(best - steps, axis=1) + steps  # insertions, one after the other
        found = np.where(lengths == i + 1, table[np.arange(len(first)), ends], found)
    return found


def _points(texts: list[str], *, fill: int) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    points = np.full((len(texts), int(lengths.max(initial=0))), fill, dtype=np.int64)
    for row, text in enumerate(texts):
        points[row, : len(text)] = [ord(character) for character in text]
    return points, lengths


def bleu_counts(truth: Sequence[str], answer: Sequence[str]) -> list[int]:
    """What BLEU adds up over texts: runs of 1 to 4 words that the truth has too, runs in all, words of answer
    and truth.
    """
    matches, totals = [], []
    for order in range(1, _ORDERS + 1):
        of_truth, of_answer = (
            Counter(tuple(t[i : i + order]) for i in range(len(t) - order + 1)) for t in (truth, answer)
        )
        matches.append((of_truth & of_answer).total())
        totals.append(of_answer.total())
    return [*matches, *totals, len(answer), len(truth)]


def bleu(sums: Float[np.ndarray, "10 resamples"]) -> Float[np.ndarray, " resamples"]:
    """BLEU-4 = min(1, exp(1 − r/c))·(p₁·p₂·p₃·p₄)^¼ from sums of `bleu_counts`; without smoothing.

    Source: Papineni, Roukos, Ward & Zhu 2002
    """
    matches, totals, answer, truth = sums[:_ORDERS], sums[_ORDERS : 2 * _ORDERS], sums[-2], sums[-1]
    with np.errstate(all="ignore"):
        precision = np.exp(np.log(matches / totals).mean(axis=0))
        return np.minimum(1.0, np.exp(1 - truth / answer)) * precision

"""Answers in tokens: language models, and texts that answer texts."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from handrail.data.encoders.tokenizers import Tokenizer
from handrail.data.rows import Windows, cut
from handrail.evaluation.forms import Bounded, Form, Ratio, Share
from handrail.evaluation.outcomes import Outcome, Statistic

_ORDERS = 4
_WORD = re.compile(r"\w+|[^\w\s]")
_WORK = 2**22  # cells of the distance table held at once


@dataclass(frozen=True, eq=False)
class TokenOutcome(Outcome):
    """The answers of a language model, window by window.

    Arguments:
        loss: summed negative log-likelihood of each window's tokens, in nats.
        tokens, right: how many of each window count, and how many of those had the greatest probability.
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
        return len(self.loss)

    @property
    def follow(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the windows are of one series, whose swings may last for several of them."""
        return self.tokenizer is not None and self.tokenizer.kind in ("cells", "bins")

    @property
    def work(self) -> int:
        return 3  # sums

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        """From Σ w·loss / Σ w·tokens and Σ w·right / Σ w·tokens."""
        selected = set(names)

        def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
            with np.errstate(all="ignore"):
                tokens = self.tokens @ weights
                nats = self.loss @ weights / tokens
                metrics = {"nats": nats, "perplexity": np.exp(nats), "bits": nats / math.log(2)}
                metrics["token_accuracy"] = self.right @ weights / tokens
            return {name: values for name, values in metrics.items() if name in selected}

        return [statistic]

    def forms(self, names: Iterable[str]) -> dict[str, Form]:
        tokens = self.tokens.astype(np.float64)
        forms: dict[str, Form] = {
            "nats": Ratio(self.loss, tokens),
            "perplexity": Ratio(self.loss, tokens, outer="exponential"),
            "bits": Ratio(self.loss, tokens),
            "token_accuracy": Ratio(self.right.astype(np.float64), tokens, most=1.0)
            if self.follow
            else Bounded(float(self.rows)),
        }
        return {name: forms[name] for name in names}

    def same_rows(self, other: Outcome) -> bool:
        return (
            isinstance(other, TokenOutcome)
            and other.rows == self.rows
            and np.array_equal(self.tokens, other.tokens)
            and all(
                torch.equal(_codes(self.truth, start, start + 1024), _codes(other.truth, start, start + 1024))
                for start in range(0, self.rows, 1024)
            )
        )

    def errors(self) -> np.ndarray:
        """Nats per token."""
        return self.loss / np.maximum(self.tokens, 1)

    def describe(self, row: int, *, truth: bool) -> str:
        codes = _codes(self.truth if truth else self.answers, row, row + 1)[0].tolist()
        return self.tokenizer.decode(codes) if self.tokenizer else " ".join(map(str, codes))

    def columns(self) -> dict[str, Any]:
        """The text of each window, the most probable token at each step, nats and counts."""
        rows = range(self.rows)
        truth, answer = ([self.describe(row, truth=side) for row in rows] for side in (True, False))
        counts = {"nats": self.errors(), "tokens": self.tokens, "right": self.right}
        return {"truth": truth, "answer": answer, **counts}


def _codes(rows: Tensor | Windows, start: int, stop: int) -> Tensor:
    codes = cut(rows, start, stop)
    assert isinstance(codes, Tensor)
    return codes.cpu()


@dataclass(frozen=True, eq=False)
class SequenceOutcome(Outcome):
    """Texts that answer texts, beside the true ones.

    Arguments:
        truth: the true texts, as the tokenizer writes them.
        answers: the network's texts.
        tokenizer: splits texts into the tokens that are counted.
    """

    truth: list[str]
    answers: list[str]
    tokenizer: Tokenizer
    task: str = "sequence"

    @property
    def rows(self) -> int:
        return len(self.truth)

    @property
    def work(self) -> int:
        return 16  # sums of matches, tokens, edits and runs of words

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        """Functions from weights to the named metrics, all of them ratios of weighted sums.

        BLEU is not a number where no answer has four words.
        """
        selected = set(names)
        ratios: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        if "exact_match" in selected:
            ratios["exact_match"] = (self._exact, np.ones(self.rows))
        if "token_accuracy" in selected:
            ratios["token_accuracy"] = self._tokens
        if "character_error_rate" in selected:
            ratios["character_error_rate"] = (self._edits, self._characters)
        statistics: list[Statistic] = [lambda weights: _ratios(ratios, weights)] if ratios else []
        if "bleu" in selected:
            statistics.append(lambda weights: {"bleu": bleu(self._runs.T @ weights)})
        return statistics

    def forms(self, names: Iterable[str]) -> dict[str, Form]:
        makers: dict[str, Callable[[], Form]] = {
            "exact_match": lambda: Share(self._exact > 0, np.ones(self.rows, dtype=bool)),
            "character_error_rate": lambda: Ratio(self._edits, self._characters),
        }
        return {name: makers.get(name, lambda: Bounded(float(self.rows)))() for name in names}

    @property
    def _pairs(self) -> Iterator[tuple[str, str]]:
        return zip(self.truth, self.answers, strict=True)

    @cached_property
    def _exact(self) -> np.ndarray:
        return np.array([truth == answer for truth, answer in self._pairs], dtype=np.float64)

    @cached_property
    def _tokens(self) -> tuple[np.ndarray, np.ndarray]:
        truths, answers = (list(map(self.tokenizer.pieces, texts)) for texts in (self.truth, self.answers))
        pairs = zip(truths, answers, strict=True)
        right = [sum(a == b for a, b in zip(truth, answer, strict=False)) for truth, answer in pairs]
        lengths = [len(truth) for truth in truths]
        return np.array(right, dtype=np.float64), np.array(lengths, dtype=np.float64)

    @cached_property
    def _edits(self) -> np.ndarray:
        return edit_distances(self.truth, self.answers).astype(np.float64)

    @cached_property
    def _characters(self) -> np.ndarray:
        return np.array([len(text) for text in self.truth], dtype=np.float64)

    @cached_property
    def _runs(self) -> np.ndarray:
        counts = [bleu_counts(_WORD.findall(truth), _WORD.findall(answer)) for truth, answer in self._pairs]
        return np.array(counts, dtype=np.float64)

    def same_rows(self, other: Outcome) -> bool:
        return isinstance(other, SequenceOutcome) and self.truth == other.truth

    def errors(self) -> np.ndarray:
        """Edits per character of the truth."""
        return self._edits / np.maximum(self._characters, 1)

    def describe(self, row: int, *, truth: bool) -> str:
        return (self.truth if truth else self.answers)[row]

    def columns(self) -> dict[str, Any]:
        return {"truth": self.truth, "answer": self.answers, "edits": self._edits.astype(np.int64)}


def _ratios(ratios: dict[str, tuple[np.ndarray, np.ndarray]], weights: np.ndarray) -> dict[str, np.ndarray]:
    with np.errstate(all="ignore"):
        return {name: (top @ weights) / (bottom @ weights) for name, (top, bottom) in ratios.items()}


def edit_distances(truth: list[str], answers: list[str]) -> Int64[np.ndarray, " texts"]:
    """How many insertions, deletions and substitutions of one character turn each answer into its truth.

    Source: Levenshtein 1966; the table by rows: Wagner & Fischer 1974
    """
    distances = np.zeros(len(truth), dtype=np.int64)
    order = np.argsort([max(len(a), len(b)) for a, b in zip(truth, answers, strict=True)], kind="stable")
    start = 0
    while start < len(order):
        width = 1 + max(len(truth[i]) + len(answers[i]) for i in order[start : start + 512])
        rows = order[start : start + max(1, min(512, _WORK // width))]
        distances[rows] = _distances([truth[i] for i in rows], [answers[i] for i in rows])
        start += len(rows)
    return distances


def _distances(first: list[str], second: list[str]) -> np.ndarray:
    a, lengths = _points(first, fill=-1)
    b, ends = _points(second, fill=-2)
    steps = np.arange(b.shape[1] + 1)
    table = np.tile(steps, (len(first), 1))  # [pairs, characters of the second + 1]
    distances = ends.copy()
    for i in range(a.shape[1]):
        substituted = table[:, :-1] + (b != a[:, i : i + 1])
        changed = np.minimum(table[:, 1:] + 1, substituted)
        best = np.concatenate([np.full((len(first), 1), i + 1), changed], axis=1)
        table = np.minimum.accumulate(best - steps, axis=1) + steps  # insertions, one after the other
        distances = np.where(lengths == i + 1, table[np.arange(len(first)), ends], distances)
    return distances


def _points(texts: list[str], *, fill: int) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    points = np.full((len(texts), int(lengths.max(initial=0))), fill, dtype=np.int64)
    for row, text in enumerate(texts):
        points[row, : len(text)] = [ord(character) for character in text]
    return points, lengths


def bleu_counts(truth: Sequence[str], answer: Sequence[str]) -> list[int]:
    """BLEU's counts: runs of 1 to 4 words shared with the truth, all runs of the answer, words of both."""
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

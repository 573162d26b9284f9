"""The baselines of a language model: counts of single tokens and of pairs."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Int32

from handrail.data.encoders.text_stream import following
from handrail.data.encoders.tokenizers import Tokenizer
from handrail.data.encoders.tokenizers.codes import PADDING
from handrail.data.rows import Windows
from handrail.evaluation.outcomes.tokens import TokenOutcome

NgramModel = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From tokens and their successors to the probability of each successor, and the most probable one."""


def ngram_outcomes(
    train: Windows, rows: Windows, *, vocabulary: int, tokenizer: Tokenizer | None = None
) -> dict[str, TokenOutcome]:
    """The answers for these windows of unigram and bigram, counted in the whole training stream.

    Arguments:
        train, rows: windows as the encoder returns them, each on the stream of its part.
    """
    seen = train.data.numpy()
    models = {"unigram": unigram(seen, vocabulary), "bigram": bigram(seen, vocabulary)}
    return {name: _outcome(model, rows, tokenizer) for name, model in models.items()}


def _outcome(model: NgramModel, rows: Windows, tokenizer: Tokenizer | None) -> TokenOutcome:
    stream, starts = rows.data.numpy(), rows.starts.numpy()
    probability, answers = model(stream[:-1], stream[1:])

    def window_sums(values: np.ndarray) -> np.ndarray:
        before = np.concatenate([[0], np.cumsum(values)])
        return before[starts + rows.length] - before[starts]

    loss, right = window_sums(-np.log(probability)), window_sums((answers == stream[1:]).astype(np.int64))
    tokens = np.full(len(rows), rows.length, dtype=np.int64)
    windows = Windows(torch.from_numpy(answers), rows.starts, rows.length)
    return TokenOutcome(loss, tokens, right, following(rows), windows, tokenizer)


def unigram(stream: Int32[np.ndarray, " tokens"], vocabulary: int) -> NgramModel:
    """p(b) = (n(b) + 1) / (N + V − 1): the frequency of a token, whatever precedes it, without padding.

    Source: Laplace 1814 (one added to each count)
    """
    probability = _unigram(stream, vocabulary)
    answer = np.int32(probability.argmax())
    return lambda before, after: (probability[after], np.full(len(after), answer))


def _unigram(stream: np.ndarray, vocabulary: int) -> np.ndarray:
    counts = np.bincount(stream, minlength=vocabulary) + 1.0
    counts[PADDING] = 0
    return counts / counts.sum()


def bigram(stream: Int32[np.ndarray, " tokens"], vocabulary: int) -> NgramModel:
    """p(b | a) = (n(a, b) + k(a)·p(b)) / (n(a) + k(a)), with k(a) the number of different tokens after a.

    After a token that nothing followed in training it is the unigram.

    Source: Bell, Cleary & Witten 1990 (interpolation, method C)
    """
    single = _unigram(stream, vocabulary)
    pairs, counts = np.unique(stream[:-1].astype(np.int64) * vocabulary + stream[1:], return_counts=True)
    firsts, seconds = np.divmod(pairs, vocabulary)
    total = np.bincount(firsts, weights=counts, minlength=vocabulary)  # n(a)
    kinds = np.bincount(firsts, minlength=vocabulary)  # k(a)
    best = _best_after(firsts, seconds, counts + kinds[firsts] * single[seconds], kinds, single)

    def model(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked = before.astype(np.int64) * vocabulary + after
        place = np.minimum(np.searchsorted(pairs, asked), len(pairs) - 1)
        seen = np.where(pairs[place] == asked, counts[place], 0)
        weight = np.maximum(kinds[before], 1)  # never followed: 0 counts, the unigram alone
        return (seen + weight * single[after]) / (total[before] + weight), best[before]

    return model


def _best_after(
    firsts: np.ndarray, seconds: np.ndarray, score: np.ndarray, kinds: np.ndarray, single: np.ndarray
) -> np.ndarray:
    """The most probable token after each: one that was seen there, or the most frequent one."""
    mode = int(single.argmax())
    best = np.full(len(kinds), mode, dtype=np.int32)
    order = np.lexsort((seconds, -score, firsts))
    first, place = np.unique(firsts[order], return_index=True)
    top = order[place]
    wins = score[top] >= kinds[first] * single[mode]
    best[first[wins]] = seconds[top][wins]
    return best

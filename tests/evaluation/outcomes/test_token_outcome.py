"""Figures of language models and of texts that answer texts, against formulas written out."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from handrail.data.encoders.tokenizers import Tokenizer
from handrail.data.rows import Windows
from handrail.evaluation.bootstrap import measure_with_intervals
from handrail.evaluation.metric_names import DESCRIPTIONS, higher_is_better
from handrail.evaluation.outcomes.tokens import (
    SequenceOutcome,
    TokenOutcome,
    bleu,
    bleu_counts,
    edit_distances,
)
from handrail.recipe.sections import Text

words = st.lists(st.sampled_from(["a", "b", "c", "the", "cat", ".", ","]), max_size=9).map(" ".join)
pairs = st.lists(st.tuples(words, words), min_size=1, max_size=6)
WORDS = Tokenizer.fit(["the cat sat on the mat . a b c ,"], Text(lower=False), "words")


def _tokens(rows: int = 5, length: int = 4, seed: int = 0) -> TokenOutcome:
    source = np.random.default_rng(seed)
    stream = torch.from_numpy(source.integers(2, 9, rows * length + 1).astype(np.int32))
    truth = Windows(stream, torch.arange(1, rows * length, length), length)
    answers = torch.from_numpy(source.integers(2, 9, (rows, length)).astype(np.int32))
    counts = np.full(rows, length)
    return TokenOutcome(source.gamma(2, size=rows), counts, source.integers(0, length, rows), truth, answers)


def test_figures_of_a_language_model_are_means_over_tokens_not_over_windows() -> None:
    outcome = _tokens()
    uneven = TokenOutcome(
        outcome.loss, np.array([4, 1, 2, 3, 4]), np.array([4, 0, 1, 1, 2]), outcome.truth, outcome.answers
    )
    metrics = uneven.measure()
    nats = outcome.loss.sum() / 14
    assert metrics == pytest.approx(
        {"nats": nats, "perplexity": math.exp(nats), "bits": nats / math.log(2), "token_accuracy": 8 / 14}
    )
    assert list(metrics) == uneven.names()
    assert uneven.errors() == pytest.approx(outcome.loss / [4, 1, 2, 3, 4])


def test_windows_of_a_series_are_no_independent_rows() -> None:
    """Of an autoregression with memory 0.7 the mean's error is √(1.7 / 0.3) = 2.4 times that of free rows."""
    cells = Tokenizer.fit(["a", "b", "c", "d", "e", "f", "g"], Text(), "cells")
    noise, swings = np.random.default_rng(3).normal(size=600), np.zeros(600)
    for row in range(1, 600):
        swings[row] = 0.7 * swings[row - 1] + noise[row]
    free = _tokens(600)
    same = (free.tokens, free.right, free.truth, free.answers)
    text, series = (TokenOutcome(np.exp(0.3 * swings), *same, tokenizer=each) for each in (None, cells))
    widths = [
        each.high - each.low for each in (measure_with_intervals(one)["nats"] for one in (text, series))
    ]
    assert (text.follow, series.follow) == (False, True)
    assert (text.drawn_together, series.drawn_together) == (1, 8)
    assert 1.6 < widths[1] / widths[0] < 3.4
    few = TokenOutcome(series.loss[:30], free.tokens[:30], free.right[:30], *same[2:], tokenizer=cells)
    found = measure_with_intervals(few)["nats"]
    assert math.isnan(found.low)
    assert "windows, one behind the other, are worth about" in found.reason


@given(st.lists(st.integers(0, 3), min_size=5, max_size=5).filter(any))
def test_weights_are_rows_that_were_drawn_several_times(weights: list[int]) -> None:
    outcome = _tokens()
    drawn = np.repeat(np.arange(5), weights)
    again = TokenOutcome(
        outcome.loss[drawn], outcome.tokens[drawn], outcome.right[drawn], outcome.truth, outcome.answers
    ).measure()
    (function,) = outcome.statistics(["nats", "bits"])
    value = function(np.array(weights, dtype=float)[:, None])
    assert set(value) == {"nats", "bits"}
    assert {name: float(values[0]) for name, values in value.items()} == pytest.approx(
        {name: again[name] for name in value}
    )


def test_outcomes_of_other_windows_are_told_apart() -> None:
    one = _tokens()
    assert one.same_rows(_tokens())
    assert not one.same_rows(_tokens(seed=1))
    assert not one.same_rows(_tokens(rows=4))
    assert isinstance(one.truth, Windows)
    stored = TokenOutcome(one.loss, one.tokens, one.right, one.truth.take(torch.arange(5)), one.answers)
    assert one.same_rows(stored)


def test_windows_are_written_as_text() -> None:
    tokenizer = Tokenizer.fit(["abcdefg"], Text(), "characters")
    outcome = _tokens(rows=1)
    written = TokenOutcome(
        outcome.loss, outcome.tokens, outcome.right, outcome.truth, outcome.answers, tokenizer
    )
    truth = outcome.truth.data[1:5].tolist()  # pyright: ignore[reportAttributeAccessIssue]
    assert written.describe(0, truth=True) == "".join("abcdefg"[code - 2] for code in truth)
    assert outcome.describe(0, truth=True) == " ".join(map(str, truth))
    columns = written.columns()
    assert columns["truth"] == [written.describe(0, truth=True)]
    assert columns["answer"] == [written.describe(0, truth=False)]
    assert all(len(values) == 1 for values in columns.values())


def _levenshtein(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, start=1):
        last, row[0] = row[0], i
        for j, right in enumerate(b, start=1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (left != right))
    return row[-1]


@given(st.lists(st.tuples(st.text("abc", max_size=9), st.text("abc", max_size=9)), max_size=8))
def test_edit_distances_are_those_of_the_textbook(some: list[tuple[str, str]]) -> None:
    truth, answers = [a for a, _ in some], [b for _, b in some]
    assert edit_distances(truth, answers).tolist() == [_levenshtein(a, b) for a, b in some]


def test_edit_distances_of_known_words() -> None:
    assert edit_distances(["kitten", "Saturday", ""], ["sitting", "Sunday", "abc"]).tolist() == [3, 3, 3]


def _bleu(truth: list[list[str]], answers: list[list[str]]) -> float:
    """Papineni's formula, written out."""
    precisions = []
    for order in (1, 2, 3, 4):
        hits = total = 0
        for reference, said in zip(truth, answers, strict=True):
            known = Counter(tuple(reference[i : i + order]) for i in range(len(reference) - order + 1))
            for run, times in Counter(
                tuple(said[i : i + order]) for i in range(len(said) - order + 1)
            ).items():
                hits, total = hits + min(times, known[run]), total + times
        if not total:
            return math.nan
        precisions.append(hits / total)
    c, r = sum(map(len, answers)), sum(map(len, truth))
    brevity = 1.0 if c > r else math.exp(1 - r / c)
    return 0.0 if 0 in precisions else brevity * math.exp(sum(map(math.log, precisions)) / 4)


@given(pairs)
def test_bleu_is_the_formula(some: list[tuple[str, str]]) -> None:
    truth, answers = [a for a, _ in some], [b for _, b in some]
    split = [text.split() for text in truth], [text.split() for text in answers]
    assert SequenceOutcome(truth, answers, WORDS).measure()["bleu"] == pytest.approx(
        _bleu(*split), nan_ok=True
    )


def test_bleu_of_an_example_by_hand() -> None:
    truth, said = ["the", "cat", "sat", "on", "the", "mat"], ["the", "cat", "sat", "on", "a", "mat"]
    assert bleu_counts(truth, said) == [5, 3, 2, 1, 6, 5, 4, 3, 6, 6]
    assert bleu(np.array(bleu_counts(truth, said), dtype=float)[:, None])[0] == pytest.approx(
        (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25
    )


def test_figures_of_answers() -> None:
    truth = ["the cat sat", "a b c", "the mat"]
    outcome = SequenceOutcome(truth, ["the cat sat", "a c c", "the mat ."], WORDS)
    metrics = outcome.measure()
    assert metrics["exact_match"] == pytest.approx(1 / 3)
    assert metrics["token_accuracy"] == pytest.approx(7 / 8)
    assert metrics["character_error_rate"] == pytest.approx(3 / (11 + 5 + 7))
    assert outcome.errors() == pytest.approx([0, 1 / 5, 2 / 7])
    assert SequenceOutcome(truth, truth, WORDS).measure()["bleu"] != 1  # no run of four words: not a number


@given(pairs, st.data())
def test_weights_are_answers_that_were_drawn_several_times(
    some: list[tuple[str, str]], data: st.DataObject
) -> None:
    weights = data.draw(st.lists(st.integers(0, 3), min_size=len(some), max_size=len(some)).filter(any))
    drawn = [pair for pair, times in zip(some, weights, strict=True) for _ in range(times)]
    outcome = SequenceOutcome([a for a, _ in some], [b for _, b in some], WORDS)
    again = SequenceOutcome([a for a, _ in drawn], [b for _, b in drawn], WORDS).measure()
    column = np.array(weights, dtype=float)[:, None]
    figures = {
        name: float(v[0]) for one in outcome.statistics(outcome.names()) for name, v in one(column).items()
    }
    assert figures == pytest.approx(again, nan_ok=True)


def test_every_figure_is_described_and_knows_which_way_is_better() -> None:
    names = [*_tokens().names(), *SequenceOutcome(["a"], ["a"], WORDS).names()]
    assert {name: higher_is_better(name) for name in names if name in DESCRIPTIONS} == {
        "nats": False,
        "perplexity": False,
        "bits": False,
        "token_accuracy": True,
        "exact_match": True,
        "character_error_rate": False,
        "bleu": True,
    }

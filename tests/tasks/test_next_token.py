"""Language models: the loss, the task and its baselines."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from handrail.data.columns.schema import Column, Schema
from handrail.data.encoders.row_encoder import OneColumn
from handrail.data.encoders.text import StreamEncoder, following
from handrail.data.rows import Windows
from handrail.data.task import TaskSpec
from handrail.errors import RecipeError
from handrail.objectives.likelihoods import next_token
from handrail.recipe.sections import Text
from handrail.shapes import StepShape, TokenShape
from handrail.tasks import scoring
from handrail.tasks.next_token import NextTokenTask, bigram, ngram_outcomes, unigram

TASK = TaskSpec(name="next-token", targets=("text",))
TRAIN = pl.Series("text", ["the cat sat on the mat. the rat ran to the cat.\n"] * 6)
OTHER = pl.Series("text", ["a rat sat on that cat! the mat ran.\n"] * 2)


class Table(nn.Module):
    """Scores of the next token by the last one alone."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.scores = nn.Embedding(vocabulary, vocabulary)

    def forward(self, codes: Tensor) -> Tensor:
        return self.scores(codes)


def _part(column: pl.Series) -> Any:
    return SimpleNamespace(raw=column.to_frame(), features=column.to_frame(), stores={})


def make_task(length: int = 8) -> tuple[OneColumn, NextTokenTask]:
    encoder = StreamEncoder.fit(TRAIN, None, Text(length=length))
    schema = Schema(columns=(Column(name="text", kind="stream", why="given"),))
    return OneColumn(schema, encoder), NextTokenTask(TASK, encoder.shape)


def test_the_loss_is_torchs_mean_over_the_tokens_of_a_row() -> None:
    torch.manual_seed(0)
    scores, targets = (
        torch.randn(5, 7, 11, requires_grad=True),
        torch.randint(1, 11, (5, 7), dtype=torch.int32),
    )
    targets[1, 4:] = 0
    targets[3] = 0
    for smoothing in (0.0, 0.1):
        loss = next_token(scores, targets, label_smoothing=smoothing)
        for row in (0, 1, 2, 4):
            filled = targets[row] > 0
            expected = functional.cross_entropy(
                scores[row, filled], targets[row, filled].long(), label_smoothing=smoothing
            )
            assert float(loss[row].detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
        assert loss[3] == 0
    next_token(scores, targets).sum().backward()
    assert scores.grad is not None
    assert not scores.grad[targets == 0].any()
    assert scores.grad[targets > 0].any(dim=-1).all()


def test_the_loss_of_half_precision_scores_is_computed_in_single() -> None:
    scores, targets = torch.randn(2, 3, 5).bfloat16(), torch.ones(2, 3, dtype=torch.int32)
    assert torch.equal(next_token(scores, targets), next_token(scores.float(), targets))


def test_scores_of_another_form_are_refused() -> None:
    with pytest.raises(
        RecipeError, match=r"outputs have shape \[4, 5\] and the targets \[4, 3\]; this loss needs scores"
    ):
        next_token(torch.zeros(4, 5), torch.ones(4, 3, dtype=torch.long))
    with pytest.raises(RecipeError, match=r"outputs have shape \[4, 2, 5\] and the targets \[4, 3\]"):
        next_token(torch.zeros(4, 2, 5), torch.ones(4, 3, dtype=torch.long))


@pytest.mark.parametrize("at_once", [1, 5, 500])
def test_an_outcome_is_what_all_scores_at_once_would_give(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    encoder, task = make_task()
    part = _part(OTHER)
    network = Table(task.outputs.scores)
    rows, targets = task.training_data(encoder.rows(part.features, {}), part, encoder)
    monkeypatch.setattr(scoring, "_STEPS", at_once * task.outputs.length)
    outcome = task.outcome(network, rows, part)
    assert isinstance(rows, Windows)
    seen, expected = rows.take(torch.arange(len(rows))).long(), targets.take(torch.arange(len(rows))).long()
    scores = network(seen).detach()
    nats = -scores.log_softmax(-1).gather(2, expected.unsqueeze(-1)).squeeze(-1)
    assert outcome.rows == len(rows) == (2 * 36 - 1) // 8
    assert outcome.measure()["nats"] == pytest.approx(float(nats.mean()), rel=1e-6)
    assert outcome.measure()["token_accuracy"] == pytest.approx(
        float((scores.argmax(-1) == expected).double().mean())
    )
    assert outcome.describe(0, truth=True) == "".join(OTHER)[1:9].replace("!", "\ufffd")
    assert task.batch_metrics(scores, expected)["token_accuracy"] == (
        outcome.right.sum(),
        outcome.tokens.sum(),
    )
    assert torch.equal(task.targets(part).data, targets.data)


def test_a_restored_task_writes_the_same_text() -> None:
    encoder, task = make_task()
    part = _part(OTHER)
    rows, _ = task.training_data(encoder.rows(part.features, {}), part, encoder)
    again = NextTokenTask(TASK, encoder.shape)
    again.restore(task.facts())
    network = Table(task.outputs.scores)
    assert (
        again.outcome(network, rows, part).columns()["truth"]
        == task.outcome(network, rows, part).columns()["truth"]
    )
    assert isinstance(encoder.shape, TokenShape)
    assert again.outputs == StepShape(8, encoder.shape.vocabulary)


def test_the_unigram_is_the_formula() -> None:
    encoder, task = make_task()
    metrics = task.baselines(_part(TRAIN), _part(OTHER), encoder)["unigram"].measure()
    train, text = "".join(TRAIN), "".join(OTHER)
    vocabulary = len(set(train)) + 1  # with the unknown
    said = text[1 : 1 + (len(text) - 1) // 8 * 8]
    nats = np.mean([-math.log((train.count(sign) + 1) / (len(train) + vocabulary)) for sign in said])
    assert metrics["perplexity"] == pytest.approx(math.exp(nats))
    mode = max(set(train), key=train.count)
    assert metrics["token_accuracy"] == pytest.approx(said.count(mode) / len(said))


streams = st.lists(st.integers(1, 5), min_size=2, max_size=60).map(
    lambda codes: np.array(codes, dtype=np.int32)
)


@given(streams)
def test_the_bigram_is_its_formula_and_its_best_answer_the_most_probable(stream: np.ndarray) -> None:
    vocabulary = 7
    single = np.bincount(stream, minlength=vocabulary) + 1.0
    single[0] = 0
    single /= single.sum()
    pairs = list(zip(stream[:-1].tolist(), stream[1:].tolist(), strict=True))
    for model, is_pair in ((bigram(stream, vocabulary), True), (unigram(stream, vocabulary), False)):
        for before in range(1, vocabulary):
            followers = [b for a, b in pairs if a == before] if is_pair else []
            weight = max(len(set(followers)), 1)
            expected = [
                (followers.count(b) + weight * single[b]) / (len(followers) + weight)
                for b in range(1, vocabulary)
            ]
            probability, best = model(np.full(vocabulary - 1, before), np.arange(1, vocabulary))
            assert probability == pytest.approx(np.array(expected))
            assert probability.sum() == pytest.approx(1)
            assert expected[best[0] - 1] == pytest.approx(max(expected))


def test_a_network_of_pairs_learns_what_counting_pairs_knows() -> None:
    torch.manual_seed(0)
    encoder, task = make_task(length=16)
    part = _part(TRAIN)
    rows, targets = task.training_data(encoder.rows(part.features, {}), part, encoder)
    assert isinstance(rows, Windows)
    everything = torch.arange(len(rows))
    seen, expected = encoder.front()(rows.take(everything)), targets.take(everything)
    network = Table(task.outputs.scores)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        next_token(network(seen), expected).mean().backward()
        optimizer.step()
    outcome = task.outcome(network, rows, part)
    baselines = task.baselines(part, part, encoder)
    assert all(outcome.same_rows(baseline) for baseline in baselines.values())
    nats = {name: baseline.measure()["nats"] for name, baseline in baselines.items()}
    assert nats["bigram"] < nats["unigram"] - 0.5
    assert outcome.measure()["nats"] < nats["bigram"]  # which keeps a little for what it has not seen
    assert outcome.measure()["token_accuracy"] >= baselines["bigram"].measure()["token_accuracy"]


def test_tiny_shakespeare_counted(shared_data) -> None:
    from handrail.data.sources.passages import read_text_file

    column = read_text_file(shared_data / "tinyshakespeare" / "input.txt").frame["text"]
    encoder = StreamEncoder.fit(column[:900], None, Text())
    outcomes = ngram_outcomes(
        encoder.rows(column[:900]), encoder.rows(column[900:]), vocabulary=encoder.shape.vocabulary
    )
    nats = {name: outcome.measure()["nats"] for name, outcome in outcomes.items()}
    assert 3.2 < nats["unigram"] < 3.4
    assert 2.4 < nats["bigram"] < 2.6
    assert following(encoder.rows(column[900:])).length == 64

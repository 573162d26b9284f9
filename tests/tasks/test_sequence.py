"""Texts that answer texts: targets, answers, figures, rivals."""

from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from handrail.data.columns.schema import Column, Schema
from handrail.data.encoders.row_encoder import OneColumn
from handrail.data.encoders.text import TextEncoder
from handrail.data.encoders.tokenizers.codes import UNKNOWN
from handrail.data.task import Task
from handrail.errors import DataError
from handrail.recipe.encoding import Text
from handrail.shapes import StepShape, TokenShape
from handrail.tasks.sequence import SequenceDecoder

TASK = Task(name="sequence", targets=("answer",))
FRAME = pl.DataFrame({"question": ["abc", "bca", "cc", "a"], "answer": ["cba", "acb", "cc", "a"]})
SAYINGS = pl.Series("answer", ["Das ist gut.", "Das ist nicht gut!", "Gut."])


class Oracle(nn.Module):
    """Knows the answers to the sources in their order."""

    def __init__(self, answers: Tensor, scores: int) -> None:
        super().__init__()
        self.answers, self.scores, self.asked = answers, scores, 0

    def forward(self, source: Tensor) -> Tensor:
        found = self.answers[self.asked : self.asked + len(source)]
        self.asked += len(source)
        return nn.functional.one_hot(found.long(), self.scores).float()


def _decoder(answers: pl.Series, settings: Text | None = None) -> SequenceDecoder:
    decoder = SequenceDecoder(TASK, TokenShape(5, 9), settings=settings)
    decoder.learn(answers)
    return decoder


def _part(frame: pl.DataFrame = FRAME) -> Any:
    return SimpleNamespace(raw=frame, features=frame.select("question"), stores={})


@given(st.lists(st.text("abcdü ", max_size=12), min_size=1, max_size=6).filter(any))
def test_answers_are_targets_with_an_end_and_back(answers: list[str]) -> None:
    decoder = _decoder(pl.Series("answer", answers), Text(tokens="characters"))
    targets = decoder.targets_of(pl.Series("answer", answers))
    assert targets.shape == (len(answers), 1 + max(map(len, answers)))
    assert (targets == decoder.end).sum(dim=1).tolist() == [1] * len(answers)
    for row, answer in zip(targets.tolist(), answers, strict=True):
        assert row[len(answer)] == decoder.end
        assert not any(row[len(answer) + 1 :])
    scores = nn.functional.one_hot(targets.long(), decoder.outputs.scores).float()
    assert decoder.texts(scores) == answers


def test_training_answers_alone_decide_on_tokens_and_length() -> None:
    decoder = _decoder(SAYINGS)
    assert decoder.outputs == StepShape(6, 2 + 7 + 1)  # Das ist nicht gut Gut . !
    targets = decoder.targets_of(
        pl.Series("answer", ["Das ist wirklich gut.", "Das ist gut ist gut ist gut."])
    )
    assert targets[0, 2] == UNKNOWN
    assert decoder.end not in targets[1]  # cut
    assert _decoder(SAYINGS, Text(length=2)).outputs.length == 3
    assert decoder.tokenizer.encode(["Gut"]) != decoder.tokenizer.encode(["gut"])


def test_a_perfect_network_matches_and_an_unknown_word_is_never_right() -> None:
    decoder = _decoder(SAYINGS)
    asked = pl.Series("answer", ["Das ist gut.", "Das ist wirklich gut."])
    targets = decoder.targets_of(asked)
    outcome = decoder.outcome_of(
        Oracle(targets, decoder.outputs.scores), torch.zeros(2, 5, dtype=torch.int32), asked
    )
    assert outcome.answers[0] == "Das ist gut."
    assert outcome.measure()["exact_match"] == 0.5
    assert outcome.measure()["token_accuracy"] == pytest.approx(8 / 9)
    assert "\ufffd" not in outcome.answers[1]


def test_what_follows_the_end_is_not_said() -> None:
    decoder = _decoder(FRAME["answer"])
    (code,) = decoder.tokenizer.encode(["a"])[0]
    codes = torch.tensor([[code, decoder.end, code, code], [code, code, code, code]])
    assert decoder.texts(nn.functional.one_hot(codes, decoder.outputs.scores).float()) == ["a", "aaaa"]


def test_a_lesson_leads_the_network_by_the_truth() -> None:
    part = _part()
    encoder = TextEncoder.fit(FRAME["question"], None, Text())
    schema = Schema(columns=(Column(name="question", kind="text", why="given"),))
    whole = OneColumn(schema, encoder)
    decoder = SequenceDecoder(TASK, encoder.shape)
    decoder.fit(part)
    inputs, targets = decoder.lesson(whole.rows(part.features, {}), part, whole)
    assert isinstance(inputs, tuple)
    assert inputs[1] is targets
    assert torch.equal(inputs[0], encoder.rows(FRAME["question"]))  # pyright: ignore[reportArgumentType]
    source, given_ = whole.front()(inputs)
    assert source.dtype == given_.dtype == torch.int64
    scores = nn.functional.one_hot(targets.long(), decoder.outputs.scores).float()
    assert decoder.credit(scores, targets) == {"token_accuracy": (13.0, 13.0)}  # 9 letters, 4 ends
    outcome = decoder.outcome(Oracle(targets, decoder.outputs.scores), inputs[0], part)
    assert outcome.measure()["exact_match"] == 1


def test_rivals_repeat_the_question_or_the_most_common_answer() -> None:
    schema = Schema(columns=(Column(name="question", kind="text", why="given"),))
    decoder = SequenceDecoder(TASK, TokenShape(5, 9))
    train = _part(pl.DataFrame({"question": ["x", "y", "z"], "answer": ["cc", "a", "cc"]}))
    decoder.fit(train)
    encoder = OneColumn(schema, TextEncoder.fit(FRAME["question"], None, Text()))
    rivals = decoder.baselines(train, _part(), encoder)
    assert rivals["copy"].measure()["exact_match"] == 0.5
    assert rivals["most common"].columns()["answer"] == ["cc"] * 4
    assert rivals["most common"].measure()["exact_match"] == 0.25
    assert rivals["copy"].same_rows(rivals["most common"])


def test_a_restored_decoder_is_the_same() -> None:
    decoder = _decoder(SAYINGS)
    again = SequenceDecoder(TASK, TokenShape(5, 9))
    again.restore(decoder.facts())
    assert again.outputs == decoder.outputs
    assert torch.equal(again.targets_of(SAYINGS), decoder.targets_of(SAYINGS))


def test_empty_answers_teach_nothing() -> None:
    with pytest.raises(DataError, match="the target 'answer': all 2 texts are empty"):
        _decoder(pl.Series("answer", ["", ""]))

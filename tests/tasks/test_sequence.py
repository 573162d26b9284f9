"""Texts that answer texts: targets, answers, metrics, baselines."""

from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from handrail.data.columns.schema import Column, Schema
from handrail.data.encoders.codes import UNKNOWN
from handrail.data.encoders.row_encoder import OneColumn
from handrail.data.encoders.text import TextEncoder
from handrail.data.task import TaskSpec
from handrail.errors import DataError
from handrail.recipe.sections import Text
from handrail.shapes import StepShape, TokenShape
from handrail.tasks.sequence import SequenceTask

TASK = TaskSpec(name="sequence", targets=("answer",))
FRAME = pl.DataFrame({"question": ["abc", "bca", "cc", "a"], "answer": ["cba", "acb", "cc", "a"]})
SAYINGS = pl.Series("answer", ["Das ist gut.", "Das ist nicht gut!", "Gut."])


class Oracle(nn.Module):
    """Knows the answers to the sources in their order."""

    def __init__(self, answers: Tensor, scores: int) -> None:
        super().__init__()
        self.answers, self.scores, self.asked = answers, scores, 0

    def forward(self, source: Tensor) -> Tensor:
        result = self.answers[self.asked : self.asked + len(source)]
        self.asked += len(source)
        return nn.functional.one_hot(result.long(), self.scores).float()


def make_task(answers: pl.Series, settings: Text | None = None) -> SequenceTask:
    task = SequenceTask(TASK, TokenShape(5, 9), settings=settings)
    task.learn(answers)
    return task


def _part(frame: pl.DataFrame = FRAME) -> Any:
    return SimpleNamespace(raw=frame, features=frame.select("question"), stores={})


@given(st.lists(st.text("abcdü ", max_size=12), min_size=1, max_size=6).filter(any))
def test_answers_are_targets_with_an_end_and_back(answers: list[str]) -> None:
    task = make_task(pl.Series("answer", answers), Text(tokens="characters"))
    targets = task.targets_of(pl.Series("answer", answers))
    assert targets.shape == (len(answers), 1 + max(map(len, answers)))
    assert (targets == task.end).sum(dim=1).tolist() == [1] * len(answers)
    for row, answer in zip(targets.tolist(), answers, strict=True):
        assert row[len(answer)] == task.end
        assert not any(row[len(answer) + 1 :])
    scores = nn.functional.one_hot(targets.long(), task.outputs.scores).float()
    assert task.texts(scores) == answers


def test_training_answers_alone_decide_on_tokens_and_length() -> None:
    task = make_task(SAYINGS)
    assert task.outputs == StepShape(6, 2 + 7 + 1, never=(0, 1))  # Das ist nicht gut Gut . !
    targets = task.targets_of(pl.Series("answer", ["Das ist wirklich gut.", "Das ist gut ist gut ist gut."]))
    assert targets[0, 2] == UNKNOWN
    assert task.end not in targets[1]  # cut
    assert make_task(SAYINGS, Text(length=2)).outputs.length == 3
    assert task.tokenizer.encode(["Gut"]) != task.tokenizer.encode(["gut"])


def test_a_perfect_network_matches_and_an_unknown_word_is_never_right() -> None:
    task = make_task(SAYINGS)
    asked = pl.Series("answer", ["Das ist gut.", "Das ist wirklich gut."])
    targets = task.targets_of(asked)
    outcome = task.outcome_of(
        Oracle(targets, task.outputs.scores), torch.zeros(2, 5, dtype=torch.int32), asked
    )
    assert outcome.answers[0] == "Das ist gut."
    assert outcome.measure()["exact_match"] == 0.5
    assert outcome.measure()["token_accuracy"] == pytest.approx(8 / 9)
    assert "\ufffd" not in outcome.answers[1]


def test_what_follows_the_end_is_not_said() -> None:
    task = make_task(FRAME["answer"])
    (code,) = task.tokenizer.encode(["a"])[0]
    codes = torch.tensor([[code, task.end, code, code], [code, code, code, code]])
    assert task.texts(nn.functional.one_hot(codes, task.outputs.scores).float()) == ["a", "aaaa"]


def test_training_data_lead_the_network_by_the_truth() -> None:
    part = _part()
    encoder = TextEncoder.fit(FRAME["question"], None, Text())
    schema = Schema(columns=(Column(name="question", kind="text", why="given"),))
    whole = OneColumn(schema, encoder)
    task = SequenceTask(TASK, encoder.shape)
    task.fit(part, whole)
    inputs, targets = task.training_data(whole.rows(part.features, {}), part, whole)
    assert isinstance(inputs, tuple)
    assert inputs[1] is targets
    assert torch.equal(inputs[0], encoder.rows(FRAME["question"]))  # pyright: ignore[reportArgumentType]
    source, given_ = whole.front()(inputs)
    assert source.dtype == given_.dtype == torch.int64
    scores = nn.functional.one_hot(targets.long(), task.outputs.scores).float()
    assert task.batch_metrics(scores, targets) == {"token_accuracy": (13.0, 13.0)}  # 9 letters, 4 ends
    outcome = task.outcome(Oracle(targets, task.outputs.scores), inputs[0], part)
    assert outcome.measure()["exact_match"] == 1


def test_baselines_repeat_the_question_or_the_most_common_answer() -> None:
    schema = Schema(columns=(Column(name="question", kind="text", why="given"),))
    task = SequenceTask(TASK, TokenShape(5, 9))
    train = _part(pl.DataFrame({"question": ["x", "y", "z"], "answer": ["cc", "a", "cc"]}))
    encoder = OneColumn(schema, TextEncoder.fit(FRAME["question"], None, Text()))
    task.fit(train, encoder)
    baselines = task.baselines(train, _part(), encoder)
    assert baselines["copy"].measure()["exact_match"] == 0.5
    assert baselines["most common"].columns()["answer"] == ["cc"] * 4
    assert baselines["most common"].measure()["exact_match"] == 0.25
    assert baselines["copy"].same_rows(baselines["most common"])


def test_a_restored_task_is_the_same() -> None:
    task = make_task(SAYINGS)
    again = SequenceTask(TASK, TokenShape(5, 9))
    again.restore(task.facts())
    assert again.outputs == task.outputs
    assert torch.equal(again.targets_of(SAYINGS), task.targets_of(SAYINGS))


def test_empty_answers_teach_nothing() -> None:
    with pytest.raises(DataError, match="the target 'answer': all 2 texts are empty"):
        make_task(pl.Series("answer", ["", ""]))

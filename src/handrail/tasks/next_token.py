"""Next token: language models on windows of a stream."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from handrail.data.encoders.row_encoder import OneColumn, RowEncoder
from handrail.data.encoders.text_stream import StreamEncoder, following, windows
from handrail.data.encoders.tokenizers import Tokenizer
from handrail.data.encoders.tokenizers.codes import PADDING
from handrail.data.part import Part
from handrail.data.rows import Rows, Values, Windows, cut
from handrail.data.task import TaskSpec
from handrail.evaluation.outcome import Outcome
from handrail.evaluation.outcomes.tokens import TokenOutcome
from handrail.shapes import InputShape, StepShape, TokenShape
from handrail.tasks.ngrams import ngram_outcomes
from handrail.tasks.scoring import scores_of, steps_at_once
from handrail.tasks.task import Task


class NextTokenTask(Task):
    """Scores at every step to the probabilities of the token that follows."""

    def __init__(self, spec: TaskSpec, shape: InputShape) -> None:
        assert isinstance(shape, TokenShape)
        super().__init__(spec, shape)
        self.length, self.vocabulary = shape.length, shape.vocabulary
        self.tokenizer: Tokenizer | None = None  # set by `training_data`; writes answers as text

    @property
    def outputs(self) -> StepShape:
        """A score for every code at every step."""
        return StepShape(self.length, self.vocabulary)

    def training_data(self, rows: Rows, part: Part, encoder: RowEncoder) -> tuple[Rows, Windows]:
        """Windows, and the same windows one token later."""
        self.tokenizer = _column(encoder).tokenizer
        return rows, _targets(rows)

    def targets(self, part: Part) -> Windows:
        """At every step the token that follows.

        Raises: `DataError` when the part does not fill one window.
        """
        assert self.tokenizer is not None, "targets are used after training data"
        return following(windows(self.tokenizer, part.raw[self.spec.targets[0]], self.length))

    def forward(
        self, scores: Float[Tensor, "rows length vocabulary"]
    ) -> Float[Tensor, "rows length vocabulary"]:
        """Probabilities."""
        return scores.double().softmax(dim=-1)

    def batch_metrics(self, scores: Tensor, targets: Values) -> dict[str, tuple[float, float]]:
        assert isinstance(targets, Tensor)
        return token_accuracy(scores, targets)

    @torch.inference_mode()
    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> TokenOutcome:
        """The network's answers; scores are summed batch by batch and not kept."""
        targets, batches, start = _targets(rows), [], 0
        for scores in scores_of(network, rows, at_once=steps_at_once(self.outputs)):
            codes = cut(targets, start, start + len(scores))
            assert isinstance(codes, Tensor)
            batches.append(_sums(scores, codes.to(scores.device)))
            start += len(scores)
        loss, tokens, right, answers = (torch.cat(parts) for parts in zip(*batches, strict=True))
        return TokenOutcome(loss.numpy(), tokens.numpy(), right.numpy(), targets, answers, self.tokenizer)

    def baselines(self, train: Part, part: Part, encoder: RowEncoder) -> dict[str, Outcome]:
        """Unigram and bigram, counted in the training stream."""
        seen, rows = (encoder.rows(each.features, each.stores) for each in (train, part))
        assert isinstance(seen, Windows)
        assert isinstance(rows, Windows)
        tokenizer = _column(encoder).tokenizer
        return dict(ngram_outcomes(seen, rows, vocabulary=self.vocabulary, tokenizer=tokenizer))

    def facts(self) -> dict[str, Any]:
        return {"tokenizer": None if self.tokenizer is None else self.tokenizer.facts()}

    def restore(self, facts: dict[str, Any]) -> None:
        self.tokenizer = None if facts["tokenizer"] is None else Tokenizer.from_facts(facts["tokenizer"])


def _column(encoder: RowEncoder) -> StreamEncoder:
    assert isinstance(encoder, OneColumn)
    assert isinstance(encoder.column, StreamEncoder)
    return encoder.column


def _targets(rows: Rows) -> Windows:
    assert isinstance(rows, Windows), "a stream is encoded as windows"
    return following(rows)


def token_accuracy(
    scores: Float[Tensor, "rows length vocabulary"], targets: Int[Tensor, "rows length"]
) -> dict[str, tuple[float, float]]:
    """Batch metric: how many tokens had the greatest score, and how many there are without padding."""
    counted = targets != PADDING
    right = (scores.argmax(dim=-1) == targets) & counted
    return {"token_accuracy": (float(right.sum()), float(counted.sum()))}


def _sums(scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Nats, tokens and right tokens of each row, and the most probable tokens."""
    counted, answers = targets != PADDING, scores.argmax(dim=-1)
    nats = functional.cross_entropy(
        scores.float().flatten(0, 1), targets.flatten().long(), ignore_index=PADDING, reduction="none"
    ).view_as(targets)
    right = (answers == targets) & counted
    return (
        nats.double().sum(dim=1).cpu(),
        counted.sum(dim=1).cpu(),
        right.sum(dim=1).cpu(),
        answers.int().cpu(),
    )

"""Next token: language models on windows of a stream."""

from typing import TYPE_CHECKING, Any

import polars as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from handrail.data.encoders.text_stream import StreamEncoder, following, windows
from handrail.data.encoders.tokenizers import Tokenizer
from handrail.data.encoders.tokenizers.codes import PADDING
from handrail.data.rows import Rows, Values, Windows, cut
from handrail.data.stores.store import Store
from handrail.data.task import Task
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.tokens import TokenOutcome
from handrail.shapes import InputShape, StepShape, TokenShape
from handrail.tasks.ngrams import counted
from handrail.tasks.scoring import scores_of
from handrail.tasks.task import Decoder

if TYPE_CHECKING:
    from handrail.data.dataset import Part
    from handrail.data.encoders.row_encoder import RowEncoder

_SCORES = 2**23  # scores that are held at once while measuring: 32 MB
_STEPS = 4096  # steps at once: what a transformer computes from more of them leaves the processor's cache


class NextTokenDecoder(Decoder):
    """Scores at every step to the probabilities of the token that follows."""

    def __init__(self, task: Task, shape: InputShape) -> None:
        assert isinstance(shape, TokenShape)
        super().__init__(task, shape)
        self.length, self.vocabulary = shape.length, shape.vocabulary
        # Known from the first lesson on, so that answers can be written as text.
        self.tokenizer: Tokenizer | None = None

    @property
    def outputs(self) -> StepShape:
        """A score for every code at every step."""
        return StepShape(self.length, self.vocabulary)

    def lesson(self, rows: Rows, part: "Part", encoder: "RowEncoder") -> tuple[Rows, Windows]:
        """Windows, and the same one token later."""
        self.tokenizer = _column(encoder).tokenizer
        return rows, self._following(rows)

    def targets(self, part: "Part") -> Windows:
        """At every step the token that follows.

        Raises: `DataError` when the part does not fill one window.
        """
        assert self.tokenizer is not None, "targets are asked for after the first lesson"
        return following(windows(self.tokenizer, part.raw[self.task.targets[0]], self.length))

    def targets_of(self, encoder: StreamEncoder, column: pl.Series, store: Store | None = None) -> Windows:
        """The same of a column, by its encoder.

        Raises: `DataError` when the column does not fill one window.
        """
        return encoder.targets(column, store)

    def _following(self, rows: Rows) -> Windows:
        assert isinstance(rows, Windows), "a stream is encoded as windows"
        return following(rows)

    def forward(
        self, scores: Float[Tensor, "rows length vocabulary"]
    ) -> Float[Tensor, "rows length vocabulary"]:
        """Probabilities."""
        return scores.double().softmax(dim=-1)

    def credit(self, scores: Tensor, targets: Values) -> dict[str, tuple[float, float]]:
        """How many tokens had the greatest score."""
        assert isinstance(targets, Tensor)
        return token_credit(scores, targets)

    def outcome(self, network: nn.Module, rows: Rows, part: "Part") -> TokenOutcome:
        """The network's answers for encoded windows; the truth is in the same stream."""
        return self.outcome_of(network, rows, self._following(rows))

    @torch.inference_mode()
    def outcome_of(self, network: nn.Module, rows: Rows, targets: Tensor | Windows) -> TokenOutcome:
        """The network's answers, batch by batch: scores are summed up at once and not kept."""
        size, found, start = steps_at_once(self.outputs), [], 0
        for scores in scores_of(network, rows, at_once=size):
            wanted = cut(targets, start, start + len(scores))
            assert isinstance(wanted, Tensor)
            found.append(_measured(scores, wanted.to(scores.device)))
            start += len(scores)
        loss, tokens, right, answers = (torch.cat(some) for some in zip(*found, strict=True))
        return TokenOutcome(loss.numpy(), tokens.numpy(), right.numpy(), targets, answers, self.tokenizer)

    def baselines(self, train: "Part", part: "Part", encoder: "RowEncoder") -> dict[str, Outcome]:
        """Unigram and bigram, counted in the training stream."""
        seen, asked = (encoder.rows(some.features, some.stores) for some in (train, part))
        assert isinstance(seen, Windows)
        assert isinstance(asked, Windows)
        return dict(counted(seen, asked, vocabulary=self.vocabulary, tokenizer=_column(encoder).tokenizer))

    def facts(self) -> dict[str, Any]:
        """The tokenizer."""
        return {"tokenizer": None if self.tokenizer is None else self.tokenizer.facts()}

    def restore(self, facts: dict[str, Any]) -> None:
        """Take back what `facts` said."""
        self.tokenizer = None if facts["tokenizer"] is None else Tokenizer.from_facts(facts["tokenizer"])


def _column(encoder: "RowEncoder") -> StreamEncoder:
    from handrail.data.encoders.row_encoder import OneColumn

    assert isinstance(encoder, OneColumn)
    assert isinstance(encoder.column, StreamEncoder)
    return encoder.column


def steps_at_once(outputs: StepShape) -> int:
    """How many rows of such scores are held at once."""
    return max(1, min(_STEPS, _SCORES // outputs.scores) // outputs.length)


def token_credit(
    scores: Float[Tensor, "rows length vocabulary"], targets: Int[Tensor, "rows length"]
) -> dict[str, tuple[float, float]]:
    """How many tokens had the greatest score, of those that are no padding."""
    counted = targets != PADDING
    right = (scores.argmax(dim=-1) == targets) & counted
    return {"token_accuracy": (float(right.sum()), float(counted.sum()))}


def _measured(scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Summed nats, tokens and right tokens a row, and the most probable tokens."""
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

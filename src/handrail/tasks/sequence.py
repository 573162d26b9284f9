"""Sequence to sequence: texts that answer texts."""

from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int32
from torch import Tensor, nn

from handrail.data.encoders.codes import PADDING, UNKNOWN
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.encoders.tokenizers import Tokenizer, suitable
from handrail.data.part import Part
from handrail.data.rows import Rows, Values
from handrail.data.task import TaskSpec
from handrail.errors import DataError
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.tokens import SequenceOutcome
from handrail.recipe.sections import Text
from handrail.shapes import InputShape, StepShape, TokenShape
from handrail.tasks.next_token import token_accuracy
from handrail.tasks.scoring import scores_of, steps_at_once
from handrail.tasks.task import Baselines, Choice, Task

_LONGEST = 512
_NEVER = (PADDING, UNKNOWN)  # codes that no answer holds


class SequenceTask(Task):
    """Scores at every step to texts. The last code of the vocabulary is the end of an answer.

    In training the network is given (source, targets) and predicts each target from those before it; in use
    it is given the source alone and continues its own answer.

    Arguments:
        settings: how texts become tokens; `auto` is words, or characters where the answers are single words.
            `lower` is ignored, since an answer is written with its capital letters. `length` is that of
            answers without their end; `auto` is that of the longest training answer, at most 512.
    """

    def __init__(self, spec: TaskSpec, shape: InputShape, *, settings: Text | None = None) -> None:
        super().__init__(spec, shape)
        self.settings = (settings or Text()).model_copy(update={"lower": False})
        self._tokenizer: Tokenizer | None = None
        self.length = 0
        "Steps of an answer, its end included; 0 before `fit`."

    @property
    def tokenizer(self) -> Tokenizer:
        """Learned from training answers."""
        assert self._tokenizer is not None, "the task has to be fitted first"
        return self._tokenizer

    @property
    def end(self) -> int:
        """The code that ends an answer."""
        return self.tokenizer.vocabulary

    def fit(self, part: Part, encoder: RowEncoder) -> None:
        """Learn tokens and length of the answers in training rows.

        Raises: `HandrailError` without the package tokenizers where needed; `DataError` for empty answers.
        """
        self.learn(part.raw[self.spec.targets[0]])

    def learn(self, answers: pl.Series) -> None:
        """As `fit`, from a column of answers."""
        kind = suitable(answers) if self.settings.tokens == "auto" else self.settings.tokens
        tokenizer = Tokenizer.fit(answers, self.settings, kind)
        longest = int(tokenizer.ragged(answers).lengths.max(initial=0))
        if not longest:
            texts = f"the target '{answers.name}': all {len(answers):,} texts"
            raise DataError(f"{texts} are empty; expected answers to learn from.")
        length = min(longest, _LONGEST) if self.settings.length == "auto" else self.settings.length
        self._tokenizer, self.length = tokenizer, length + 1

    @property
    def outputs(self) -> StepShape:
        return StepShape(self.length, self.tokenizer.vocabulary + 1, _NEVER)

    def targets(self, part: Part) -> Int32[Tensor, "rows length"]:
        """Codes of the true answers, followed by the end and padding."""
        return self.targets_of(part.raw[self.spec.targets[0]])

    def targets_of(self, answers: pl.Series) -> Int32[Tensor, "rows length"]:
        """As `targets`, from a column of answers; answers that are too long are cut and have no end."""
        ragged = self.tokenizer.ragged(answers)
        codes = ragged.pad(self.length)
        short = np.flatnonzero(ragged.lengths < self.length)
        codes[short, ragged.lengths[short]] = self.end
        return torch.from_numpy(codes)

    def training_data(self, rows: Rows, part: Part, encoder: RowEncoder) -> tuple[Rows, Tensor]:
        """Of texts source and true answers as inputs, of other rows these alone; true answers as targets."""
        targets = self.targets(part)
        if not isinstance(self.shape, TokenShape):
            return rows, targets
        assert not isinstance(rows, tuple), "a single column of text is the source"
        return (rows, targets), targets

    def forward(self, scores: Float[Tensor, "rows length scores"]) -> Int32[Tensor, "rows length"]:
        """Codes of the answers: the best at each step, with padding from the end on."""
        allowed = scores.clone()
        allowed[..., list(_NEVER)] = float("-inf")
        best = allowed.argmax(dim=-1)
        ended = (best == self.end).cumsum(dim=1) > 0
        return best.masked_fill(ended, PADDING).int()

    def texts(self, scores: Float[Tensor, "rows length scores"]) -> list[str]:
        """The answers as text."""
        return [self.tokenizer.decode(codes) for codes in self(scores).tolist()]

    def batch_metrics(self, scores: Tensor, targets: Values) -> dict[str, tuple[float, float]]:
        assert isinstance(targets, Tensor)
        return token_accuracy(scores, targets)

    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> SequenceOutcome:
        """The network's own answers, written without the truth, beside it."""
        return self.outcome_of(network, rows, part.raw[self.spec.targets[0]])

    def outcome_of(self, network: nn.Module, rows: Rows, answers: pl.Series) -> SequenceOutcome:
        """As `outcome`, with a column of true answers."""
        size = steps_at_once(self.outputs)
        texts = [text for scores in scores_of(network, rows, at_once=size) for text in self.texts(scores)]
        return SequenceOutcome(self._write(answers), texts[: len(answers)], self.tokenizer)

    def columns(self, network: nn.Module, rows: Rows) -> dict[str, Any]:
        """The answers."""
        return {"prediction": [text for scores in scores_of(network, rows) for text in self.texts(scores)]}

    def _write(self, texts: pl.Series) -> list[str]:
        return [self.tokenizer.normalise(text) for text in texts.cast(pl.String).fill_null("").to_list()]

    def baselines(
        self, train: Part, part: Part, encoder: RowEncoder, choice: Choice | None = None
    ) -> Baselines:
        target = self.spec.targets[0]
        counts = train.raw[target].drop_nulls().alias("text").value_counts()
        counts = counts.sort(["count", "text"], descending=[True, False])
        common = self.tokenizer.normalise(str(counts["text"][0]))
        truth = self._write(part.raw[target])
        baselines: dict[str, Outcome] = {
            "most common": SequenceOutcome(truth, [common] * len(truth), self.tokenizer)
        }
        if isinstance(encoder.shape, TokenShape):
            copies = self._write(part.raw[encoder.schema.used[0].name])
            baselines["copy"] = SequenceOutcome(truth, copies, self.tokenizer)
        return Baselines(baselines)

    def facts(self) -> dict[str, Any]:
        return {"tokenizer": self.tokenizer.facts(), "length": self.length}

    def restore(self, facts: dict[str, Any]) -> None:
        self._tokenizer, self.length = Tokenizer.from_facts(facts["tokenizer"]), facts["length"]

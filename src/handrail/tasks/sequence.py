"""Sequence to sequence: a text is answered with a text."""

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int32
from torch import Tensor, nn

from handrail.data.encoders.tokenizers import Tokenizer, suitable
from handrail.data.encoders.tokenizers.codes import PADDING, UNKNOWN
from handrail.data.rows import Rows, Values
from handrail.data.task import Task
from handrail.errors import DataError
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.tokens import SequenceOutcome
from handrail.recipe.encoding import Text
from handrail.shapes import InputShape, StepShape
from handrail.tasks.next_token import steps_at_once, token_credit
from handrail.tasks.scoring import scores_of
from handrail.tasks.task import Decoder

if TYPE_CHECKING:
    from handrail.data.dataset import Part
    from handrail.data.encoders.row_encoder import RowEncoder

_LONGEST = 512


class SequenceDecoder(Decoder):
    """Scores at every step to texts. The last code of all is the end of an answer.

    In training the network is given (source, targets) and foretells each target from those before it; in use
    it is given the source alone and goes by its own answers.

    Arguments:
        settings: how texts become tokens; `auto` is words, or characters where the answers are single words.
            Capital letters are kept whatever they say, since an answer is to be written as it stands. A
            length is that of the answers without their end; `auto` is that of the longest training answer, at
            most 512.
    """

    def __init__(self, task: Task, shape: InputShape, *, settings: Text | None = None) -> None:
        super().__init__(task, shape)
        self.settings = (settings or Text()).model_copy(update={"lower": False})
        self._learned: tuple[Tokenizer, int] | None = None

    @property
    def tokenizer(self) -> Tokenizer:
        """Learned from training answers."""
        return self._known[0]

    @property
    def length(self) -> int:
        """Steps of an answer, its end included."""
        return self._known[1]

    @property
    def _known(self) -> tuple[Tokenizer, int]:
        assert self._learned is not None, "the decoder has to be fitted first"
        return self._learned

    @property
    def end(self) -> int:
        """The code that ends an answer."""
        return self.tokenizer.vocabulary

    def fit(self, part: "Part") -> None:
        """Learn tokens and length of the answers in training rows.

        Raises: `HandrailError` where the package tokenizers is needed and not installed; `DataError` where
        all answers are
            empty.
        """
        self.learn(part.raw[self.task.targets[0]])

    def learn(self, answers: pl.Series) -> None:
        """The same from a column.

        Raises: as `fit`.
        """
        kind = suitable(answers) if self.settings.tokens == "auto" else self.settings.tokens
        tokenizer = Tokenizer.fit(answers, self.settings, kind)
        longest = int(tokenizer.ragged(answers).lengths.max(initial=0))
        if not longest:
            raise DataError(
                f"the target '{answers.name}': all {len(answers):,} texts are empty; expected answers to learn from."
            )
        length = min(longest, _LONGEST) if self.settings.length == "auto" else self.settings.length
        self._learned = (tokenizer, length + 1)

    @property
    def outputs(self) -> StepShape:
        """A score for every code and for the end, at every step."""
        return StepShape(self.length, self.tokenizer.vocabulary + 1)

    def targets(self, part: "Part") -> Int32[Tensor, "rows length"]:
        """Codes of the true answers with the end behind them, then padding."""
        return self.targets_of(part.raw[self.task.targets[0]])

    def targets_of(self, answers: pl.Series) -> Int32[Tensor, "rows length"]:
        """The same from a column; answers that are too long are cut and have no end."""
        found = self.tokenizer.ragged(answers)
        codes = found.padded(self.length)
        short = np.flatnonzero(found.lengths < self.length)
        codes[short, found.lengths[short]] = self.end
        return torch.from_numpy(codes)

    def lesson(self, rows: Rows, part: "Part", encoder: "RowEncoder") -> tuple[Rows, Tensor]:
        """Source and true answers in, true answers out."""
        assert not isinstance(rows, tuple), "a single column of text is the source"
        targets = self.targets(part)
        return (rows, targets), targets

    def forward(self, scores: Float[Tensor, "rows length scores"]) -> Int32[Tensor, "rows length"]:
        """The codes of the answers: the best at each step; those from the end on are padding."""
        allowed = scores.clone()
        allowed[..., [PADDING, UNKNOWN]] = float("-inf")
        best = allowed.argmax(dim=-1)
        ended = (best == self.end).cumsum(dim=1) > 0
        return best.masked_fill(ended, PADDING).int()

    def texts(self, scores: Float[Tensor, "rows length scores"]) -> list[str]:
        """The answers as text."""
        return [self.tokenizer.decode(codes) for codes in self(scores).tolist()]

    def credit(self, scores: Tensor, targets: Values) -> dict[str, tuple[float, float]]:
        """How many tokens had the greatest score, each after true ones."""
        assert isinstance(targets, Tensor)
        return token_credit(scores, targets)

    def outcome(self, network: nn.Module, rows: Rows, part: "Part") -> SequenceOutcome:
        """The network's own answers, without a look at the truth, beside it."""
        return self.outcome_of(network, rows, part.raw[self.task.targets[0]])

    def outcome_of(self, network: nn.Module, rows: Rows, answers: pl.Series) -> SequenceOutcome:
        """The same beside a column of true answers."""
        size = steps_at_once(self.outputs)
        said = [text for scores in scores_of(network, rows, at_once=size) for text in self.texts(scores)]
        return self._beside(answers, said[: len(answers)])

    def _beside(self, answers: pl.Series, said: list[str]) -> SequenceOutcome:
        truth = [self.tokenizer.written(text) for text in answers.cast(pl.String).fill_null("").to_list()]
        return SequenceOutcome(truth, said, self.tokenizer)

    def baselines(self, train: "Part", part: "Part", encoder: "RowEncoder") -> dict[str, Outcome]:
        """The most common training answer, and the source itself."""
        target = self.task.targets[0]
        source = encoder.schema.used[0].name
        return dict(self.baselines_of(train.raw[target], part.raw[target], part.raw[source]))

    def baselines_of(
        self, train: pl.Series, answers: pl.Series, sources: pl.Series
    ) -> dict[str, SequenceOutcome]:
        """The same from columns: training answers, true answers, and the texts that are answered."""
        counts = train.drop_nulls().value_counts().sort(["count", train.name], descending=[True, False])
        common = self.tokenizer.written(str(counts[train.name][0]))
        copies = [self.tokenizer.written(text) for text in sources.cast(pl.String).fill_null("").to_list()]
        return {
            "most common": self._beside(answers, [common] * len(answers)),
            "copy": self._beside(answers, copies),
        }

    def facts(self) -> dict[str, Any]:
        """Tokenizer and length."""
        return {"tokenizer": self.tokenizer.facts(), "length": self.length}

    def restore(self, facts: dict[str, Any]) -> None:
        """Take back what `facts` said."""
        self._learned = (Tokenizer.from_facts(facts["tokenizer"]), facts["length"])

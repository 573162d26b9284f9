"""Series of bits as answers: scores at every step, of which those count that are asked for."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from handrail.components.pictures import Lines, Picture, Tiles
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows, Values
from handrail.data.stores.bits import BitStore
from handrail.data.task import TaskSpec
from handrail.errors import DataError
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.bit_sequence import BitOutcome, write_bits
from handrail.objectives.bits import UNASKED
from handrail.shapes import InputShape, SeriesShape, StepShape, describe
from handrail.tasks.scoring import mean_of_sigmoid, scores_of
from handrail.tasks.task import Answered, Baselines, Choice, Task

_PICTURED = 3
_LONGEST = 120  # steps of a picture

Scores = Float[Tensor, "rows length bits"]


class BitSequenceTask(Task):
    """Scores at every step of a series to probabilities of its bits, p = σ(score), and 1 where p is above ½.

    Raises: `DataError` for inputs that are no series.
    """

    joins: ClassVar[bool] = True
    shape: SeriesShape

    def __init__(self, spec: TaskSpec, shape: InputShape) -> None:
        if not isinstance(shape, SeriesShape):
            raise DataError(
                f"a target of bits at every step needs one column of series as its input; found "
                f"{describe(shape)}. Drop the other columns (data.drop)."
            )
        super().__init__(spec, shape)
        self.usual: list[int] = []

    def fit(self, part: Part, encoder: RowEncoder) -> None:
        """Note the most frequent value of each bit in training rows, which a baseline answers."""
        codes = self.targets(part)
        self.usual = (2 * (codes == 1).sum(dim=(0, 1)) > (codes <= 1).sum(dim=(0, 1))).int().tolist()

    @property
    def outputs(self) -> StepShape:
        return StepShape(self.shape.length, len(self.usual))

    def targets(self, part: Part) -> UInt8[Tensor, "rows length bits"]:
        """0 and 1, and 255 where nothing is asked.

        Raises: `DataError` for a series that is longer than the network reads.
        """
        name = self.spec.targets[0]
        store = part.stores[name]
        assert isinstance(store, BitStore)
        return store.codes(part.raw[name].to_numpy(), self.shape.length, unasked=UNASKED)

    def forward(self, scores: Scores) -> Scores:
        return scores.sigmoid()

    def join_scores(self, scores: Sequence[Scores]) -> Scores:
        return mean_of_sigmoid(scores)

    def batch_metrics(self, scores: Tensor, targets: Values) -> dict[str, tuple[float, float]]:
        assert isinstance(targets, Tensor)
        targets = targets.to(scores.device)
        asked = targets != UNASKED
        wrong = ((scores > 0) != (targets == 1)) & asked
        return {"bit_error_rate": (float(wrong.sum()), float(asked.sum()))}

    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> Outcome:
        return BitOutcome(self._answers(network, rows), self.targets(part).numpy())

    def _answers(self, network: nn.Module, rows: Rows) -> UInt8[np.ndarray, "rows length bits"]:
        batches = [(scores > 0).to(torch.uint8).cpu() for scores in scores_of(network, rows)]
        return torch.cat(batches).numpy()

    def columns(self, network: nn.Module, rows: Rows) -> dict[str, Any]:
        """The bits of every step, as words: which of them are asked for, new rows do not say."""
        return {"prediction": [" ".join(write_bits(row)) for row in self._answers(network, rows)]}

    def baselines(
        self, train: Part, part: Part, encoder: RowEncoder, choice: Choice | None = None
    ) -> Baselines:
        """most frequent bit: of each place in a vector, in training rows."""
        truth = self.targets(part).numpy()
        usual = np.broadcast_to(np.array(self.usual, dtype=np.uint8), truth.shape)
        return Baselines({"most frequent bit": BitOutcome(usual, truth)})

    def facts(self) -> dict[str, Any]:
        return {"usual": self.usual, **super().facts()}

    def restore(self, facts: dict[str, Any]) -> None:
        self.usual = facts["usual"]
        super().restore(facts)

    def pictures(self, answered: Answered) -> list[Picture]:
        """The answer beside the truth, and how errors grow with the length of the answer."""
        outcome = answered.outcome
        return [*_beside(outcome), *_by_length(outcome)] if isinstance(outcome, BitOutcome) else []


def _beside(outcome: BitOutcome) -> list[Picture]:
    """A short, a middling and a long row: bits down, steps across."""
    order = np.argsort(outcome.answer_steps, kind="stable")
    rows = order[np.linspace(0, len(order) - 1, min(_PICTURED, len(order))).round().astype(np.int64)]
    pictures: list[np.ndarray] = []
    for row in rows:
        steps = np.flatnonzero(outcome.asked[row].any(axis=1))[:_LONGEST]
        asked = outcome.asked[row, steps].T
        pictures += [np.where(asked, each[row, steps].T, 0) for each in (outcome.truth, outcome.answers)]
    widest = max(each.shape[1] for each in pictures)
    padded = [np.pad(each.astype(np.float64), ((0, 0), (0, widest - each.shape[1]))) for each in pictures]
    note = "A short, a middling and a long one: bits down, steps across; behind the end all is 0."
    return [Tiles("Answers beside the truth", np.stack(padded), note, 2, headings=("truth", "answer"))]


def _by_length(outcome: BitOutcome) -> list[Picture]:
    """The share of wrong bits of the rows of each length."""
    lengths, places = np.unique(outcome.answer_steps, return_inverse=True)
    if len(lengths) < 2:
        return []
    wrong, asked, rows = (
        np.bincount(places, each) for each in (outcome.wrong_bits, outcome.asked_bits, np.ones(outcome.rows))
    )
    each = f"{int(rows.min()):,} to {int(rows.max()):,}"
    note = f"Of the rows of each length, {each}: neighbouring lengths differ by chance, too."
    curves = {"wrong bits": wrong / asked.clip(min=1)}
    axes = ("steps of the answer", "share of wrong bits")
    return [Lines("Wrong bits by length", lengths.astype(np.float64), curves, note, axes)]

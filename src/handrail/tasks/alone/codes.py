"""Codes of rows, and what they are worth: how well the label is told from them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

import numpy as np
import polars as pl
from jaxtyping import Float, Int
from torch import Tensor, nn

from handrail.data.checks.label_classes import MOST_CLASSES
from handrail.data.columns.values import as_labels
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.task import TaskSpec
from handrail.evaluation.forms import NoInterval
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.probes import CodeOutcome, Probes, draw_labelled, fit_probes
from handrail.evaluation.points.conformal import drawn_rows, keep_scores
from handrail.evaluation.points.disentanglement import mutual_information_gap
from handrail.network import model_in
from handrail.shapes import InputShape
from handrail.tasks.alone.points import label_codes, points_before
from handrail.tasks.scoring import by_method
from handrail.tasks.task import Task
from handrail.tasks.uses import uses_of
from handrail.tools.words import plural

Points = Float[Tensor, "rows width"]
Encode = Callable[[Points], Float[Tensor, "rows code"]]
ROWS_THEMSELVES = "rows as encoded"  # what probes of codes are compared with


def codes_of(network: nn.Module, points: Points) -> Float[Tensor, "rows code"]:
    """What the model within a network keeps of rows as it is given them, on the CPU."""
    return by_method(network, "encode", points)


def reconstructions_of(network: nn.Module, points: Points) -> Points:
    """What the model within a network makes of rows, encoded and decoded again, on the CPU."""
    return by_method(network, "reconstruct", points)


def scores_of_points(network: nn.Module, points: Points) -> Float[Tensor, " rows"]:
    """What the model within a network scores rows, on the CPU; the lower, the stranger."""
    return by_method(network, "score", points)


class CodeTask(Task):
    """A task whose networks may have codes, which label and factors judge where there are some, and scores,
    low for strange rows, by which those of validation rows judge new ones.

    score_name: what the scores are called, in columns; score_sign: −1 where the column has its opposite.
    """

    score_name: ClassVar[str]
    score_sign: ClassVar[int] = 1

    def __init__(self, spec: TaskSpec, shape: InputShape) -> None:
        super().__init__(spec, shape)
        self.held_out: list[float] = []  # scores of validation rows, in order

    def note_scores(self, network: nn.Module, points: Points) -> None:
        """Keep what some of these rows score, by which new ones are judged; a score may take many draws."""
        if hasattr(model_in(network), "score"):
            some = points[drawn_rows(len(points))]
            self.held_out = keep_scores(scores_of_points(network, some).double().numpy())

    def judge(
        self, outcome: Outcome, network: nn.Module, *, train: Part, part: Part, encoder: RowEncoder
    ) -> Outcome:
        """With what the codes are worth."""
        assert isinstance(outcome, CodeOutcome)
        if "encode" not in uses_of(self, network):
            return outcome
        return self.probed(outcome, partial(codes_of, network), train=train, part=part, encoder=encoder)

    def probed(
        self, outcome: CodeOutcome, encode: Encode, *, train: Part, part: Part, encoder: RowEncoder
    ) -> CodeOutcome:
        """An outcome with what these codes tell of factors and of the label, where there are such columns."""
        label, factors = self.spec.label, self.spec.factors
        if factors:
            outcome = replace(outcome, gaps=factor_gaps(encode, factors, part=part, encoder=encoder))
        if label is None:
            return outcome
        return replace(outcome, probes=probe_label(encode, label, train=train, part=part, encoder=encoder))


def factor_gaps(
    encode: Encode, factors: Sequence[str], *, part: Part, encoder: RowEncoder
) -> dict[str, float]:
    """The mutual information gap of each factor in the codes of the rows that have a value of it."""
    codes = encode(points_before(encoder, part)).double().numpy()
    columns = zip(factors, part.target.numpy().T, strict=True)
    return {name: mutual_information_gap(codes[own > 0], own[own > 0]) for name, own in columns}


def probe_label(
    encode: Encode, label: str, *, train: Part, part: Part, encoder: RowEncoder
) -> Probes | NoInterval:
    """How well the label of a part's rows is told from their codes, by probes of those of training rows.

    They are fitted on at most 5,000 training rows, drawn at random.
    """
    train = train.sample
    values = train.raw[label].drop_nulls().n_unique()
    if not values:
        return NoInterval(f"no training row has a value of the label '{label}'")
    known, classes = label_codes(train, label)
    if known is None or len(classes) > MOST_CLASSES:
        counted = plural(values, "different value")
        return NoInterval(f"'{label}' has {counted} in training rows; probes take 2 to {MOST_CLASSES}")
    rows = draw_labelled(known)
    points = points_before(encoder, train)[rows], points_before(encoder, part)
    before, codes = (encode(each).double().numpy() for each in points)
    return fit_probes(before, known[rows], codes, _as_before(part, label, classes))


def _as_before(part: Part, label: str, classes: tuple[str, ...]) -> Int[np.ndarray, " rows"]:
    """The place of each row's label among those of training rows, behind them for others; −1 without one."""
    labels, places = as_labels(part.raw[label]), list(range(len(classes)))
    codes = labels.replace_strict(list(classes), places, default=len(classes), return_dtype=pl.Int64)
    return pl.select(pl.when(labels.is_null()).then(-1).otherwise(codes)).to_series().to_numpy()

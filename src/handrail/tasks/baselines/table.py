"""Baselines on the rows of a part: fitted on training rows, with scores for any."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows, count
from handrail.data.task import TaskSpec
from handrail.tasks.baselines.affine import (
    Baseline,
    can_be_linear,
    constant_scores,
    fit_baselines,
    fitting_rows,
)
from handrail.tasks.baselines.features import FeatureMaker, table_of, work_of
from handrail.tasks.baselines.trees import TreePlan, Trees, fit_trees, plan_trees
from handrail.tasks.scoring import rows_at_once

TREES = "boosted trees"
Scores = dict[str, Float[np.ndarray, "rows outputs"]]


@dataclass(frozen=True)
class TableBaselines:
    """Fitted baselines.

    Arguments:
        remarks: by baseline, what has to be said: that it was fitted on a sample, or left out.
    """

    spec: TaskSpec
    maker: FeatureMaker
    affine: Mapping[str, Baseline]
    trees: Trees | None = None
    remarks: Mapping[str, str] = field(default_factory=dict)

    @property
    def left_out(self) -> dict[str, str]:
        """The remarks on baselines that were not fitted."""
        fitted = {*self.affine, *([] if self.trees is None else [TREES])}
        return {name: remark for name, remark in self.remarks.items() if name not in fitted}

    def scores(self, part: Part) -> Scores:
        """Scores as a network would give them (one for two classes), a chunk of rows at a time."""
        rows = part.encode_with(self.maker.encoder)
        size, chunks = rows_at_once(rows), []
        for start in range(0, count(rows), size):
            places = np.arange(start, min(start + size, count(rows)))
            chunks.append(self._scores(part, rows, places))
        return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}

    def _scores(self, part: Part, rows: Rows, places: np.ndarray) -> Scores:
        features = self.maker.make(part, rows, places)
        scores = {name: baseline.scores(features) for name, baseline in self.affine.items()}
        if self.trees is not None:
            scores[TREES] = self.trees.scores(self.maker.table(rows, places))
        if self.spec.name != "binary":
            return scores
        return {name: both[:, 1:] - both[:, :1] for name, both in scores.items()}


def fit_table_baselines(
    spec: TaskSpec, train: Part, encoder: RowEncoder, *, seconds: float
) -> TableBaselines:
    """Fit "majority" (or "mean"), "linear" and, where there are numbers or categories, "boosted trees".

    Features are made only of the rows that are fitted. Forecasts have no trees.

    Arguments:
        train: the network's training rows.
        seconds: of nominal work for the trees; see `nominal_seconds`.
    """
    rows, target = train.encode_with(encoder), train.target.numpy()
    chosen = fitting_rows(spec.name, target, spec.classes, width=work_of(encoder, train, rows))
    constant = constant_scores(spec.name, target, spec.classes)
    linear = can_be_linear(len(chosen), len(constant))
    maker = FeatureMaker.of(encoder, train, chosen)
    features = maker.make(train, rows, chosen)
    affine = fit_baselines(spec.name, features, target, spec.classes, rows=chosen, linear=linear)
    remarks = {"linear": _sample(len(chosen), len(target))} if len(chosen) < len(target) else {}
    if not linear:
        remarks["linear"] = f"left out: with {len(constant):,} outputs it would need too much memory"
    table = table_of(encoder)
    if table is None or spec.is_forecast:
        return TableBaselines(spec, maker, affine, None, remarks)
    width = maker.table(rows, np.arange(1)).shape[1]
    outputs = 1 if spec.name == "binary" else len(constant)
    plan = plan_trees(len(target), width=width, outputs=outputs, seconds=seconds) if width else None
    if plan is None:
        remarks[TREES] = "left out: they would take longer than the network"
        return TableBaselines(spec, maker, affine, None, remarks)
    some = _draw(spec, target, plan)
    trees = fit_trees(
        spec.name,
        maker.table(rows, some),
        target[some],
        constant,
        rounds=plan.rounds,
        seconds=plan.seconds,
    )
    return TableBaselines(spec, maker, affine, trees, remarks | _remark(plan, len(some), len(target)))


def _draw(spec: TaskSpec, target: np.ndarray, plan: TreePlan) -> np.ndarray:
    """The rows that trees are fitted on, with every class among them."""
    if plan.rows >= len(target):
        return np.arange(len(target))
    rows = np.random.default_rng(0).choice(len(target), plan.rows, replace=False)
    if spec.is_classification:
        rows = np.concatenate([rows, np.unique(target, return_index=True)[1]])
    return np.unique(rows)


def _remark(plan: TreePlan, rows: int, of: int) -> dict[str, str]:
    parts = [_sample(rows, of)] if rows < of else []
    parts += [f"at most {plan.rounds} rounds"] if plan.rounds < 100 else []
    return {TREES: f"{', '.join(parts)}; more would take longer than the network"} if parts else {}


def _sample(rows: int, of: int) -> str:
    return f"fitted on {rows:,} of {of:,} training rows"

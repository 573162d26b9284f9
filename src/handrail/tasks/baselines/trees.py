"""Gradient-boosted trees: what people would use on a table instead of a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Num
from threadpoolctl import threadpool_limits

_ROUNDS = (100, 30, 10)  # as many as the work allows; early stopping may end them before
_FEWEST_ROWS = (10_000, 2_000, 2_000)  # which are not given up for so many rounds
_EARLY = 1_000  # rows from which a tenth is held out to say when to stop
_LEAVES, _ROWS_A_LEAF = 31, 20  # scikit-learn's own
MOST_SECONDS, _LEAST_SECONDS = 60.0, 2.0
# Nominal seconds, twice those measured on one core: work must not be counted by a clock, which would give
# other trees each time.
_A_NUMBER, _A_CUT, _A_TREE = 1.6e-8, 2e-6, 2e-4
_A_PARAMETER, _A_ROW = 3e-9, 2e-6  # of a network, in each epoch
_SHORT = 1.0  # seconds of work that several threads would not shorten


@dataclass(frozen=True)
class TreePlan:
    """How much is fitted: rounds of boosting, and how many of the training rows."""

    rounds: int
    rows: int
    seconds: float


def plan_trees(rows: int, *, width: int, outputs: int, seconds: float) -> TreePlan | None:
    """The rounds and rows that fit into so much work; None where not even ten rounds on 2,000 rows do.

    Arguments:
        outputs: trees a round: one for a number, a label or two classes, else one a class.
        seconds: nominal; see `nominal_seconds`.
    """
    for rounds, fewest in zip(_ROUNDS, _FEWEST_ROWS, strict=True):
        for share in (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001):
            some = max(int(rows * share), min(rows, fewest))
            leaves = min(_LEAVES, some // _ROWS_A_LEAF + 1)
            cost = rounds * outputs * (width * (some * _A_NUMBER + leaves * _A_CUT) + _A_TREE)
            if cost <= seconds:
                return TreePlan(rounds, some, cost)
    return None


def nominal_seconds(*, rows: int, epochs: int, parameters: int) -> float:
    """How long trees may take: as long as the network by its work, at least 2 and at most 60 seconds.

    It is the same on every machine and at every time, so that the same trees are fitted.
    """
    work = rows * epochs * (parameters * _A_PARAMETER + _A_ROW)
    return float(np.clip(work, _LEAST_SECONDS, MOST_SECONDS))


@dataclass(frozen=True)
class Trees:
    """Boosted trees; of several labels or numbers a model each.

    Arguments:
        models: fitted; None for a label that all rows have, or none.
        present: the codes of the classes that were among the rows.
        constant: the scores without any feature `[outputs]`; binary: those of both classes.
    """

    task: str
    models: Sequence[Any]
    present: Int[np.ndarray, " present"]
    constant: Float[np.ndarray, " outputs"]

    def scores(self, features: Float[np.ndarray, "rows width"]) -> Float[np.ndarray, "rows outputs"]:
        """Values, or scores whose softmax (of labels sigmoid) are the probabilities."""
        scores = np.broadcast_to(self.constant, (len(features), len(self.constant))).copy()
        if self.task == "regression":
            return np.stack([model.predict(features) for model in self.models], axis=1)
        if self.task == "multi-label":
            for label, model in enumerate(self.models):
                if model is not None:
                    scores[:, label] = model.decision_function(features)
        elif self.models:
            raw = self.models[0].decision_function(features)
            scores[:] = -np.inf
            scores[:, self.present] = raw if raw.ndim == 2 else np.stack([np.zeros_like(raw), raw], axis=1)
        return scores


def fit_trees(
    task: str,
    features: Float[np.ndarray, "rows width"],
    target: Num[np.ndarray, "rows ..."],
    constant: Float[np.ndarray, " outputs"],
    *,
    rounds: int,
    seconds: float = 0.0,
) -> Trees:
    """Fit scikit-learn's histogram gradient boosting with its own defaults, from a fixed seed.

    From 1,000 rows on a tenth of them is held out, and boosting stops after ten rounds without gain. The same
    rows give the same trees, whatever the number of threads.

    Arguments:
        constant: see `Trees`.
        seconds: the nominal work; only more than a second of it is given several threads.

    Source: Friedman 2001; Ke et al. 2017 (LightGBM)
    """
    threads = torch.get_num_threads() if seconds > _SHORT else 1
    with threadpool_limits(threads, user_api="openmp"):
        if task == "regression":
            models = [_boost(features, column, rounds, classes=False) for column in target.T]
            return Trees(task, models, np.arange(0), constant)
        if task == "multi-label":
            labels = [column.astype(np.int64) for column in target.T]
            some = [len(np.unique(column)) == 2 for column in labels]
            models = [
                _boost(features, column, rounds) if both else None
                for column, both in zip(labels, some, strict=True)
            ]
            return Trees(task, models, np.arange(0), constant)
        codes = target.astype(np.int64)
        present = np.unique(codes)
        models = [_boost(features, codes, rounds)] if len(present) > 1 else []
        return Trees(task, models, present, constant)


def _boost(features: np.ndarray, target: np.ndarray, rounds: int, *, classes: bool = True) -> Any:
    # Imported when it is used: it takes half a second.
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    settings: dict[str, Any] = {
        "max_iter": rounds,
        "random_state": 0,
        "early_stopping": len(target) >= _EARLY,
    }
    if not classes:
        return HistGradientBoostingRegressor(**settings).fit(features, target)
    _, counts = np.unique(target, return_counts=True)
    # What is held out needs a row of every class.
    settings["early_stopping"] &= bool(counts.min() >= 2 and len(counts) <= len(target) // 10)
    return HistGradientBoostingClassifier(**settings).fit(features, target)

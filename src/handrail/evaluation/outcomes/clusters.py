"""Rows in clusters: how near they are to their centres, and how clearly they belong there."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from handrail.evaluation.forms import FEWEST_ROWS, Bounded, Form, Mean, NoInterval, Ratio
from handrail.evaluation.metric_names import metric_names
from handrail.evaluation.outcomes import Outcome, Statistic
from handrail.evaluation.points.silhouettes import Silhouettes
from handrail.tools.words import only

_FEWEST_OTHERS = 3
_SHUFFLES, _FEW_ROWS = 999, 5_000  # of labels, and rows above which a formula does as well
_FEWEST_EXPECTED = 5  # in each cell, for the formula


@dataclass(frozen=True, eq=False)
class ClusterOutcome(Outcome):
    """The cluster of each row.

    Arguments:
        codes: of the clusters, from 0.
        distances: squared, from each row to the centre of its cluster, in encoded units.
        lengths: squared, of each row, by which rows are told apart.
        silhouettes: of each row, by `silhouettes`; not a number where there is a single cluster.
        labels: codes of what the label says, −1 where it says nothing; None without a label.
        classes: the names of the labels.
        again: the clusters of the rows by centres that were found in resampled training rows.
    """

    codes: Int[np.ndarray, " rows"]
    distances: Float[np.ndarray, " rows"]
    lengths: Float[np.ndarray, " rows"]
    silhouettes: Silhouettes
    labels: Int[np.ndarray, " rows"] | None = None
    classes: tuple[str, ...] = ()
    again: Int[np.ndarray, "refits rows"] | None = None
    task: str = "clusters"

    @property
    def rows(self) -> int:
        return len(self.codes)

    @property
    def work(self) -> int:
        return 3 + (0 if self.labels is None else int(self.codes.max()) + 1)

    def names(self) -> list[str]:
        known = {"label_information": self._labelled, "stability": self.again is not None}
        return [name for name in metric_names(self.task) if known.get(name, True)]

    @property
    def _labelled(self) -> bool:
        return self.labels is not None and bool((self.labels >= 0).any())

    @cached_property
    def _table(self) -> tuple[np.ndarray, int, int]:
        """Of the rows with a label the cell of each in a table of clusters by labels, and its size."""
        assert self.labels is not None
        known = self.labels >= 0
        clusters, labels = int(self.codes.max()) + 1, int(self.labels.max()) + 1
        return np.where(known, self.codes * labels + self.labels, -1), clusters, labels

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        selected = set(names)

        def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
            total = weights.sum(axis=0)
            metrics: dict[str, np.ndarray] = {}
            if "inertia" in selected:
                metrics["inertia"] = self.distances @ weights / total
            if "silhouette" in selected:
                metrics["silhouette"] = self.silhouettes.values @ weights / total
            if "stability" in selected and self.again is not None:
                agreed = [adjusted_rand(self.codes, codes, weights) for codes in self.again]
                metrics["stability"] = np.mean(agreed, axis=0)
            if "label_information" in selected:
                metrics["label_information"] = self._information(weights)
            return metrics

        return [statistic]

    def _information(self, weights: np.ndarray) -> np.ndarray:
        """Normalised mutual information of clusters and labels, for each column of weights."""
        cells, clusters, labels = self._table
        known = cells >= 0
        counts = np.zeros((clusters * labels, weights.shape[1]))
        np.add.at(counts, cells[known], weights[known])
        joint = counts.reshape(clusters, labels, -1) / counts.sum(axis=0)
        own, theirs = _entropy(joint.sum(axis=1)), _entropy(joint.sum(axis=0))
        shared = own + theirs - _entropy(joint.reshape(clusters * labels, -1))
        mean = (own + theirs) / 2
        return np.where(mean > 0, np.maximum(shared, 0) / np.where(mean > 0, mean, 1), 1.0)

    def forms(self, names: Iterable[str]) -> dict[str, Form]:
        ones = np.ones(self.rows)
        forms: dict[str, Form] = {
            "inertia": Ratio(self.distances, ones),
            "silhouette": Mean(self.silhouettes.influence),
            "stability": NoInterval("it hangs on the resamples of training rows, not on these rows"),
            "label_information": self._label_form(),
        }
        return {name: forms[name] for name in names}

    def _label_form(self) -> Form:
        if not self._labelled:
            return NoInterval("there is no label")
        cells, clusters, labels = self._table
        known = cells[cells >= 0]
        if len(known) < FEWEST_ROWS:
            return NoInterval(f"only {len(known)} rows have a label; at least {FEWEST_ROWS} are needed")
        table = np.bincount(known, minlength=clusters * labels).reshape(clusters, labels)
        others = len(known) - int(table.max(axis=1).sum())
        if others < _FEWEST_OTHERS:
            are = "are" if others > 1 else "is"
            few = f"there {are} {only(others, 'row')} of another label than most of their cluster"
            return NoInterval(f"{few}; at least {_FEWEST_OTHERS} are needed")
        return Bounded(float(len(known)), biased=True, chance=_by_chance(table))

    def same_rows(self, other: Outcome) -> bool:
        return isinstance(other, ClusterOutcome) and np.allclose(self.lengths, other.lengths, rtol=1e-5)

    def errors(self) -> np.ndarray:
        """The squared distance to the centre."""
        return self.distances

    def describe(self, row: int, *, truth: bool) -> str:
        if not truth:
            return f"cluster {self.codes[row]}"
        code = -1 if self.labels is None else int(self.labels[row])
        return self.classes[code] if code >= 0 else "–"

    def columns(self) -> dict[str, Any]:
        columns: dict[str, Any] = {"cluster": self.codes, "distance": self.distances}
        columns["silhouette"] = self.silhouettes.values
        if self.labels is not None:
            columns["label"] = [None if code < 0 else self.classes[code] for code in self.labels]
        return columns


def _by_chance(table: Int[np.ndarray, "clusters labels"]) -> float:
    """How often clusters and labels that know nothing of each other tell as much as these.

    By shuffled labels; of many rows, where each cell expects some, by 2·rows·(mutual information) as χ².

    Source: Wilks 1938; Fisher 1935 (shuffling)
    """
    from scipy.special import chdtrc, xlogy

    rows, shape = int(table.sum()), table.shape
    told = float(xlogy(table, table).sum())  # all else is the same however the labels are shuffled
    sums = [table.sum(axis=axis) for axis in (1, 0)]
    if rows > _FEW_ROWS and np.outer(*sums).min() >= _FEWEST_EXPECTED * rows:
        apart = sum(float(xlogy(each, each).sum()) for each in sums) - rows * np.log(rows)
        freedom = math.prod(max(int((each > 0).sum()) - 1, 1) for each in sums)
        return float(chdtrc(freedom, 2 * (told - apart)))
    codes, labels = (np.repeat(np.arange(len(each)), each) for each in sums)
    generator, as_much = np.random.default_rng(0), 0
    for _ in range(_SHUFFLES):
        counts = np.bincount(codes * shape[1] + generator.permutation(labels), minlength=table.size)
        as_much += float(xlogy(counts, counts).sum()) >= told - 1e-9
    return (1 + as_much) / (1 + _SHUFFLES)


def adjusted_rand(
    codes: Int[np.ndarray, " rows"],
    others: Int[np.ndarray, " rows"],
    weights: Float[np.ndarray, "rows columns"],
) -> Float[np.ndarray, " columns"]:
    """(RI − E) / (1 − E) of the Rand index RI, the share of pairs of rows that two divisions agree about, and
    E, its expectation for random divisions into clusters of these sizes; for each column of weights.

    Source: Hubert & Arabie 1985
    """
    width = int(others.max()) + 1
    counts = np.zeros(((int(codes.max()) + 1) * width, weights.shape[1]))
    np.add.at(counts, codes * width + others, weights)
    table = counts.reshape(-1, width, weights.shape[1])
    both, own, theirs = (_pairs(each).sum(axis=0) for each in (counts, table.sum(axis=1), table.sum(axis=0)))
    expected = own * theirs / _pairs(weights.sum(axis=0))
    most = (own + theirs) / 2
    return np.where(most > expected, (both - expected) / np.where(most > expected, most - expected, 1), 1.0)


def _pairs(counts: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    return counts * (counts - 1) / 2


def _entropy(shares: Float[np.ndarray, "cells columns"]) -> Float[np.ndarray, " columns"]:
    return -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=0)

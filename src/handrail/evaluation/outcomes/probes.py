"""What codes are worth: how well simple classifiers tell the label from them."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from handrail.evaluation.forms import Form, NoInterval, Share
from handrail.evaluation.metric_names import metric_names
from handrail.evaluation.outcomes import Outcome

PROBES = ("linear_probe", "neighbour_probe")
GAP = "mutual_information_gap"
_NEIGHBOURS = 5
_MOST_ROWS, _ITERATIONS = 5_000, 300
_SEED = 23

Codes = Float[np.ndarray, "rows code"]
Labels = Int[np.ndarray, " rows"]


@dataclass(frozen=True, eq=False)
class Probes:
    """Which rows each probe of the codes is right about.

    Arguments:
        known: the rows that have a label.
        right: of each row, by the name of the probe.
    """

    known: Bool[np.ndarray, " rows"]
    right: Mapping[str, Bool[np.ndarray, " rows"]]

    def shares(
        self, weights: Float[np.ndarray, "rows columns"], names: Iterable[str]
    ) -> dict[str, np.ndarray]:
        """The accuracy of each probe, for each column of weights."""
        of = self.known @ weights
        return {
            name: (self.right[name] & self.known) @ weights / of for name in self.right if name in set(names)
        }

    def form(self, name: str) -> Form:
        return Share(self.right[name] & self.known, self.known)


@dataclass(frozen=True, eq=False, kw_only=True)
class CodeOutcome(Outcome):
    """An outcome of rows that have codes, which a label may judge.

    Arguments:
        lengths: squared, of each row, by which rows are told apart.
        labels: what the label says of each row; None without one.
        probes: how well the label is told from the codes, or why not; None without a label, or without codes.
        gaps: of each factor, by its name, the mutual information gap of the codes; None without factors.
    """

    lengths: Float[np.ndarray, " rows"]
    labels: tuple[str | None, ...] | None = None
    probes: Probes | NoInterval | None = None
    gaps: Mapping[str, float] | None = None

    def names(self) -> list[str]:
        known = {**dict.fromkeys(PROBES, self.probes is not None), GAP: self.gaps is not None}
        return [name for name in metric_names(self.task) if known.get(name, True)]

    def why_undefined(self, name: str) -> str:
        if name in PROBES and isinstance(self.probes, NoInterval):
            return self.probes.reason
        return ""

    def same_rows(self, other: Outcome) -> bool:
        return isinstance(other, type(self)) and np.allclose(self.lengths, other.lengths, rtol=1e-5)

    def describe(self, row: int, *, truth: bool) -> str:
        if not truth:
            return self._describe(row)
        label = None if self.labels is None else self.labels[row]
        return "–" if label is None else label

    def _describe(self, row: int) -> str:
        """The answer for a row, in words."""
        raise NotImplementedError

    def columns(self) -> dict[str, Any]:
        return {} if self.labels is None else {"label": list(self.labels)}

    def _shares(
        self, weights: Float[np.ndarray, "rows columns"], names: Iterable[str]
    ) -> dict[str, np.ndarray]:
        selected, columns = set(names), weights.shape[1]
        figures: dict[str, np.ndarray] = {}
        if GAP in selected and self.gaps is not None:
            figures[GAP] = np.full(columns, np.nanmean([np.nan, *self.gaps.values()]))
        if isinstance(self.probes, Probes):
            return figures | self.probes.shares(weights, selected)
        unknown = np.full(columns, np.nan)
        return figures | (dict.fromkeys(selected & set(PROBES), unknown) if self.probes else {})

    def _probe_forms(self) -> dict[str, Form]:
        forms: dict[str, Form] = {GAP: NoInterval("it hangs on the bins that all rows fill together")}
        if isinstance(self.probes, Probes):
            forms |= {name: self.probes.form(name) for name in PROBES}
        return forms


def draw_labelled(labels: Labels) -> Int[np.ndarray, " drawn"]:
    """The places of at most 5,000 rows with a label, drawn at random."""
    return np.random.default_rng(_SEED).permutation(np.flatnonzero(labels >= 0))[:_MOST_ROWS]


def fit_probes(before: Codes, known: Labels, codes: Codes, labels: Labels) -> Probes | NoInterval:
    """A linear classifier (multinomial logistic regression) of standardised codes, and the vote of the five
    nearest codes.

    Arguments:
        before: codes of training rows. known: their labels.
        codes, labels: of the rows to be judged; −1 where there is no label, and a label that training rows
            lack is never right.

    Returns: a reason where fewer than two labels are known of training rows, none of the others, or where
        codes are not finite.

    Source: Alain & Bengio 2017 (linear probes); Fix & Hodges 1951 (nearest neighbours)
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(np.unique(known)) < 2:
        return NoInterval("training rows have fewer than two different labels")
    if not (labels >= 0).any():
        return NoInterval("none of these rows has a label")
    if not (np.isfinite(before).all() and np.isfinite(codes).all()):
        return NoInterval("some codes are not finite")
    probes = {
        "linear_probe": make_pipeline(StandardScaler(), LogisticRegression(max_iter=_ITERATIONS)),
        "neighbour_probe": KNeighborsClassifier(min(_NEIGHBOURS, len(before))),
    }
    right = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # nearly there is near enough
        for name, probe in probes.items():
            right[name] = probe.fit(before, known).predict(codes) == labels
    return Probes(labels >= 0, right)

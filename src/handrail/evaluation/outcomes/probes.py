"""What codes are worth: how well simple classifiers tell the label from them."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from handrail.evaluation.forms import Form, Share
from handrail.evaluation.metric_names import metric_names
from handrail.evaluation.outcomes import Outcome

PROBES = ("linear_probe", "neighbour_probe")
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


class CodeOutcome(Outcome):
    """An outcome of rows that have codes, which a label may judge."""

    probes: Probes | None = None
    "How well the label is told from the codes of the rows; None without a label, or without codes."

    def names(self) -> list[str]:
        return [name for name in metric_names(self.task) if name not in PROBES or self.probes is not None]

    def _shares(
        self, weights: Float[np.ndarray, "rows columns"], names: Iterable[str]
    ) -> dict[str, np.ndarray]:
        return {} if self.probes is None else self.probes.shares(weights, names)

    def _probe_forms(self) -> dict[str, Form]:
        return {} if self.probes is None else {name: self.probes.form(name) for name in PROBES}


def fit_probes(before: Codes, known: Labels, codes: Codes, labels: Labels) -> Probes | None:
    """A linear classifier (multinomial logistic regression) of standardised codes, and the vote of the five
    nearest codes; fitted on at most 5,000 rows, drawn at random.

    Arguments:
        before: codes of training rows. known: their labels, −1 where there is none.
        codes, labels: of the rows to be judged; a label that training rows lack is never right.

    Returns: None where fewer than two labels are known of training rows, or none of the others.

    Source: Alain & Bengio 2017 (linear probes); Fix & Hodges 1951 (nearest neighbours)
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = np.random.default_rng(_SEED).permutation(np.flatnonzero(known >= 0))[:_MOST_ROWS]
    if len(np.unique(known[rows])) < 2 or not (labels >= 0).any():
        return None
    neighbours = min(_NEIGHBOURS, len(rows))
    probes = {
        "linear_probe": make_pipeline(StandardScaler(), LogisticRegression(max_iter=_ITERATIONS)),
        "neighbour_probe": KNeighborsClassifier(neighbours),
    }
    right = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # nearly there is near enough
        for name, probe in probes.items():
            right[name] = probe.fit(before[rows], known[rows]).predict(codes) == labels
    return Probes(labels >= 0, right)

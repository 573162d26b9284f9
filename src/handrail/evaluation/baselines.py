"""What a network has to beat: guessing, and a straight line.

Every baseline is an affine map, scores = features · weights + bias, followed by the task's softmax or
sigmoid. Nothing of it is stored: the test fits it again, on the same training rows.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Num
from scipy.special import expit, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from handrail.errors import DataError
from handrail.evaluation.metric_names import check_task
from handrail.evaluation.outcomes.predictions import Predictions

_MOST_ROWS = 100_000
_WORK = 100_000_000  # rows × features × outputs: some seconds
_ITERATIONS = 100


@dataclass(frozen=True)
class Forecast:
    """What a baseline says of rows, shaped as in `Predictions`."""

    probabilities: np.ndarray | None = None
    labels: np.ndarray | None = None
    values: np.ndarray | None = None

    @classmethod
    def joined(cls, parts: Sequence["Forecast"]) -> "Forecast":
        """What was said of several sets of rows, one behind the other."""
        found = {
            name: [getattr(part, name) for part in parts] for name in ("probabilities", "labels", "values")
        }
        return cls(
            **{name: None if arrays[0] is None else np.concatenate(arrays) for name, arrays in found.items()}
        )


@dataclass(frozen=True)
class Baseline:
    """An affine baseline: weights [width, outputs] and bias [outputs]; a binary task has the two outputs (0,
    score).
    """

    name: str
    task: str
    classes: tuple[str, ...]
    weights: np.ndarray
    bias: np.ndarray

    def predict(self, features: Float[np.ndarray, "rows width"]) -> Forecast:
        """Probabilities and labels, or values; labels are the most probable class, or every label from 0.5
        on.

        Raises: DataError when the features have another width than those that the baseline was fitted on.
        """
        _check_features(features, width=len(self.weights))
        scores = features @ self.weights + self.bias
        if self.task == "regression":
            return Forecast(values=scores)
        if self.task == "multi-label":
            chances = expit(scores)
            return Forecast(probabilities=chances, labels=(chances >= 0.5).astype(np.int64))
        chances = softmax(scores, axis=1)
        return Forecast(probabilities=chances, labels=chances.argmax(axis=1))

    def predictions(
        self, features: Float[np.ndarray, "rows width"], truth: Num[np.ndarray, "rows ..."]
    ) -> Predictions:
        """The forecast beside the truth, ready to be measured."""
        said = self.predict(features)
        return Predictions(self.task, truth, said.probabilities, said.values, said.labels, self.classes)


def fit_baselines(
    task: str,
    features: Float[np.ndarray, "rows width"],
    target: Num[np.ndarray, "rows ..."],
    classes: tuple[str, ...] = (),
    *,
    rows: Int[np.ndarray, " n"] | None = None,
) -> dict[str, Baseline]:
    """The baselines of a task: "majority" (or "mean" for regression) and "linear", fitted on train rows.

    - majority: the classes' (labels') frequencies as probabilities, whatever the features; mean: the target's
    mean. - linear: logistic regression (C = 1; one for each label) or ridge regression (α = 1),
    scikit-learn's. It stops
      after 100 iterations, converged or not: a baseline that is a hair short of its optimum is still one. It
          sees at
      most 100,000 rows, fewer where rows × features × outputs would pass 10⁸, drawn with a fixed seed and
      with every class kept. A class or label that the rows lack gets probability 0.

    features: scaled, finite. target: class codes [rows], 0/1 [rows, labels] or floats [rows, outputs]. rows:
    where the features are those of `fitting_rows` alone, these; all targets count in the majority and the
    mean.

    Raises: DataError for no rows, or for features or targets that are not finite; RecipeError for an unknown
    task. Source: Pedregosa 2011 (scikit-learn)
    """
    check_task(task)
    _check_features(features, width=features.shape[1] if features.ndim == 2 else 0)
    told = target if rows is None else target[rows]
    if not len(target) or len(told) != len(features):
        raise DataError(
            f"Baselines need as many targets as rows, and one at least; found {len(told)} and {len(features)}."
        )
    if not np.isfinite(target).all():
        raise DataError("The target holds numbers that are not finite; baselines cannot be fitted.")
    constant = _constant_scores(task, target, classes)
    flat = np.zeros((features.shape[1], len(constant)))
    fitted = {"mean" if task == "regression" else "majority": (flat, constant), "linear": (flat, constant)}
    if flat.size:
        chosen = np.arange(len(told)) if rows is not None else _some_rows(task, target, flat.size)
        seen = features if len(chosen) == len(features) else features[chosen]
        fitted["linear"] = _linear(task, seen, told[chosen], constant)
    return {name: Baseline(name, task, tuple(classes), *arrays) for name, arrays in fitted.items()}


def fitting_rows(
    task: str, target: Num[np.ndarray, "rows ..."], classes: tuple[str, ...], *, width: int
) -> Int[np.ndarray, " n"]:
    """The rows that "linear" is fitted on, so that the features of the others need not be made."""
    return _some_rows(task, target, width * len(_constant_scores(task, target, classes)))


def _check_features(features: np.ndarray, *, width: int) -> None:
    if features.ndim != 2 or features.shape[1] != width:
        raise DataError(f"The features have shape {list(features.shape)}; expected [rows, {width}].")
    finite = np.isfinite(features)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise DataError(
            f"The features hold {features[row, column]} in row {row}, column {column}; baselines need finite numbers."
        )


def _constant_scores(task: str, target: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """The bias whose softmax (sigmoid) is the frequencies; −∞ and ∞ stand for 0 and 1."""
    if task == "regression":
        return target.mean(axis=0, dtype=np.float64)
    with np.errstate(divide="ignore"):
        if task == "multi-label":
            frequency = target.mean(axis=0, dtype=np.float64)
            return np.log(frequency) - np.log1p(-frequency)
        size = 2 if task == "binary" else max(len(classes), int(target.max()) + 1)
        return np.log(np.bincount(target.astype(np.int64), minlength=size) / len(target))


def _some_rows(task: str, target: np.ndarray, cost: int) -> np.ndarray:
    """At most so many rows as are quick, with every class among them."""
    limit = int(np.clip(_WORK // max(cost, 1), 2000, _MOST_ROWS))
    if len(target) <= limit:
        return np.arange(len(target))
    drawn = np.random.default_rng(0).choice(len(target), size=limit, replace=False)
    if task in ("binary", "multi-class"):
        _, first = np.unique(target, return_index=True)
        drawn = np.concatenate([drawn, first])
    return np.unique(drawn)


def _linear(
    task: str, features: np.ndarray, target: np.ndarray, constant: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if task == "regression":
        with warnings.catch_warnings():
            # Ill-conditioned features: the penalty keeps the solution finite.
            warnings.simplefilter("ignore")
            ridge = Ridge(alpha=1.0).fit(features, target)
        return np.atleast_2d(ridge.coef_).T, np.atleast_1d(ridge.intercept_)
    if task == "multi-label":
        fits = [
            _logistic(features, column, constant[[label, label]]) for label, column in enumerate(target.T)
        ]
        return np.concatenate([w[:, 1:] for w, _ in fits], axis=1), np.array([b[1] for _, b in fits])
    return _logistic(features, target, constant)


def _logistic(features: np.ndarray, codes: np.ndarray, constant: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights [width, classes] and bias [classes]; with fewer than two classes present, the constant scores."""
    weights, bias = np.zeros((features.shape[1], len(constant))), constant
    present = np.unique(codes).astype(np.int64)
    if len(present) < 2:
        return weights, bias
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(max_iter=_ITERATIONS).fit(features, codes)
    bias = np.full(len(constant), -np.inf)
    bias[present] = 0.0
    told = present if len(present) > 2 else present[1:]  # of two classes the first one's score is 0
    weights[:, told], bias[told] = fitted.coef_.T, fitted.intercept_
    return weights, bias

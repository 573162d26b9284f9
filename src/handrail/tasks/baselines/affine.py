"""The baselines that are affine maps: guessing, and a linear model.

Scores = features · weights + bias, followed by the task's softmax or sigmoid.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Num

from handrail.errors import DataError
from handrail.evaluation.metric_names import check_task
from handrail.tasks.baselines.features import Features

_MOST_ROWS = 100_000
_WORK = 100_000_000  # rows × features × outputs: some seconds
_MOST_SCORES = 20_000_000  # rows × outputs, which are held several times while it is fitted
_ITERATIONS = 100


@dataclass(frozen=True)
class BaselineAnswers:
    """A baseline's answers for some rows, shaped as in `Predictions`."""

    probabilities: np.ndarray | None = None
    labels: np.ndarray | None = None
    values: np.ndarray | None = None


@dataclass(frozen=True)
class Baseline:
    """An affine map: weights [width, outputs] and bias [outputs]; a binary task has outputs (0, score)."""

    name: str
    task: str
    classes: tuple[str, ...]
    weights: np.ndarray
    bias: np.ndarray

    def scores(self, features: Features) -> Float[np.ndarray, "rows outputs"]:
        """Values, or scores whose softmax (of labels sigmoid) are the probabilities.

        Raises: `DataError` when the features have another width than those that the baseline was fitted on.
        """
        _check_features(features, width=len(self.weights))
        return features @ self.weights + self.bias

    def predict(self, features: Features) -> BaselineAnswers:
        """Values, or probabilities and labels: the most probable class, or every label above 0.5.

        Raises: as `scores`.
        """
        from scipy.special import expit, softmax

        scores = self.scores(features)
        if self.task == "regression":
            return BaselineAnswers(values=scores)
        if self.task == "multi-label":
            probabilities = expit(scores)
            return BaselineAnswers(probabilities, labels=(probabilities > 0.5).astype(np.int64))
        probabilities = softmax(scores, axis=1)
        return BaselineAnswers(probabilities, labels=probabilities.argmax(axis=1))


def fit_baselines(
    task: str,
    features: Features,
    target: Num[np.ndarray, "rows ..."],
    classes: tuple[str, ...] = (),
    *,
    rows: Int[np.ndarray, " n"] | None = None,
    linear: bool = True,
) -> dict[str, Baseline]:
    """The baselines of a task: "majority" (or "mean" for regression) and "linear", fitted on train rows.

    - majority: the frequencies of classes (labels) as probabilities, whatever the features; mean: the mean of
      the target.
    - linear: logistic regression (C = 1; one for each label) or ridge regression (α = 1) of scikit-learn. It
      stops after 100 iterations, converged or not: a baseline close to its optimum is still one. It is fitted
      on at most 100,000 rows, fewer where rows × features × outputs would pass 10⁸ (zeros do
      not count), drawn with a fixed seed and with every class included. A class or label that the rows lack
      gets probability 0.

    Arguments:
        features: scaled, finite.
        target: class codes `[rows]`, 0/1 `[rows, labels]` or numbers `[rows, outputs]`.
        rows: given where the features are those of `fitting_rows` alone; majority and mean use all targets.
        linear: whether the linear model is fitted at all.

    Raises: `DataError` for no rows, or numbers that are not finite; `RecipeError` for an unknown task.

    Source: Pedregosa 2011 (scikit-learn)
    """
    check_task(task)
    _check_features(features, width=features.shape[1] if features.ndim == 2 else 0)
    targets = target if rows is None else target[rows]
    if not len(target) or len(targets) != features.shape[0]:
        counts = f"{len(targets)} and {features.shape[0]}"
        raise DataError(f"Baselines need as many targets as rows, and at least one; found {counts}.")
    if not np.isfinite(target).all():
        raise DataError("The target holds numbers that are not finite; baselines cannot be fitted.")
    constant = constant_scores(task, target, classes)
    flat = np.zeros((features.shape[1], len(constant)))
    maps = {"mean" if task == "regression" else "majority": (flat, constant)}
    if linear:
        maps["linear"] = (flat, constant)
    if linear and flat.size:
        chosen = np.arange(len(targets)) if rows is not None else _some_rows(task, target, *flat.shape)
        subset = features if len(chosen) == features.shape[0] else features[chosen]
        maps["linear"] = _linear(task, subset, targets[chosen], constant)
    return {name: Baseline(name, task, tuple(classes), *arrays) for name, arrays in maps.items()}


def fitting_rows(
    task: str, target: Num[np.ndarray, "rows ..."], classes: tuple[str, ...], *, width: int
) -> Int[np.ndarray, " n"]:
    """The rows that "linear" is fitted on; features of the others need not be made."""
    return _some_rows(task, target, width, len(constant_scores(task, target, classes)))


def can_be_linear(rows: int, outputs: int) -> bool:
    """Whether a linear model of so many rows and outputs is fitted in a memory that is at hand."""
    return rows * outputs <= 2 * _MOST_SCORES


def _check_features(features: Features, *, width: int) -> None:
    from scipy.sparse import issparse

    if issparse(features):  # made of words, which are finite
        return
    if features.ndim != 2 or features.shape[1] != width:
        raise DataError(f"The features have shape {list(features.shape)}; expected [rows, {width}].")
    finite = np.isfinite(features)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise DataError(
            f"The features hold {features[row, column]} in row {row}, column {column}; "
            "baselines need finite numbers."
        )


def constant_scores(task: str, target: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """The bias whose softmax (sigmoid) gives the frequencies; −∞ and ∞ stand for 0 and 1."""
    if task == "regression":
        return target.mean(axis=0, dtype=np.float64)
    with np.errstate(divide="ignore"):
        if task == "multi-label":
            frequency = target.mean(axis=0, dtype=np.float64)
            return np.log(frequency) - np.log1p(-frequency)
        size = 2 if task == "binary" else max(len(classes), int(target.max()) + 1)
        return np.log(np.bincount(target.astype(np.int64), minlength=size) / len(target))


def _some_rows(task: str, target: np.ndarray, width: int, outputs: int) -> np.ndarray:
    """A number of rows that is quick to fit, with every class among them."""
    limit = int(np.clip(_WORK // max(width * outputs, 1), 2000, _MOST_ROWS))
    limit = min(limit, _MOST_SCORES // max(outputs, 1))
    if len(target) <= limit:
        return np.arange(len(target))
    rows = np.random.default_rng(0).choice(len(target), size=limit, replace=False)
    if task in ("binary", "multi-class"):
        _, first = np.unique(target, return_index=True)
        rows = np.concatenate([rows, first])
    return np.unique(rows)


def _linear(
    task: str, features: Features, target: np.ndarray, constant: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if task == "regression":
        from sklearn.linear_model import Ridge

        with warnings.catch_warnings():
            # Ill-conditioned features: the penalty keeps the solution finite.
            warnings.simplefilter("ignore")
            # Centred: scikit-learn rounds the target to the precision of the features.
            ridge = Ridge(alpha=1.0).fit(features, target - constant)
        return np.atleast_2d(ridge.coef_).T, np.atleast_1d(ridge.intercept_) + constant
    if task == "multi-label":
        fits = [_logistic(features, column, constant[[label] * 2]) for label, column in enumerate(target.T)]
        return np.concatenate([w[:, 1:] for w, _ in fits], axis=1), np.array([b[1] for _, b in fits])
    return _logistic(features, target, constant)


def _logistic(features: Features, codes: np.ndarray, constant: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights [width, classes] and bias [classes]; constant scores with fewer than two classes present."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    weights, bias = np.zeros((features.shape[1], len(constant))), constant
    present = np.unique(codes).astype(np.int64)
    if len(present) < 2:
        return weights, bias
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(max_iter=_ITERATIONS).fit(features, codes)
    bias = np.full(len(constant), -np.inf)
    bias[present] = 0.0
    columns = present if len(present) > 2 else present[1:]  # of two classes the first one's score is 0
    weights[:, columns], bias[columns] = model.coef_.T, model.intercept_
    return weights, bias

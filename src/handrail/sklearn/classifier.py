"""The estimator for classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from handrail.data.task import TaskSpec
from handrail.errors import DataError
from handrail.sklearn.base import NetworkEstimator


class NetworkClassifier(ClassifierMixin, NetworkEstimator):
    """A network that assigns each row one of two or more classes.

    X: an array of numbers, with NaN for missing, or a data frame of pandas or polars, whose columns of words
    become one-hot or learned vectors and whose dates become phases. y: classes of any type `[rows]`.

    Arguments:
        model: a name (`mlp`, `linear`), `{name: arguments}`, an import path, or a `torch.nn.Module` (it is
            copied).
        loss: `auto` is cross-entropy; else a name or `{name: arguments}`.
        penalties: of the objective, each a name or `{name: arguments}`.
        learning: the learning rule, for example `{"gradient": {"optimizer": "sgd"}}`.
        epochs: passes over the training rows, at most.
        batch_size: rows a step; `auto` grows with the table.
        patience: epochs without a better validation loss before training stops; None never stops early.
        validation_fraction: share of the rows, drawn class by class, that training does not see; the weights
            with the lowest loss on them are kept. 0 or None trains on all rows for all epochs.
        balance: `none`, `class_weights`, `oversample` or `undersample`, for classes of unequal size.
        scaling: of numbers: `standard`, `minmax`, `robust`, `quantile` or `none`.
        categories: of words in data frames: `onehot` or `embedding`.
        device: `auto`, `cpu`, `cuda` …
        threads: processor threads while training; `auto` is one for small steps, else torch's own number.
        random_state: a number, a `RandomState`, or None.
        verbose: show progress on standard error.

    Attributes:
        classes_: the classes, sorted.
        n_features_in_, feature_names_in_: what `fit` saw; names only where X has them.
        pipeline_, network_: the trained `Pipeline` (encoder, network, task) and the network in it.
        history_: a dictionary of figures for each epoch. best_epoch_: the one whose weights are kept.
    """

    def __init__(
        self,
        *,
        model: Any = "mlp",
        loss: Any = "auto",
        penalties: Sequence[Any] = (),
        learning: Any = "gradient",
        epochs: int = 100,
        batch_size: int | str = "auto",
        patience: int | None = 15,
        validation_fraction: float | None = 0.15,
        balance: str = "none",
        scaling: str = "standard",
        categories: str = "onehot",
        device: str = "auto",
        threads: int | str = "auto",
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            model=model,
            loss=loss,
            penalties=penalties,
            learning=learning,
            epochs=epochs,
            batch_size=batch_size,
            patience=patience,
            validation_fraction=validation_fraction,
            scaling=scaling,
            categories=categories,
            device=device,
            threads=threads,
            random_state=random_state,
            verbose=verbose,
        )
        self.balance = balance

    def fit(self, X: Any, y: Any) -> "NetworkClassifier":  # noqa: N803
        """Train from the beginning.

        Raises: `RecipeError` for invalid settings, `DataError` for a single class, `TrainingError` when the
            loss is not a number, `ValueError` and `TypeError` of scikit-learn for unsuitable arrays.
        """
        rows, y = self._validate(X, y)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise DataError(
                f"y holds one class, {classes[0]!r}; expected at least two. There is nothing to learn."
            )
        name = "binary" if len(classes) == 2 else "multi-class"
        task = TaskSpec(name=name, targets=("y",), classes=tuple(str(label) for label in classes))
        self.classes_ = classes
        self._train(rows, torch.from_numpy(codes.astype(np.int64)), task)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities `[rows, classes]`, in the order of `classes_`, without the weights of `balance`."""
        return self._predict(X)

    def decision_function(self, X: Any) -> np.ndarray:  # noqa: N803
        """The network's scores: `[rows]` for two classes, positive for the second; else `[rows, classes]`."""
        scores = self._scores(X).cpu().numpy()
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The class with the highest score; with `balance`, each class counts alike in that."""
        scores = self._scores(X).cpu().numpy()
        codes = (scores[:, 0] > 0).astype(np.int64) if scores.shape[1] == 1 else scores.argmax(axis=1)
        return self.classes_[codes]

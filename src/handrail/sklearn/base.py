"""What the estimators share: settings, training, scores."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data
from torch import Tensor, nn

from handrail.components import is_object
from handrail.data.balance import balanced_weights
from handrail.data.encoders.table import TableEncoder
from handrail.data.task import TaskSpec
from handrail.errors import RecipeError
from handrail.learning.rule import Batch
from handrail.pipeline import Pipeline, make_network
from handrail.recipe import Recipe
from handrail.runs.assembly import threads_for
from handrail.sklearn.rows import Rows, as_frame, encode, fit_encoder, hold_out, is_mixed
from handrail.tasks import ValueTask, make_task
from handrail.tasks.scoring import all_scores, double_scores
from handrail.training.callbacks import Callback, Training, make_progress
from handrail.training.job import TrainingData, gives_probabilities, weighs_classes
from handrail.training.speed.threads import restore_threads
from handrail.training.train import check_loss, choose_device, train

ARRAYS: dict[str, Any] = {"dtype": (np.float64, np.float32), "ensure_all_finite": "allow-nan"}


class _History(Callback):
    """Records the figures of each epoch."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []

    def on_epoch_end(self, training: Training, epoch: int, figures: Mapping[str, float]) -> None:
        self.epochs.append({"epoch": epoch, **figures})


class NetworkEstimator(BaseEstimator):
    """The shared part of both estimators: settings, training, scores."""

    n_features_in_: int  # set by scikit-learn's validation

    def __init__(
        self,
        *,
        model: Any = "mlp",
        loss: Any = "auto",
        penalties: Sequence[Any] = (),
        learning: Any = "gradient",
        epochs: int | str = 100,
        batch_size: int | str = "auto",
        patience: int | str | None = 15,
        validation_fraction: float | None = 0.15,
        scaling: str = "standard",
        categories: str = "onehot",
        device: str = "auto",
        threads: int | str = "auto",
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.loss = loss
        self.penalties = penalties
        self.learning = learning
        self.epochs = epochs
        self.batch_size = batch_size
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.scaling = scaling
        self.categories = categories
        self.device = device
        self.threads = threads
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    @property
    def _spec(self) -> Any:
        """The model that is meant."""
        return self.model

    def _recipe(self) -> Recipe:
        """The settings as a recipe, which reports every mistake in them."""
        data = {
            "balance": getattr(self, "balance", "none"),
            "encoding": {"scaling": self.scaling, "categories": self.categories},
        }
        names = ("epochs", "batch_size", "patience", "device", "threads")
        training = {name: getattr(self, name) for name in names}
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        objective = {"loss": self.loss, "penalties": list(self.penalties)}
        sections = {"data": data, "objective": objective, "training": training}
        return Recipe.parse({"seed": seed, "model": self._spec, "learning": self.learning, **sections})

    def _validate(self, X: Any, y: Any, **checks: Any) -> tuple[Rows, np.ndarray]:  # noqa: N803
        """Rows and target of `fit`, checked and recorded as scikit-learn does."""
        self._mixed = is_mixed(X)
        if not self._mixed:
            return cast(tuple[np.ndarray, np.ndarray], validate_data(self, X, y, **ARRAYS, **checks))
        if y is not None:
            y = validate_data(self, X="no_validation", y=y, **checks)  # pyright: ignore[reportArgumentType]
        validate_data(self, X, y, skip_check_array=True)  # pyright: ignore[reportArgumentType]
        check_consistent_length(X, y)
        return as_frame(X), cast(np.ndarray, y)

    def _train(self, rows: Rows, target: Tensor, task: TaskSpec) -> None:
        """Split, encode, train; targets are codes `[rows]` or values `[rows, outputs]`."""
        recipe = self._recipe()
        if recipe.objective.loss != "auto":
            check_loss(recipe.objective.loss, task)
        codes = target.numpy() if task.is_classification else None
        validation_rows = hold_out(len(target), codes, self.validation_fraction, recipe.seed)
        chosen: Any = slice(None)
        if len(validation_rows):
            chosen = np.setdiff1d(np.arange(len(target)), validation_rows, assume_unique=True)
        history = _History()
        with restore_threads():
            train_rows, train_target = rows[chosen], target[chosen]
            pipeline = self._make_pipeline(recipe, train_rows, train_target, task)
            torch.set_num_threads(threads_for(recipe, pipeline, len(train_target)))
            batch, validation = _make_batch(pipeline, train_rows, train_target), None
            if len(validation_rows):
                validation = _make_batch(pipeline, rows[validation_rows], target[validation_rows])
            names, metrics = pipeline.encoder.feature_names, pipeline.decoder.batch_metrics
            device = pipeline.device
            training_data = TrainingData(
                recipe, task, batch.inputs, batch.targets, names, validation, metrics, device
            )
            listeners = (history, *make_progress("auto" if self.verbose else "none"))
            progress = train(training_data, pipeline.network, callbacks=listeners)
        self.pipeline_, self.network_, self.history_ = pipeline.eval(), pipeline.network, history.epochs
        self.best_epoch_ = progress.best_epoch or progress.epoch

    def _make_pipeline(self, recipe: Recipe, rows: Rows, target: Tensor, task: TaskSpec) -> Pipeline:
        """An encoder and target scale fitted on these rows, and the untrained network."""
        device = choose_device(recipe.training.device)
        encoder = fit_encoder(rows, recipe.data.encoding, self._names())
        model = copy.deepcopy(recipe.model) if is_object(recipe.model) else recipe.model
        learned_task = make_task(task, encoder.shape)
        if isinstance(learned_task, ValueTask):
            learned_task.learn(target)
        elif weighs_classes(recipe, task) and gives_probabilities(recipe, task):
            learned_task.weigh(balanced_weights(torch.bincount(target, minlength=len(task.classes))))
        network = make_network(model, encoder, learned_task, seed=recipe.seed)
        if not isinstance(network, nn.Module):
            kind = type(network).__name__
            raise RecipeError(
                f"model: found {kind}, expected a name, {{name: arguments}} or a torch.nn.Module."
            )
        return Pipeline(encoder, learned_task, network, model=recipe.resolved()["model"]).to(device)

    def _names(self) -> list[str]:
        unnamed = [f"x{index}" for index in range(self.n_features_in_)]
        return [str(name) for name in getattr(self, "feature_names_in_", unnamed)]

    def _scores(self, X: Any) -> Tensor:  # noqa: N803
        """The network's outputs `[rows, outputs]`, computed in the precision of the rows.

        In double precision a row's scores hardly depend on the other rows of the call.
        """
        check_is_fitted(self)
        if self._mixed:
            rows: Rows = as_frame(X)
            validate_data(self, X, reset=False, skip_check_array=True)
        else:
            rows = cast(np.ndarray, validate_data(self, X, reset=False, **ARRAYS))
        inputs = encode(cast(TableEncoder, self.pipeline_.encoder), rows)
        single = isinstance(rows, np.ndarray) and rows.dtype == np.float32
        scores = None if single else double_scores(self.network_, inputs)
        return all_scores(self.network_, inputs) if scores is None else scores

    def _predict(self, X: Any) -> np.ndarray:  # noqa: N803
        scores = self._scores(X)
        with torch.no_grad():
            answers = self.pipeline_.decoder(scores)
            is_value = isinstance(
                self.pipeline_.decoder, ValueTask
            )  # in the target's unit: not to be rounded
            return (answers if is_value else answers.to(scores.dtype)).cpu().numpy()


def _make_batch(pipeline: Pipeline, rows: Rows, target: Tensor) -> Batch:
    target, task = target.to(pipeline.device), pipeline.decoder
    inputs = encode(cast(TableEncoder, pipeline.encoder), rows)
    own = task.row_targets(inputs, pipeline.encoder)
    scaled = task.scale(target) if isinstance(task, ValueTask) else target
    return Batch(inputs, scaled if own is None else own)

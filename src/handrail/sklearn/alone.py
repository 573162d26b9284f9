"""What the estimators share that learn without a target."""

from typing import Any, ClassVar, cast

import numpy as np
import torch
from jaxtyping import Float
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from handrail.data.encoders.table import TableEncoder
from handrail.data.task import TaskSpec
from handrail.errors import RecipeError
from handrail.network import model_in, model_inputs
from handrail.recipe import Recipe
from handrail.recipe.alone import Alone, alone_of, takes_unit, usual_rule
from handrail.sklearn.base import ARRAYS, NetworkEstimator
from handrail.sklearn.rows import Rows, as_frame, encode, is_mixed


class LoneEstimator(NetworkEstimator):
    """Settings and training; `auto` is what the model says of itself, and None the usual model."""

    usual: ClassVar[Any] = "kmeans"

    def __init__(
        self,
        *,
        model: Any = None,
        learning: Any = "auto",
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        patience: int | str | None = None,
        validation_fraction: float | None = None,
        scaling: str = "standard",
        device: str = "auto",
        threads: int | str = "auto",
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            model=model,
            learning=learning,
            epochs=epochs,
            batch_size=batch_size,
            patience=patience,
            validation_fraction=validation_fraction,
            scaling=scaling,
            device=device,
            threads=threads,
            random_state=random_state,
            verbose=verbose,
        )

    @property
    def _spec(self) -> Any:
        return self.usual if self.model is None else self.model

    @property
    def _alone(self) -> Alone:
        """Raises: `RecipeError` for a model that needs a target."""
        alone = alone_of(self._spec)
        if alone is None:
            raise RecipeError(
                f"model: {self._spec} learns from a target; expected one that learns without, such as kmeans."
            )
        return alone

    def _recipe(self) -> Recipe:
        alone = self._alone
        recipe = super()._recipe()
        changes: dict[str, Any] = {"data.task": alone.task}
        if self.learning == "auto":
            changes["learning"] = usual_rule(self._spec) or "gradient"
        for name, usual in (("epochs", alone.epochs), ("patience", alone.patience)):
            if getattr(self, name) == "auto":
                changes[f"training.{name}"] = usual
        if self.batch_size == "auto" and alone.batch_size is not None:
            changes["training.batch_size"] = alone.batch_size
        return recipe.with_values(changes)

    def _fit_alone(self, X: Any) -> Rows:  # noqa: N803
        """Train on rows; returns them as they were checked."""
        self._mixed = is_mixed(X)
        if self._mixed:
            validate_data(self, X, skip_check_array=True)
            rows: Rows = as_frame(X)
        else:
            # scikit-learn's words for a single row, of which nothing can be learned
            rows = cast(np.ndarray, validate_data(self, X, ensure_min_samples=2, **ARRAYS))
        self._check_unit(rows)
        nothing = torch.zeros(len(rows), dtype=torch.int64)
        self._train(rows, nothing, TaskSpec.alone(self._alone.task, None))
        return rows

    def _check_unit(self, rows: Rows) -> None:
        """Raises: `RecipeError` for other numbers where the model takes those from 0 to 1 alone."""
        if not takes_unit(self._spec) or self.scaling == "minmax":
            return
        plain = self.scaling == "none" and not self._mixed
        values = np.asarray(rows) if plain else np.full(1, np.nan)
        if not ((values >= 0) & (values <= 1)).all():
            raise RecipeError(
                f"model: its visible units are 0 or 1; expected scaling='none' with numbers from 0 to 1, or "
                f"scaling='minmax'. {self._alone.real} takes real numbers."
            )

    @torch.no_grad()
    def _points(self, X: Any) -> Float[Tensor, "rows width"]:  # noqa: N803
        """Rows as the model is given them."""
        check_is_fitted(self)
        if self._mixed:
            rows: Rows = as_frame(X)
            validate_data(self, X, reset=False, skip_check_array=True)
        else:
            rows = cast(np.ndarray, validate_data(self, X, reset=False, **ARRAYS))
        return model_inputs(self.network_, encode(cast(TableEncoder, self.pipeline_.encoder), rows))

    @property
    def _model(self) -> Any:
        return model_in(self.network_)

    def _as_rows(self, points: Float[Tensor, "rows width"]) -> np.ndarray:
        """Rows in the units of X; of data frames with words, a data frame of polars."""
        frame = self.pipeline_.encoder.decode(points)[0]
        return frame if self._mixed else frame.to_numpy()  # pyright: ignore[reportReturnType]

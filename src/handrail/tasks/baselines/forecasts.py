"""The baselines of a forecast, and the scale of its errors."""

import numpy as np
from jaxtyping import Float

from handrail.data.part import Part
from handrail.data.stores.series import WindowStore
from handrail.data.task import TaskSpec
from handrail.evaluation.outcomes.table import TableOutcome


def naive_outcomes(spec: TaskSpec, part: Part) -> dict[str, TableOutcome]:
    """The forecasts that repeat the last value and, where the series has a season, the last season.

    Source: Hyndman & Koehler 2006
    """
    name, store = _windows(part)
    places = part.raw[name].to_numpy()
    seasons = {"last value": 1} | ({"seasonal naive": spec.season} if spec.season > 1 else {})
    return {
        baseline: value_outcome(
            spec, part, store.last_season(spec.model_copy(update={"season": season}), places)
        )
        for baseline, season in seasons.items()
    }


def value_outcome(spec: TaskSpec, part: Part, values: Float[np.ndarray, "rows outputs"]) -> TableOutcome:
    """Predicted values for a part beside the truth."""
    truth, scale = part.target.numpy(), naive_errors(spec, part)
    block = max(spec.horizon, 1)  # windows of a forecast share predicted values
    free = spec.horizon if spec.free_run else 0
    return TableOutcome("regression", truth, values=values, scale=scale, block=block, free_run=free)


def naive_errors(spec: TaskSpec, part: Part) -> np.ndarray | None:
    """For forecasts, the mean absolute errors on training rows of repeating the last season (for MASE).

    Without a season it is the last value that is repeated.
    """
    return _windows(part)[1].naive_errors(spec) if spec.is_forecast else None


def _windows(part: Part) -> tuple[str, WindowStore]:
    return next((name, store) for name, store in part.stores.items() if isinstance(store, WindowStore))

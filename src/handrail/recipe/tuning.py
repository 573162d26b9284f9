"""The tuning section of a recipe."""

from typing import Annotated, Any, Literal

from pydantic import Field

from handrail.components.arguments import Count
from handrail.recipe.sections import Section


class TuningRecipe(Section):
    """Tune: what is tried, how, and what it is judged by.

    space: dotted settings with the values to try: a list, `{low, high}` with `log: true` or `step` where
    wanted, or `{choices: […]}`. method: `grid` tries every combination, `random` draws, `halving` begins many
    trials and lets the better third go on, three times as long; any other name is a sampler of Optuna's (tpe,
    gp, qmc, cma_es …). `auto` is grid where all values are listed, else random. trials: how many; a grid
    counts its own. folds: judge by so many folds of training and validation rows together, in place of the
    validation rows. replicas: networks a trial and fold, which differ in their seeds alone. metric: `auto` is
    the task's main figure. workers: processes for trials that cannot be trained as one program. cluster: a
    Ray cluster, `local` or an address.
    """

    space: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies it
    method: str = "auto"
    trials: Count | Literal["auto"] = "auto"
    folds: Annotated[int, Field(ge=2)] | None = None
    replicas: Count = 1
    metric: str = "auto"
    workers: Count | Literal["auto"] = "auto"
    cluster: str | None = None

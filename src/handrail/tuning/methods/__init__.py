"""Search methods: which trials come next, given the results of the trials before.

May import the space, trials and `recipe`. A new method implements `Method` in a file and is made by
`make_method`.
"""

from collections.abc import Sequence
from typing import Protocol

from handrail.errors import HandrailError
from handrail.recipe.sections import TuningRecipe
from handrail.training.seeds import derive
from handrail.tuning.methods.halving import Halving
from handrail.tuning.methods.optuna import OptunaMethod, samplers
from handrail.tuning.space import Settings, Space, combinations, draw_settings, size
from handrail.tuning.trial import Result, Trial

METHODS = ("auto", "grid", "random", "halving")
_DEFAULT_TRIALS = {"halving": 27}


class Method(Protocol):
    """Proposes trials, batch by batch.

    It depends on nothing but the space, its seed and the results that it is told, in order: a search that is
    resumed asks it again from the beginning and is given the same trials.
    """

    def ask(self) -> list[Trial]:
        """The next trials; none when the search is over."""
        ...
        ...

    def tell(self, results: Sequence[Result]) -> None:
        """Receive the results of the trials of the last `ask`, in their order, failed ones included."""


class ListedMethod:
    """Grid and random search: one batch of trials that are known from the beginning."""

    def __init__(self, settings: Sequence[Settings]) -> None:
        self._trials = [Trial(number, values) for number, values in enumerate(settings, start=1)]

    def ask(self) -> list[Trial]:
        trials, self._trials = self._trials, []
        return trials

    def tell(self, results: Sequence[Result]) -> None:
        pass


def sampler_names() -> list[str]:
    """The names of Optuna's samplers; empty where Optuna is not installed."""
    return sorted(samplers())


def is_known(method: str) -> bool:
    """Whether a method of this name exists.

    Raises: `HandrailError` when it could only be one of Optuna's, and Optuna is not installed.
    """
    if method in METHODS or method in samplers():
        return True
    if not samplers():
        advice = (
            f"install it with: pip install 'handrail[tuning]'. Without it there are {', '.join(METHODS[1:])}"
        )
        raise HandrailError(f"tuning.method: '{method}' needs the package optuna; {advice}.")
    return False


def make_method(
    name: str, settings: TuningRecipe, space: Space, *, seed: int, epochs: int, higher: bool
) -> Method:
    """The method, at its beginning.

    Arguments:
        seed, epochs: of the recipe.
        higher: whether a higher metric is better.
    """
    if name == "grid":
        return ListedMethod(list(combinations(space)))
    count = _DEFAULT_TRIALS.get(name, 32) if settings.trials == "auto" else settings.trials
    search_seed = derive(seed, "search")
    if name not in METHODS:
        return OptunaMethod(space, sampler=name, trials=count, seed=search_seed, higher=higher)
    drawn = draw_settings(space, min(count, size(space) or count), seed=search_seed)
    return Halving(drawn, epochs=epochs, higher=higher) if name == "halving" else ListedMethod(drawn)

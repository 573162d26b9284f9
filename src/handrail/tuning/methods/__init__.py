"""Methods of search: what is tried next, given what came of the trials before."""

from collections.abc import Sequence
from typing import Protocol

from handrail.errors import HandrailError
from handrail.recipe.tuning import TuningRecipe
from handrail.training.seeds import derive
from handrail.tuning.methods.halving import Halving
from handrail.tuning.methods.listed import Listed
from handrail.tuning.methods.optuna import Sampled, samplers
from handrail.tuning.space import Space, combinations, drawn, size
from handrail.tuning.trial import Result, Trial

__all__ = ["METHODS", "Method", "is_known", "make_method", "sampler_names"]


class Method(Protocol):
    """Says what to try, batch by batch.

    It depends on nothing but the space, its seed and what it is told, in order: a search that is resumed asks
    it again from the beginning, and is given the same trials.
    """

    def ask(self) -> list[Trial]:
        """The next trials; none when the search is over."""
        ...

    def tell(self, results: Sequence[Result]) -> None:
        """What came of the trials of the last `ask`, in their order; failed ones included."""
        ...


METHODS = ("auto", "grid", "random", "halving")
_USUAL_TRIALS = {"halving": 27}


def sampler_names() -> list[str]:
    """The names of Optuna's samplers; none where Optuna is not installed."""
    return sorted(samplers())


def is_known(method: str) -> bool:
    """Whether there is such a method.

    Raises: `HandrailError` when it could only be one of Optuna's, and Optuna is not installed.
    """
    if method in METHODS or method in samplers():
        return True
    if not samplers():
        raise HandrailError(
            f"tuning.method: '{method}' needs the package optuna; install it with: pip install 'handrail[tuning]'. Without it there "
            f"are {', '.join(METHODS[1:])}."
        )
    return False


def make_method(
    name: str, settings: TuningRecipe, space: Space, *, seed: int, epochs: int, higher: bool
) -> Method:
    """The method, at its beginning.

    Arguments:
        seed: of the recipe; what is drawn follows from it.
        epochs: of a whole training.
        higher: whether a higher figure is a better one.
    """
    if name == "grid":
        return Listed(list(combinations(space)))
    count = _USUAL_TRIALS.get(name, 32) if settings.trials == "auto" else settings.trials
    chance = derive(seed, "search")
    if name not in METHODS:
        return Sampled(space, sampler=name, trials=count, seed=chance, higher=higher)
    settled = drawn(space, min(count, size(space) or count), seed=chance)
    return Halving(settled, epochs=epochs, higher=higher) if name == "halving" else Listed(settled)

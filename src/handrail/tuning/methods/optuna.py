"""Optuna's samplers: each batch of trials follows from what came of those before."""

import inspect
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from handrail.components import snake_case
from handrail.errors import HandrailError
from handrail.tuning.space import Choices, Range, Settings, Space
from handrail.tuning.trial import Result, Trial

BATCH = 8  # asked at once, whatever the number of workers: what is proposed must not depend on it
# `random` and `grid` do what the last two do.
_NOT_OFFERED = ("BaseSampler", "RandomSampler", "BruteForceSampler")


def samplers() -> Mapping[str, Any]:
    """Optuna's samplers that need a seed at most, by name: `TPESampler` is `tpe`. None where Optuna is not
    installed.
    """
    try:
        import optuna
    except ModuleNotFoundError:
        return {}
    found: dict[str, Any] = {}
    for name in dir(optuna.samplers):
        sampler = getattr(optuna.samplers, name)
        if not (name.endswith("Sampler") and inspect.isclass(sampler) and name not in _NOT_OFFERED):
            continue
        arguments = inspect.signature(sampler).parameters
        needed = [
            one
            for one in arguments.values()
            if one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
        ]
        if "seed" in arguments and not needed:
            found[snake_case(name.removesuffix("Sampler"))] = sampler
    return found


class Sampled:
    """Batches of eight trials, proposed by a sampler that knows what came of the ones before.

    The study lives in memory; a search that is resumed tells it everything again, in order.

    Raises: `HandrailError` when a package that the sampler needs is missing.
    """

    def __init__(self, space: Space, *, sampler: str, trials: int, seed: int, higher: bool) -> None:
        import optuna

        self.space, self.left, self.given = space, trials, 0
        with _quietly():
            made = samplers()[sampler](seed=seed % 2**32)
            self.study = optuna.create_study(sampler=made, direction="maximize" if higher else "minimize")
        self._distributions = {name: _distribution(dimension) for name, dimension in space.items()}
        self._open: list[Any] = []

    def ask(self) -> list[Trial]:
        """The next eight."""
        count = min(BATCH, self.left)
        self.left -= count
        with _quietly():
            try:
                self._open = [self.study.ask(self._distributions) for _ in range(count)]
            except ImportError as error:
                raise HandrailError(
                    f"tuning.method: this sampler needs the package {error.name}; install it with pip."
                ) from error
        asked = [
            Trial(self.given + place, self._settings(one)) for place, one in enumerate(self._open, start=1)
        ]
        self.given += count
        return asked

    def tell(self, results: Sequence[Result]) -> None:
        """Their figures, by which the next ones are proposed."""
        from optuna.trial import TrialState

        with _quietly():
            for one, result in zip(self._open, results, strict=True):
                if result.failure or not math.isfinite(result.value):
                    self.study.tell(one, state=TrialState.FAIL)
                else:
                    self.study.tell(one, result.value)

    def _settings(self, trial: Any) -> Settings:
        return {name: _value(dimension, trial.params[name]) for name, dimension in self.space.items()}


def _distribution(dimension: Choices | Range) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(dimension, Choices):  # by their places: values may be lists and mappings
        return CategoricalDistribution(range(len(dimension.values)))
    if dimension.whole:
        last = (dimension.listed() or (dimension.high,))[-1]
        return IntDistribution(
            int(dimension.low), int(last), log=dimension.log, step=int(dimension.step or 1)
        )
    last = dimension.high if dimension.step is None else (dimension.listed() or (dimension.high,))[-1]
    return FloatDistribution(float(dimension.low), float(last), log=dimension.log, step=dimension.step)


def _value(dimension: Choices | Range, drawn: Any) -> Any:
    return dimension.values[drawn] if isinstance(dimension, Choices) else drawn


@contextmanager
def _quietly() -> Iterator[None]:
    """Without Optuna's remarks on what is experimental, and on each trial."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)

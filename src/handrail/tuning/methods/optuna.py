"""Optuna's samplers: each batch of trials follows from the results before it."""

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

BATCH = 8  # trials asked at once; the proposals must not depend on the number of workers
_VARIABLE = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
_NOT_OFFERED = ("BaseSampler", "RandomSampler", "BruteForceSampler")  # a base, and our `random` and `grid`


def samplers() -> Mapping[str, Any]:
    """Optuna's samplers that need a seed at most, by name (`TPESampler` is `tpe`); empty without Optuna."""
    try:
        import optuna
    except ModuleNotFoundError:
        return {}
    table: dict[str, Any] = {}
    for name in dir(optuna.samplers):
        sampler = getattr(optuna.samplers, name)
        if not (name.endswith("Sampler") and inspect.isclass(sampler) and name not in _NOT_OFFERED):
            continue
        arguments = inspect.signature(sampler).parameters
        positional = [each for each in arguments.values() if each.kind not in _VARIABLE]
        if "seed" in arguments and not any(each.default is each.empty for each in positional):
            table[snake_case(name.removesuffix("Sampler"))] = sampler
    return table


class OptunaMethod:
    """Batches of eight trials, proposed by a sampler from the results before.

    The study lives in memory; a search that is resumed tells it all results again, in order.

    Raises: `HandrailError` when a package that the sampler needs is missing.
    """

    def __init__(self, space: Space, *, sampler: str, trials: int, seed: int, higher: bool) -> None:
        import optuna

        self.space, self.left, self.count = space, trials, 0
        with _quietly():
            self.study = optuna.create_study(
                sampler=samplers()[sampler](seed=seed % 2**32), direction="maximize" if higher else "minimize"
            )
        self._distributions = {name: _distribution(dimension) for name, dimension in space.items()}
        self._open: list[Any] = []

    def ask(self) -> list[Trial]:
        count = min(BATCH, self.left)
        self.left -= count
        with _quietly():
            try:
                self._open = [self.study.ask(self._distributions) for _ in range(count)]
            except ImportError as error:
                problem = f"this sampler needs the package {error.name}; install it with pip"
                raise HandrailError(f"tuning.method: {problem}.") from error
        first = self.count + 1
        self.count += count
        return [Trial(number, self._settings(trial)) for number, trial in enumerate(self._open, first)]

    def tell(self, results: Sequence[Result]) -> None:
        from optuna.trial import TrialState

        with _quietly():
            for trial, result in zip(self._open, results, strict=True):
                if result.failure or not math.isfinite(result.value):
                    self.study.tell(trial, state=TrialState.FAIL)
                else:
                    self.study.tell(trial, result.value)

    def _settings(self, trial: Any) -> Settings:
        return {name: _value(dimension, trial.params[name]) for name, dimension in self.space.items()}


def _distribution(dimension: Choices | Range) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(dimension, Choices):  # by index: values may be lists and mappings
        return CategoricalDistribution(range(len(dimension.values)))
    last = (dimension.all_values() or (dimension.high,))[-1]
    if dimension.whole:
        step = int(dimension.step or 1)
        return IntDistribution(int(dimension.low), int(last), log=dimension.log, step=step)
    return FloatDistribution(float(dimension.low), float(last), log=dimension.log, step=dimension.step)


def _value(dimension: Choices | Range, parameter: Any) -> Any:
    return dimension.values[parameter] if isinstance(dimension, Choices) else parameter


@contextmanager
def _quietly() -> Iterator[None]:
    """Without Optuna's warnings of experimental features and its messages on each trial."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)

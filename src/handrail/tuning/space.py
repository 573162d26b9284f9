"""The space of a search: dotted settings of a recipe, each with the values to try."""

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from handrail.components import import_path, show_value
from handrail.errors import RecipeError, did_you_mean
from handrail.recipe.dotted import flatten_space

Settings = dict[str, Any]
_RANGE = {"low", "high", "log", "step"}
_POWER = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
_EXPECTED = "expected a list, {low, high} with log or step, or {choices: [...]}"


@dataclass(frozen=True)
class Choices:
    """One of these values."""

    values: tuple[Any, ...]

    def all_values(self) -> tuple[Any, ...]:
        return self.values

    def examples(self) -> tuple[Any, ...]:
        """Values to check whether the setting takes what may be drawn."""
        return self.values

    def at(self, share: float) -> Any:
        """The value at a position from 0 to 1."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, both included: integers if both are; with `log`, even on a logarithmic scale."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def whole(self) -> bool:
        """Whether it holds integers only."""
        return all(isinstance(number, int) for number in (self.low, self.high, self.step or 1))

    @property
    def stride(self) -> float | None:
        """The distance between neighbours; None in a continuum."""
        return self.step or (1 if self.whole else None)

    def all_values(self) -> tuple[Any, ...] | None:
        """All values; None for a continuum."""
        return None if self.stride is None else tuple(self._nth(index) for index in range(self._count))

    def examples(self) -> tuple[Any, ...]:
        return (self.low, self.high)

    def at(self, share: float) -> Any:
        if self.log:
            # an integer owns the interval up to the next one
            high = self.high + 1 if self.whole else self.high
            value = math.exp(math.log(self.low) + share * (math.log(high) - math.log(self.low)))
            return min(max(int(value) if self.whole else value, self.low), self.high)
        if self.stride is None:
            return self.low + share * (self.high - self.low)
        return self._nth(min(int(share * self._count), self._count - 1))

    @property
    def _count(self) -> int:
        assert self.stride is not None
        return int((self.high - self.low) / self.stride * (1 + 1e-12) + 1e-9) + 1

    def _nth(self, index: int) -> Any:
        assert self.stride is not None
        value = self.low + index * self.stride
        return value if self.whole else float(f"{value:.12g}")  # 0.1 + 2 · 0.1 means 0.3


Dimension = Choices | Range
Space = dict[str, Dimension]


def read_space(values: Mapping[str, Any]) -> tuple[Space, list[str]]:
    """The space of a recipe, and its mistakes; names may be dotted or nested."""
    problems: list[str] = []
    space: Space = {}
    for name, value in flatten_space(values):
        try:
            space[name] = _dimension(value)
        except RecipeError as error:
            problems += [f"tuning.space: {name}: {text}" for text in error.problems]
    problems += _overlaps([name for name, _ in flatten_space(values)])
    if not values:
        each = _EXPECTED.removeprefix("expected ")
        problems.append(
            f"tuning.space: nothing to try; expected dotted settings with their values, each {each}."
        )
    return space, problems


def _dimension(value: Any) -> Dimension:
    value = _parse_powers(value)
    if isinstance(value, list | tuple):
        return _choices(value)
    if isinstance(value, Mapping) and value:
        if set(value) == {"choices"} and isinstance(value["choices"], list | tuple):
            return _choices(value["choices"])
        return _range(value)
    raise RecipeError(f"found {show_value(value)}, {_EXPECTED}.")


def _parse_powers(value: Any) -> Any:
    """Numbers such as 1e-3, which YAML reads as words."""
    if isinstance(value, str) and _POWER.fullmatch(value):
        return float(value)
    if isinstance(value, list | tuple):
        return [_parse_powers(item) for item in value]
    return {key: _parse_powers(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def _choices(values: Any) -> Choices:
    if not values:
        raise RecipeError("found an empty list, expected the values to try.")
    for index, value in enumerate(values):
        if any(type(value) is type(other) and bool(value == other) for other in values[:index]):
            raise RecipeError(f"{show_value(value)} stands there twice; leave one out.")
    return Choices(tuple(import_path(value) or value for value in values))


def _range(value: Mapping[str, Any]) -> Range:
    problems = [f"{key}: unknown.{did_you_mean(key, _RANGE)}" for key in value if key not in _RANGE]
    problems += [f"{key}: missing; a range has both ends." for key in ("low", "high") if key not in value]
    ends = {key: value[key] for key in ("low", "high", "step") if key in value}
    problems += [
        f"{key}: found {show_value(number)}, expected a number."
        for key, number in ends.items()
        if not _is_number(number)
    ]
    if not isinstance(value.get("log", False), bool):
        problems.append(f"log: found {show_value(value['log'])}, expected true or false.")
    if problems:
        raise RecipeError(problems)
    dimension = Range(value["low"], value["high"], log=value.get("log", False), step=value.get("step"))
    if problems := list(_range_mistakes(dimension)):
        raise RecipeError(problems)
    return dimension


def _range_mistakes(dimension: Range) -> Iterator[str]:
    if dimension.low >= dimension.high:
        yield f"low is {dimension.low}, and high {dimension.high}; expected low below high."
    if dimension.log and dimension.low <= 0:
        yield f"low is {dimension.low}; a logarithmic range lies above 0."
    if dimension.log and dimension.step is not None:
        yield "step: has no meaning on a logarithmic scale; leave it out, or list the values."
    if dimension.step is not None and not 0 < dimension.step <= dimension.high - dimension.low:
        yield f"step is {dimension.step}; expected more than 0 and at most high − low."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _overlaps(names: list[str]) -> list[str]:
    return [
        f"tuning.space: {inner}: lies within '{outer}', which is tried as a whole; leave one of them out."
        for outer in names
        for inner in names
        if inner.startswith(f"{outer}.")
    ]


def size(space: Space) -> int | None:
    """The number of different settings; None if one is a continuum."""
    values = [dimension.all_values() for dimension in space.values()]
    return None if None in values else math.prod(len(each or ()) for each in values)


def combinations(space: Space) -> Iterator[Settings]:
    """Every combination; the last setting changes first."""
    listed = [dimension.all_values() or () for dimension in space.values()]
    for values in itertools.product(*listed):
        yield dict(zip(space, values, strict=True))


def draw_settings(space: Space, count: int, *, seed: int) -> list[Settings]:
    """`count` random settings, no two alike. Source: Bergstra & Bengio 2012 (random search)"""
    rng = np.random.default_rng(seed)
    different: dict[str, Settings] = {}
    while len(different) < count:
        settings = {name: dimension.at(float(rng.random())) for name, dimension in space.items()}
        different.setdefault(repr(settings), settings)
    return list(different.values())

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

Settings = dict[str, Any]
_RANGE = {"low", "high", "log", "step"}
_POWER = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
_EXPECTED = "expected a list, {low, high} with log or step, or {choices: [...]}"


@dataclass(frozen=True)
class Choices:
    """One of these values."""

    values: tuple[Any, ...]

    def listed(self) -> tuple[Any, ...]:
        """All of them."""
        return self.values

    def examples(self) -> tuple[Any, ...]:
        """Values that show whether the setting takes what may be drawn."""
        return self.values

    def at(self, share: float) -> Any:
        """The value at a place from 0 to 1."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, both included: whole numbers where both are, evenly on a logarithmic scale with
    `log`.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers only."""
        return all(isinstance(number, int) for number in (self.low, self.high, self.step or 1))

    @property
    def stride(self) -> float | None:
        """The distance of neighbours; none in a continuum."""
        return self.step or (1 if self.whole else None)

    def listed(self) -> tuple[Any, ...] | None:
        """All values, or nothing where it is a continuum."""
        if self.stride is None:
            return None
        return tuple(self._nth(place) for place in range(self._count))

    def examples(self) -> tuple[Any, ...]:
        """Its ends."""
        return (self.low, self.high)

    def at(self, share: float) -> Any:
        """The value at a place from 0 to 1."""
        if self.log:
            # A whole number owns the stretch up to the next one.
            high = self.high + 1 if self.whole else self.high
            value = math.exp(math.log(self.low) + share * (math.log(high) - math.log(self.low)))
            return (
                min(max(int(value), self.low), self.high)
                if self.whole
                else min(max(value, self.low), self.high)
            )
        if self.stride is None:
            return self.low + share * (self.high - self.low)
        return self._nth(min(int(share * self._count), self._count - 1))

    @property
    def _count(self) -> int:
        assert self.stride is not None
        return int((self.high - self.low) / self.stride * (1 + 1e-12) + 1e-9) + 1

    def _nth(self, place: int) -> Any:
        assert self.stride is not None
        value = self.low + place * self.stride
        return value if self.whole else float(f"{value:.12g}")  # 0.1 + 2 · 0.1 is meant as 0.3


Dimension = Choices | Range
Space = dict[str, Dimension]


def read_space(given: Mapping[str, Any]) -> tuple[Space, list[str]]:
    """The space that a recipe writes, and its mistakes; names may be dotted or nested."""
    problems: list[str] = []
    space: Space = {}
    for name, value in _flat(given):
        try:
            space[name] = _dimension(value)
        except RecipeError as error:
            problems += [f"tuning.space: {name}: {text}" for text in error.problems]
    problems += _overlaps([name for name, _ in _flat(given)])
    if not given:
        problems.append(
            "tuning.space: nothing to try; expected dotted settings with their values, each "
            + _EXPECTED[9:]
            + "."
        )
    return space, problems


def _flat(given: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in given.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value and not ({"choices", "low", "high"} & set(value)):
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def _dimension(value: Any) -> Dimension:
    value = _with_numbers(value)
    if isinstance(value, list | tuple):
        return _choices(value)
    if (
        isinstance(value, Mapping)
        and set(value) == {"choices"}
        and isinstance(value["choices"], list | tuple)
    ):
        return _choices(value["choices"])
    if isinstance(value, Mapping) and value:
        return _range(value)
    raise RecipeError(f"found {show_value(value)}, {_EXPECTED}.")


def _with_numbers(value: Any) -> Any:
    """With numbers such as 1e-3, which YAML takes for words, as numbers."""
    if isinstance(value, str) and _POWER.fullmatch(value):
        return float(value)
    if isinstance(value, list | tuple):
        return [_with_numbers(item) for item in value]
    return {key: _with_numbers(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def _choices(values: Any) -> Choices:
    if not values:
        raise RecipeError("found an empty list, expected the values to try.")
    twice = [
        value for place, value in enumerate(values) if any(_same(value, other) for other in values[:place])
    ]
    if twice:
        raise RecipeError(f"{show_value(twice[0])} stands there twice; leave one out.")
    return Choices(tuple(import_path(value) or value for value in values))


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _range(value: Mapping[str, Any]) -> Range:
    problems = [f"{key}: unknown.{did_you_mean(key, _RANGE)}" for key in value if key not in _RANGE]
    problems += [f"{key}: missing; a range has both ends." for key in ("low", "high") if key not in value]
    ends = {key: value[key] for key in ("low", "high", "step") if key in value}
    wrong = {key: number for key, number in ends.items() if not _is_number(number)}
    problems += [f"{key}: found {show_value(number)}, expected a number." for key, number in wrong.items()]
    if not isinstance(value.get("log", False), bool):
        problems.append(f"log: found {show_value(value['log'])}, expected true or false.")
    if problems:
        raise RecipeError(problems)
    found = Range(value["low"], value["high"], log=value.get("log", False), step=value.get("step"))
    problems = list(_odd(found))
    if problems:
        raise RecipeError(problems)
    return found


def _odd(found: Range) -> Iterator[str]:
    if found.low >= found.high:
        yield f"low is {found.low}, and high {found.high}; expected low below high."
    if found.log and found.low <= 0:
        yield f"low is {found.low}; a logarithmic range lies above 0."
    if found.log and found.step is not None:
        yield "step: has no meaning on a logarithmic scale; leave it out, or list the values."
    if found.step is not None and not 0 < found.step <= found.high - found.low:
        yield f"step is {found.step}; expected more than 0 and at most high − low."


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
    """How many different settings there are; nothing where there is a continuum."""
    listed = [dimension.listed() for dimension in space.values()]
    return (
        None
        if any(values is None for values in listed)
        else math.prod(len(values or ()) for values in listed)
    )


def combinations(space: Space) -> Iterator[Settings]:
    """Every combination; the last setting changes first."""
    listed = [dimension.listed() or () for dimension in space.values()]
    for values in itertools.product(*listed):
        yield dict(zip(space, values, strict=True))


def draw_settings(space: Space, count: int, *, seed: int) -> list[Settings]:
    """So many settings at random, no two alike.

    Source: Bergstra & Bengio 2012 (random search)
    """
    generator = np.random.default_rng(seed)
    found: dict[str, Settings] = {}
    while len(found) < count:
        settings = {name: dimension.at(float(generator.random())) for name, dimension in space.items()}
        found.setdefault(repr(settings), settings)
    return list(found.values())

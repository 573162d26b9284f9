"""Columns that are distributed differently in two parts."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from jaxtyping import Float

from handrail.data.columns.schema import Column, Schema
from handrail.data.finding import Finding, report_columns
from handrail.data.part import Part
from handrail.data.rows import TargetWindows
from handrail.tools.words import number

_CHANCE = 0.001  # of one false alarm among all columns
_SMALLEST = 0.05  # a distance that is beyond chance but smaller than this is nobody's trouble
_FEWEST_ROWS = 20
_MOST_ROWS = 20_000


@dataclass(frozen=True)
class _Difference:
    column: str | None  # None is the target
    distance: float
    chance: float
    describe: Callable[[], str]  # as most differences are not shown


def check_drift(
    first: Part, other: Part, *, schema: Schema, target: bool = True, every: int = 1
) -> list[Finding]:
    """Columns, and the `target` unless it is sealed, that differ between two parts beyond chance.

    Numbers and dates by the Kolmogorov–Smirnov distance, categories, booleans, classes and the share of
    missing values by Pearson's χ². A column is named when its p-value is below 0.001 divided by the number of
    comparisons and the distance is at least 0.05 (the largest gap of two distribution functions; half the sum
    of the gaps of shares).

    Arguments:
        every: of several targets one in so many is compared: the steps of a forecast are alike.

    Source: Kolmogorov 1933; Smirnov 1939; Pearson 1900
    """
    if min(len(first), len(other)) < _FEWEST_ROWS:
        return []
    differences: list[_Difference] = []
    for column in schema.cells:
        differences += _compare(first.features[column.name], other.features[column.name], column)
    if target:
        differences += _compare_target(first, other, every)
    limit = _CHANCE / max(len(differences), 1)
    beyond = [item for item in differences if item.chance < limit and item.distance >= _SMALLEST]
    details: dict[str | None, str] = {}
    for item in sorted(beyond, key=lambda item: -item.distance):
        details[item.column] = "; ".join(filter(None, (details.get(item.column), item.describe())))
    return report_columns(
        "warning",
        "drift",
        details,
        seen=f"distributed differently in {first.name} and {other.name} rows, beyond chance.",
        why=f"Figures measured on {other.name} rows then speak of other rows than those that were learned "
        "from.",
        action="Nothing is changed. Look at how the rows were divided (data.split) and at whether new rows "
        "will be like these.",
    )


def _compare(first: pl.Series, other: pl.Series, column: Column) -> list[_Difference]:
    if column.kind in ("category", "boolean"):
        return [_compare_levels(first, other, column.name)]
    differences = []
    if first.null_count() or other.null_count():
        missing = _compare_levels(first.is_null(), other.is_null(), column.name)
        shares = f"missing in {first.is_null().mean():.1%} against {other.is_null().mean():.1%}"
        differences.append(replace(missing, describe=lambda: shares))
    known = first.drop_nulls(), other.drop_nulls()
    if min(len(known[0]), len(known[1])) >= _FEWEST_ROWS:
        differences.append(_compare_numbers(*known, column.name, is_moment=column.kind == "datetime"))
    return differences


def _compare_target(first: Part, other: Part, every: int) -> list[_Difference]:
    pairs = zip(*(_target_columns(part, every) for part in (first, other)), strict=True)
    has_values = isinstance(first.target, TargetWindows) or first.target.is_floating_point()
    compare = _compare_numbers if has_values else _compare_levels
    return [compare(pl.Series(ours), pl.Series(theirs), None) for ours, theirs in pairs]


def _target_columns(part: Part, every: int) -> np.ndarray:
    """Each so-many-th number of the targets, `[columns, rows]`."""
    if isinstance(part.target, TargetWindows):
        return part.target.columns(slice(None, None, every)).numpy().T
    return part.target.reshape(len(part), -1)[:, ::every].numpy().T


def _compare_numbers(
    first: pl.Series, other: pl.Series, name: str | None, *, is_moment: bool = False
) -> _Difference:
    distance, chance = kolmogorov_smirnov(_sample(first), _sample(other))

    def describe() -> str:
        middles = [float(np.median(values.to_numpy())) for values in (first, other)]
        ours, theirs = (
            str(np.datetime64(int(value), "s")).split("T")[0] if is_moment else number(float(f"{value:.4g}"))
            for value in middles
        )
        return f"distance {distance:.2f}, middle {ours} against {theirs}"

    return _Difference(name, distance, chance, describe)


def _compare_levels(first: pl.Series, other: pl.Series, name: str | None) -> _Difference:
    values = pl.concat([first, other])
    levels = values.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    size = int(levels.max()) + 1
    parts = levels[: len(first)], levels[len(first) :]
    counts = np.stack([np.bincount(part, minlength=size) for part in parts]).astype(np.float64)
    shares = counts / counts.sum(axis=1, keepdims=True)
    gaps = np.abs(shares[0] - shares[1])
    most = int(gaps.argmax())
    example = values[int((levels == most).argmax())]
    if example is None:
        word = "missing"
    else:
        word = f"'{number(example)}'" if isinstance(example, float) else f"'{example}'"
    detail = f"distance {gaps.sum() / 2:.2f}, {word} in {shares[0, most]:.1%} against {shares[1, most]:.1%}"
    return _Difference(name, float(gaps.sum() / 2), chi_square(counts), lambda: detail)


def _sample(values: pl.Series) -> Float[np.ndarray, " n"]:
    numbers = values.to_numpy()
    if len(numbers) <= _MOST_ROWS:
        return numbers
    return np.random.default_rng([0, 17]).choice(numbers, _MOST_ROWS, replace=False)


def kolmogorov_smirnov(first: Float[np.ndarray, " n"], other: Float[np.ndarray, " m"]) -> tuple[float, float]:
    """The largest gap D of two empirical distribution functions, and the asymptotic probability of a larger.

    D = max |F(x) − G(x)|, p = Q(D √(n m / (n + m))).

    Source: Smirnov 1939
    """
    from scipy.special import kolmogorov

    first, other = np.sort(first), np.sort(other)
    n, m, places = len(first), len(other), np.concatenate([first, other])
    below, below_other = (np.searchsorted(values, places, side="right") for values in (first, other))
    distance = float(np.abs(below / n - below_other / m).max())
    return distance, float(kolmogorov(distance * np.sqrt(n * m / (n + m))))


def chi_square(counts: Float[np.ndarray, "2 levels"]) -> float:
    """The probability of a larger χ² if both rows of counts came from the same shares.

    Levels that expect fewer than five rows on either side are taken together.

    Source: Pearson 1900
    """
    from scipy.special import chdtrc

    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    small = (expected < 5).any(axis=0)
    if small.sum() > 1:
        counts = np.concatenate([counts[:, ~small], counts[:, small].sum(axis=1, keepdims=True)], axis=1)
        expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    large = expected.min(axis=0) >= 1
    if large.sum() < 2:
        return 1.0
    statistic = ((counts - expected)[:, large] ** 2 / expected[:, large]).sum()
    return float(chdtrc(int(large.sum()) - 1, statistic))

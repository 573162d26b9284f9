"""Columns that are distributed differently in two parts."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float

from handrail.data.checks.finding import Finding
from handrail.data.checks.wording import columns_with, make
from handrail.data.columns.schema import Column, Schema
from handrail.data.part import Part

_CHANCE = 0.001  # of one false alarm among all columns
_SMALLEST = 0.05  # a distance that is beyond chance but smaller than this is nobody's trouble
_FEWEST_ROWS = 20
_MOST_ROWS = 20_000


@dataclass(frozen=True)
class _Difference:
    column: str
    distance: float
    chance: float
    detail: str


def check_drift(
    first: Part, other: Part, *, schema: Schema, target: bool = True, every: int = 1
) -> list[Finding]:
    """Columns, and the `target` unless it is sealed, that differ between two parts by more than chance
    allows.

    Of several targets each one counts, or `every` so many: the steps of a forecast are alike.

    Numbers and dates by the Kolmogorov–Smirnov distance, categories, booleans, classes and the share of
    missing values by Pearson's χ². A column is named when its p-value is below 0.001 divided by the number of
    comparisons and the distance is at least 0.05 (the largest gap of two distribution functions; half the sum
    of the gaps of shares).

    Source: Kolmogorov 1933; Smirnov 1939; Pearson 1900
    """
    if min(len(first), len(other)) < _FEWEST_ROWS:
        return []
    found = [
        difference
        for column in schema.cells
        for difference in _differences(first.features[column.name], other.features[column.name], column)
    ] + (_target_differences(first, other, every) if target else [])
    beyond = [item for item in found if item.chance < _CHANCE / len(found) and item.distance >= _SMALLEST]
    if not beyond:
        return []
    beyond.sort(key=lambda item: -item.distance)
    columns = list(dict.fromkeys(item.column for item in beyond))
    details = ["; ".join(item.detail for item in beyond if item.column == name) for name in columns]
    return [
        make(
            "warning",
            "drift",
            columns,
            seen=f"{columns_with(columns, details)}: distributed differently in {first.name} and "
            f"{other.name} rows, beyond chance.",
            why=f"Figures measured on {other.name} rows then speak of other rows than those that were "
            "learned from.",
            action="Nothing is changed. Look at how the rows were divided (data.split) and at whether new "
            "rows will be like these.",
        )
    ]


def _differences(first: pl.Series, other: pl.Series, column: Column) -> list[_Difference]:
    if column.kind in ("category", "boolean"):
        return [_of_levels(first, other, column.name)]
    found = []
    if first.null_count() or other.null_count():
        missing = _of_levels(first.is_null(), other.is_null(), column.name)
        shares = f"missing in {first.is_null().mean():.1%} against {other.is_null().mean():.1%}"
        found.append(_Difference(column.name, missing.distance, missing.chance, shares))
    known = first.drop_nulls(), other.drop_nulls()
    if min(len(known[0]), len(known[1])) >= _FEWEST_ROWS:
        found.append(_of_numbers(*known, column.name, is_moment=column.kind == "datetime"))
    return found


def _target_differences(first: Part, other: Part, every: int) -> list[_Difference]:
    pairs = zip(
        *(part.target.reshape(len(part), -1)[:, ::every].numpy().T for part in (first, other)), strict=True
    )
    compare = _of_levels if not first.target.is_floating_point() else _of_numbers
    return [compare(pl.Series(ours), pl.Series(theirs), "the target") for ours, theirs in pairs]


def _of_numbers(first: pl.Series, other: pl.Series, name: str, *, is_moment: bool = False) -> _Difference:
    distance, chance = kolmogorov_smirnov(_sample(first), _sample(other))
    middles = [_show(float(np.median(values.to_numpy())), is_moment) for values in (first, other)]
    return _Difference(
        name, distance, chance, f"distance {distance:.2f}, middle {middles[0]} against {middles[1]}"
    )


def _of_levels(first: pl.Series, other: pl.Series, name: str) -> _Difference:
    levels = pl.concat([first, other]).rank("dense").fill_null(0).to_numpy().astype(np.int64)
    size = int(levels.max()) + 1
    parts = levels[: len(first)], levels[len(first) :]
    counts = np.stack([np.bincount(part, minlength=size) for part in parts]).astype(np.float64)
    shares = counts / counts.sum(axis=1, keepdims=True)
    gaps = np.abs(shares[0] - shares[1])
    most = int(gaps.argmax())
    place = int((levels == most).argmax())
    example = (first if place < len(first) else other)[place if place < len(first) else place - len(first)]
    word = (
        "missing" if example is None else f"'{example:g}'" if isinstance(example, float) else f"'{example}'"
    )
    detail = f"distance {gaps.sum() / 2:.2f}, {word} in {shares[0, most]:.1%} against {shares[1, most]:.1%}"
    return _Difference(name, float(gaps.sum() / 2), chi_square(counts), detail)


def _sample(values: pl.Series) -> Float[np.ndarray, " n"]:
    numbers = values.to_numpy()
    return (
        numbers
        if len(numbers) <= _MOST_ROWS
        else np.random.default_rng([0, 17]).choice(numbers, _MOST_ROWS, replace=False)
    )


def _show(value: float, is_moment: bool) -> str:
    return str(np.datetime64(int(value), "s")).split("T")[0] if is_moment else f"{value:.4g}"


def kolmogorov_smirnov(first: Float[np.ndarray, " n"], other: Float[np.ndarray, " m"]) -> tuple[float, float]:
    """The largest gap between two empirical distribution functions, and the asymptotic probability of a
    larger one.

    D = max |F(x) − G(x)|, p = Q(D √(n m / (n + m))).

    Source: Smirnov 1939
    """
    from scipy.special import kolmogorov

    first, other = np.sort(first), np.sort(other)
    places = np.concatenate([first, other])
    gaps = np.searchsorted(first, places, side="right") / len(first) - np.searchsorted(
        other, places, side="right"
    ) / len(other)
    distance = float(np.abs(gaps).max())
    return distance, float(
        kolmogorov(distance * np.sqrt(len(first) * len(other) / (len(first) + len(other))))
    )


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
    kept = expected.min(axis=0) >= 1
    if kept.sum() < 2:
        return 1.0
    statistic = ((counts - expected)[:, kept] ** 2 / expected[:, kept]).sum()
    return float(chdtrc(int(kept.sum()) - 1, statistic))

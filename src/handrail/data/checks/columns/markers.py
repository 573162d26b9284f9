"""Numbers that stand for 'missing': 99999999, -999, and zeros where all other values are far from zero."""

from collections.abc import Iterator

import numpy as np
import polars as pl
from jaxtyping import Float

from handrail.data.checks.columns.numbers import Numbers
from handrail.data.checks.columns.wording import counted_columns
from handrail.data.columns.schema import Schema
from handrail.data.finding import Finding, as_pasted, report_columns, share
from handrail.data.part import Part
from handrail.tools.words import list_some, number, plural

_NINES = [float("9" * digits) for digits in range(2, 16)]
_ALIKE = [float(str(digit) * digits) for digit in (7, 8) for digits in range(3, 10)]
_LIMITS = [2.0**15 - 1, 2.0**16 - 1, 2.0**31 - 1, 2.0**32 - 1, 2.0**63]
_BROKEN = [99.9, 99.99, 999.9, 999.99, 9999.9, 9999.99, 99999.9, 99999.99]
_POWERS = [10.0**power for power in range(6, 39)]
_POSITIVE = np.array([*_NINES, *_ALIKE, *_BROKEN, *_POWERS, *_LIMITS])
_TELLING = np.sort(np.concatenate([_POSITIVE, -_POSITIVE, [-1.0, -9.0, -(2.0**15), -(2.0**31)]]))
_FEWEST_ROWS, _FEWEST_OTHERS = 20, 3
_OFTEN = 3  # rows with a marker; two are enough where it is ten times as far away as the others reach
_MOST_ZEROS, _FEWEST_VALUES = 0.35, 10
_NEAREST, _SPREAD = 0.2, 1.5  # of the median: the smallest other value; interquartile ranges below the median


def check_markers(train: Part, schema: Schema, numbers: Numbers) -> list[Finding]:
    """Markers among the numbers, and zeros that can hardly be measured."""
    if len(train) < _FEWEST_ROWS:
        return []
    markers: dict[str, dict[float, int]] = {}
    zeros: dict[str, str] = {}
    names = [column.name for column in schema.of_kind("numeric")]
    telling = np.isin(numbers.least, _TELLING) | np.isin(numbers.most, _TELLING)
    for name in numbers.which(telling, names):
        if _is_apart(numbers.values(name)):
            markers.update(_find_markers(name, numbers.values(name)))
    few = (numbers.zeros >= 2) & (numbers.zeros <= _MOST_ZEROS * numbers.known)
    # The median of the others is at least the first quartile of all.
    far = numbers.positive >= _NEAREST * numbers.quartiles[0] * numbers.most
    for name in numbers.which((numbers.least == 0) & few & far, names):
        zeros.update(_find_zeros(name, numbers.values(name)))
    return [*_report_markers(markers, train), *_report_zeros(zeros)]


def _is_apart(values: Float[np.ndarray, " rows"]) -> bool:
    """Whether the least or the largest value has a gap beside it; most columns are done with here."""
    low, high = np.nanmin(values), np.nanmax(values)
    inner = values[(values > low) & (values < high)]
    if not len(inner) or low < 0:
        return True
    return high - inner.max() > 0.1 * (inner.max() - inner.min())


def _find_markers(name: str, values: Float[np.ndarray, " rows"]) -> Iterator[tuple[str, dict[float, int]]]:
    """Telling numbers, repeated, that lie outside all others by more than the whole range of these."""
    levels, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    telling = np.isin(levels, _TELLING)
    others = levels[~telling]
    if len(others) < _FEWEST_OTHERS or counts[~telling].sum() < _FEWEST_ROWS:
        return
    low, high = float(others[0]), float(others[-1])
    usual = float(counts[~telling].mean())
    found = {
        float(level): int(rows)
        for level, rows in zip(levels[telling], counts[telling], strict=True)
        if _is_marker(float(level), int(rows), low, high, usual)
    }
    if found:
        yield name, found


def _is_marker(level: float, rows: int, low: float, high: float, usual: float) -> bool:
    gap, reach = max(low - level, level - high), high - low
    if level in (-1.0, -9.0):  # nothing else is negative, and all of it far from zero or much rarer
        return rows >= _OFTEN and (low >= 10 or (low >= 1 and rows >= 5 * usual and rows >= 10))
    return gap > reach and (rows >= _OFTEN or (rows >= 2 and gap > 10 * reach))


def _report_markers(markers: dict[str, dict[float, int]], train: Part) -> list[Finding]:
    details, words, own = {}, {}, []
    for name, found in markers.items():
        written = {level: _as_written(level, train.raw[name]) for level in found}
        rows = (f"{written[level]} in {plural(count, 'row')}" for level, count in found.items())
        details[name] = list_some(rows)
        words |= dict.fromkeys(written.values())
        own.append(as_pasted(f"data.missing.{name}=[{', '.join(written.values())}]"))
    listed = ", ".join(f"'{word}'" for word in words)
    everywhere = as_pasted(f"data.read.missing=[{listed}]")
    return report_columns(
        "warning",
        "marker",
        details,
        seen="far outside all other values, and repeated: by its look a marker for 'missing' or for 'more'.",
        why="Taken as a quantity, it sets the scale, and what is learned of all other values drowns.",
        action=f"Nothing is changed; {everywhere} takes it as missing in all columns, "
        f"{list_some(own, most=3)} in {'this one' if len(own) == 1 else 'these'}.",
    )


def _as_written(level: float, raw: pl.Series) -> str:
    """The marker as it stands in the source."""
    if raw.dtype == pl.String:
        spelled = raw.filter((raw.cast(pl.Float64, strict=False) == level).fill_null(False))
        if len(spelled):
            return str(spelled[0])
    return number(level)


def _find_zeros(name: str, values: Float[np.ndarray, " rows"]) -> Iterator[tuple[str, str]]:
    """Zeros below a gap: all others are far from zero, in their own size and in their own spread."""
    known = values[np.isfinite(values)]
    others = known[known != 0]
    if len(others) < _FEWEST_ROWS or len(np.unique(others)) < _FEWEST_VALUES:
        return
    low, middle, high = np.quantile(others, [0.25, 0.5, 0.75])
    least = float(others.min())
    if least >= _NEAREST * middle and middle >= _SPREAD * (high - low):
        zeros = len(known) - len(others)
        yield name, f"{share(zeros, len(known))}; all others are {number(least)} or more"


def _report_zeros(zeros: dict[str, str]) -> list[Finding]:
    return report_columns(
        "warning",
        "hidden-zero",
        zeros,
        seen="zeros where all other values are far from zero.",
        why="A zero that nobody can have measured often stands for 'missing', and is learned as a quantity.",
        action="Nothing is changed; "
        + counted_columns(zeros, "data.missing.{name}=[0] takes it as missing there."),
    )

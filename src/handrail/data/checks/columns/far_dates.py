"""Dates that stand for none: far outside all others, or first days of calendars that stand in many rows."""

import datetime as dt
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from handrail.data.columns.schema import Column
from handrail.data.columns.values import as_labels
from handrail.data.finding import Finding, as_pasted
from handrail.data.part import Part
from handrail.tools.words import list_some, plural

_FEWEST_ROWS = 30
_REPEATED = 3  # rows of a date that stands for none
_OFTEN = 10  # times the rows of other dates, for a day by which programs write 'no date'
_SHARE = 0.05
_YEAR = 365.2425 * 86400
_EPOCH, _DAY = dt.date(1970, 1, 1), 86400
_TELLING = [
    (dt.date(year, month, day) - _EPOCH).days * _DAY
    for year, month, day in (
        *((year, 1, 1) for year in (1, 1753, 1800, 1899, 1900, 1901, 1904, 1970, 1980, 2000)),
        *((year, 12, day) for year in (1899, 1969) for day in (30, 31)),
        *((year, 1, 1) for year in (2099, 2100, 2199, 2200, 2999, 3000, 9999)),
        *((year, 12, 31) for year in (2049, 2050, 2078, 2099, 2199, 2200, 2299, 2999, 3000, 4000, 9999)),
    )
]


def find_far(train: Part, column: Column) -> Finding | None:
    """What stands for 'no date' in a column: telling days in many rows, and repeated dates far outside."""
    values = train.features[column.name].to_numpy()
    known = values[np.isfinite(values)]
    found: dict[float, int] = {}
    far: set[float] = set()
    while len(known) >= _FEWEST_ROWS:
        moment = _farthest(known)
        far |= {moment} if moment is not None else set()
        moment = _telling(known) if moment is None else moment
        if moment is None:
            break
        found[moment] = int((known == moment).sum())
        known = known[known != moment]
    return _report(train, column, found, far) if found else None


def _farthest(known: Float[np.ndarray, " known"]) -> float | None:
    """A date, repeated, that lies outside all others by more than twice their range, such as 9999-12-31."""
    for end in (known.max(), known.min()):
        others = known[known != end]
        if len(others) < _FEWEST_ROWS or len(known) - len(others) < _REPEATED:
            continue
        if np.abs(end - others).min() > max(2 * np.ptp(others), 10 * _YEAR):
            return float(end)
    return None


def _telling(known: Float[np.ndarray, " known"]) -> float | None:
    """A day by which programs write 'no date', in far more rows than other dates."""
    moments, rows = np.unique(known, return_counts=True)
    telling = np.isin(moments, _TELLING)
    if telling.all():
        return None
    often = max(_REPEATED, _OFTEN * float(rows[~telling].mean()), _SHARE * len(known))
    found = moments[telling & (rows >= often)]
    return float(found[0]) if len(found) else None


def _report(train: Part, column: Column, found: Mapping[float, int], far: set[float]) -> Finding:
    raw, read = train.raw[column.name], train.features[column.name]
    written = {moment: str(as_labels(raw.filter((read == moment).fill_null(False)))[0]) for moment in found}
    where = {True: "far outside all other dates", False: "far more often than other dates"}
    rows = (f"'{written[moment]}' in {plural(number, 'row')}" for moment, number in found.items())
    listed = ", ".join(f"'{word}'" for word in written.values())
    return Finding(
        level="warning",
        name="marker",
        column=column.name,
        seen=f"Column '{column.name}': {list_some(rows)}, {where[found.keys() <= far]}: by "
        f"{'its' if len(found) == 1 else 'their'} look a marker for 'no date'.",
        why="Taken as a day, it sets the scale of time.",
        action=f"Nothing is changed; {as_pasted(f'data.missing.{column.name}=[{listed}]')} takes "
        f"{'it' if len(found) == 1 else 'them'} as missing.",
    )

"""Months with a point, 04.2019 and 2019.04, which are decimal numbers by their look."""

import numpy as np
import polars as pl
from jaxtyping import Float

POINT_MONTHS = {"%m.%Y": 4, "%Y.%m": 2}  # digits behind the point
_YEAR, _MONTH = r"(?P<y>(?:1[89]|2[01])\d\d)", r"(?P<m>0?[1-9]|1[0-2])"
POINT_FORMS = {"%m.%Y": rf"{_MONTH}\.{_YEAR}", "%Y.%m": rf"{_YEAR}\.{_MONTH}"}
_PATTERNS = {form: f"^{pattern}$" for form, pattern in POINT_FORMS.items()}
LIKE_POINT_MONTH = "|".join(_PATTERNS.values()).replace("?P<y>", "").replace("?P<m>", "")
_TELLING = r"(?i)date|datum|fecha|month|monat|mois|mes$|mese|period|quarter|(^|[_\s.-])(time|ym)($|[_\s.-])"
_FEWEST = 8


def find_point_months(values: pl.Series) -> str | None:
    """The form of texts that are all months with a point; None where they may as well be numbers.

    Chance makes years of a few decimals, but not of all; a rate near 1.19 has them all, and one month.

    Arguments:
        values: texts without nulls, under their column's name.
    """
    if len(values) < _FEWEST or not bool(values.head(_FEWEST).str.contains(LIKE_POINT_MONTH).all()):
        return None
    for form, pattern in _PATTERNS.items():
        if bool(values.str.contains(pattern).all()) and _is_sure(values, form, pattern):
            return form
    return None


def _is_sure(values: pl.Series, form: str, pattern: str) -> bool:
    months = values.str.extract_groups(pattern).struct.field("m")
    padded = bool(months.str.starts_with("0").any())
    named = bool(pl.Series([values.name]).str.contains(_TELLING)[0])
    different = months.cast(pl.Int64).n_unique()
    if form == "%m.%Y":
        return padded or different >= 2 or named
    # 2019.1 is January, or October without its zero: only 2019.10 beside it tells.
    single = bool((months.str.len_chars() == 1).any())
    return (not single or (not padded and bool((months == "10").any()))) and (different >= 3 or named)


def spell_months(numbers: pl.Series, form: str | None = None) -> pl.Series | None:
    """Numbers as the months that they were before their last zeros were lost: 10.202 as 10.2020.

    Arguments:
        numbers: of any numeric type.
        form: of the months; by default that which all numbers fit.
    """
    if form is None and not _may_be_months(numbers.head(_FEWEST).to_numpy().astype(np.float64)):
        return None
    for each in [form] if form else POINT_MONTHS:
        digits = POINT_MONTHS[each]
        moved = numbers.cast(pl.Float64) * 10.0**digits
        whole = pl.select(pl.when((moved - moved.round()).abs() < 1e-4).then(moved.round())).to_series()
        shown = whole.cast(pl.Int64, strict=False).cast(pl.String).str.zfill(digits + 1)
        texts = shown.str.slice(0, shown.str.len_chars() - digits) + "." + shown.str.tail(digits)
        if form or _are_all_months(texts, numbers, each):
            return texts.alias(numbers.name)
    return None


def _may_be_months(first: Float[np.ndarray, " numbers"]) -> bool:
    """Whether a column's first numbers could be months by their size, as most columns' are not."""
    if not np.isfinite(first).all():
        return False
    whole, rest = np.floor(first), first - np.floor(first)
    by_month = (whole >= 1) & (whole <= 12) & (rest > 0.17) & (rest < 0.23)  # 4.2019
    by_year = (whole >= 1800) & (whole < 2200) & (rest > 0) & (rest < 0.13)  # 2019.04
    return bool(by_month.all() or by_year.all())


def _are_all_months(texts: pl.Series, numbers: pl.Series, form: str) -> bool:
    known = texts.alias(numbers.name).drop_nulls()
    return len(known) == len(numbers) - numbers.null_count() and find_point_months(known) == form

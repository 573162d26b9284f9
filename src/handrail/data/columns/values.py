"""One column in one form: numbers, labels, yes or no, seconds. No value is read by the rows beside it."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool

from handrail.data.columns.dates import ISO_FORMATS, best_date_format, find_dates, moments
from handrail.data.columns.point_months import LIKE_POINT_MONTH, POINT_MONTHS, spell_months

BOOLEANS = {"false": 0.0, "true": 1.0}  # as programs write truth values
YES_NO = ((("true", "t"), ("false", "f")), (("yes", "y"), ("no", "n")))  # words that belong together
TRUE = tuple(word for yes, _ in YES_NO for word in yes)
FALSE = tuple(word for _, no in YES_NO for word in no)
MISSING_WORDS = ("?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "-", ".")
MISSING_SIGNS = ("?", ".")  # nothing is called so, not even in a typed source
_YEARS = ("%Y", "%y", "%G")
_DAY, _CALENDAR = 86400, (-62_135_596_800, 253_402_214_400)  # seconds; years 1 to 9999
_WHOLE = r"^(?:0|-?[1-9]\d*)$"


def as_numbers(series: pl.Series) -> pl.Series:
    """Any column as `Float64`, null where a value is no number; booleans become 0 and 1."""
    if series.dtype == pl.Boolean or series.dtype.is_numeric():
        return series.cast(pl.Float64).fill_nan(None)
    return series.cast(pl.String).cast(pl.Float64, strict=False).fill_nan(None)


def as_labels(series: pl.Series, *, numbers: bool | None = None) -> pl.Series:
    """Any column as text in one spelling, so that 3, 3.0 and '3' are the same label in every kind of source.

    Arguments:
        series: any column.
        numbers: whether texts that are numbers are respelled; by default where all of them are, and none is a
            code with leading zeros. Other texts stay as they are: '3.10' and '3.1' may be two versions.
    """
    if series.dtype in (pl.Boolean, pl.Categorical, pl.Enum) or series.dtype.is_integer():
        return series.cast(pl.String)
    if series.dtype.is_temporal():
        return _format_times(series)
    if series.dtype == pl.String:
        if not (are_numbers(series.drop_nulls()) if numbers is None else numbers):
            return series
        spelled = _format_numbers(as_numbers(series))
        keep = series.str.contains(_WHOLE) | series.str.contains(r"^0\d") | spelled.is_null()
        return pl.select(pl.when(keep).then(series).otherwise(spelled)).to_series().alias(series.name)
    return _format_numbers(as_numbers(series))


def _format_numbers(numbers: pl.Series) -> pl.Series:
    """7.0 as '7', 0.5 as '0.5'."""
    whole = (numbers == numbers.floor()) & (numbers.abs() < 2.0**63)
    digits = numbers.cast(pl.Int64, strict=False).cast(pl.String)
    spelled = pl.select(pl.when(whole).then(digits).otherwise(numbers.cast(pl.String)))
    return spelled.to_series().alias(numbers.name)


def empty_where(series: pl.Series, rows: Bool[np.ndarray, " rows"]) -> pl.Series:
    """The column without its values in these rows."""
    return pl.select(pl.when(pl.Series(~rows)).then(series)).to_series().alias(series.name)


def _format_times(series: pl.Series) -> pl.Series:
    """As ISO 8601 with a space, without a time of day at midnight."""
    if series.dtype in (pl.Time, pl.Duration):
        return series.cast(pl.String)
    return series.cast(pl.Datetime("us")).dt.strftime("%Y-%m-%d %H:%M:%S%.f").str.strip_suffix(" 00:00:00")


def as_booleans(series: pl.Series) -> pl.Series:
    """Yes and no in any of the usual words as 1 and 0; null where a value is neither."""
    numbers = as_numbers(series)
    if series.dtype == pl.String:
        words = {**dict.fromkeys(TRUE, 1.0), **dict.fromkeys(FALSE, 0.0)}
        answers = series.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Float64)
        numbers = answers.fill_null(numbers)
    return pl.select(pl.when(numbers.is_in([0.0, 1.0])).then(numbers)).to_series().alias(series.name)


def as_seconds(
    series: pl.Series, date_format: str | None, more: Sequence[str] = (), *, order: str = "auto"
) -> pl.Series:
    """Dates as seconds since 1970-01-01 UTC, as which numbers count unless the format is one of digits.

    Arguments:
        series: any column.
        date_format: of texts; by default those that read the most of them. Dates by ISO 8601, as they are
            written, cannot be mistaken: they are read too, but where the format has no year.
        more: formats of what the first does not read.
        order: of day, month and year where no format is given and the values leave it open.
    """
    if series.dtype in (pl.Date, pl.Datetime):
        return series.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6
    if series.dtype.is_numeric() and date_format is None:
        return as_numbers(series)
    if series.dtype != pl.String and not series.dtype.is_numeric():
        return pl.Series(series.name, [None] * len(series), dtype=pl.Float64)
    texts = as_date_texts(series, date_format)
    formats = (date_format, *more) if date_format else _formats_of(texts.drop_nulls(), order)
    if not formats:
        return as_numbers(series)
    iso = ISO_FORMATS if any(year in formats[0] for year in _YEARS) else ()
    seconds = moments(texts, formats[0])
    for other in dict.fromkeys((*formats[1:], *iso)):
        if seconds.null_count() == texts.null_count():
            break
        seconds = seconds.fill_null(moments(texts, other))
    return seconds


def as_dates(seconds: np.ndarray, *, daytime: bool) -> pl.Series:
    """Seconds since 1970-01-01 UTC as the nearest second, or day, of the years 1 to 9999."""
    unit = 1 if daytime else _DAY
    whole = np.round(np.clip(seconds, *_CALENDAR) / unit).astype(np.int64)
    return pl.from_epoch(pl.Series(whole), time_unit="s" if daytime else "d")


def as_date_texts(series: pl.Series, date_format: str | None = None) -> pl.Series:
    """Numbers and texts as dates of digits are written: 20200131.0 as '20200131', and 10.2020 with its zero.

    Arguments:
        date_format: of the dates; by default, numbers that are all months with a point are spelled as such.
    """
    texts = as_labels(series, numbers=True)
    if series.dtype == pl.String:
        months = series.str.contains(LIKE_POINT_MONTH)
        return pl.select(pl.when(months).then(series).otherwise(texts)).to_series().alias(series.name)
    if series.dtype.is_numeric() and (date_format is None or date_format in POINT_MONTHS):
        months = spell_months(series, date_format)
        return texts if months is None else months
    return texts


def _formats_of(texts: pl.Series, order: str) -> tuple[str, ...]:
    style = find_dates(texts, order)
    if style is not None:
        return style.formats
    best = best_date_format(texts, order)
    return () if best is None else (best,)


def has_leading_zeros(values: pl.Series) -> bool:
    """Whether digits are a code (a postal code, say) rather than a number."""
    return bool(values.str.contains(r"^0\d+$").any())


def are_numbers(values: pl.Series) -> bool:
    """Whether all texts are numbers rather than codes or words."""
    return not as_numbers(values).null_count() and not has_leading_zeros(values)

"""One column in one form: numbers, labels, yes or no, seconds. No value is read by the rows beside it."""

import numpy as np
import polars as pl
from jaxtyping import Bool

BOOLEANS = {"false": 0.0, "true": 1.0}  # as programs write truth values
YES_NO = ((("true", "t"), ("false", "f")), (("yes", "y"), ("no", "n")))  # words that belong together
TRUE = tuple(word for yes, _ in YES_NO for word in yes)
FALSE = tuple(word for _, no in YES_NO for word in no)
MISSING_WORDS = ("?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "-", ".")
_WHOLE = r"^(?:0|-?[1-9]\d*)$"
# What a date of each style looks like: chrono alone would take '1.2.3' for the year 3. Where day and month
# could be either, month first comes first.
_DATE_STYLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"^\d{4}[-/]\d{1,2}(?:[-/]|$)", (
        "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z",
        "%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m",
    )),
    (r"^\d{1,2}[-/. ](?:[[:alpha:]]+|\d{1,2})[-/. ]\d{4}(?:\D|$)", (
        "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%Y %H:%M",
        "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%d/%m/%Y %I:%M %p",
        "%m/%d/%Y %I:%M:%S %p", "%d/%m/%Y %I:%M:%S %p", "%m-%d-%Y", "%d-%m-%Y", "%d %b %Y", "%d %B %Y",
        "%d-%b-%Y",
    )),
    (r"^(?:\d{1,2}/\d{1,2}/\d\d|\d\d\.\d\d\.\d\d|\d{1,2}-[[:alpha:]]{3}-\d\d)$", (
        "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%b-%y",
    )),
    (r"^(?:1[6-9]|20|21)\d{6}$", ("%Y%m%d",)),
)  # fmt: skip
_LOOKS = {date_format: look for look, formats in _DATE_STYLES for date_format in formats}
_ISO_FORMATS = tuple(date_format for date_format in _LOOKS if date_format.startswith("%Y-"))


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


def as_seconds(series: pl.Series, date_format: str | None) -> pl.Series:
    """Dates as seconds since 1970-01-01 UTC, as which numbers count unless the format is one of digits.

    Arguments:
        series: any column.
        date_format: of texts; by default the one that reads the most of them. Dates by ISO 8601 cannot be
            mistaken: they are read too where the format begins with the year or is not known.
    """
    if series.dtype in (pl.Date, pl.Datetime):
        return series.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6
    if series.dtype.is_numeric() and date_format is None:
        return as_numbers(series)
    if series.dtype != pl.String and not series.dtype.is_numeric():
        return pl.Series(series.name, [None] * len(series), dtype=pl.Float64)
    texts = as_labels(series, numbers=True)
    usual = date_format or date_format_of(texts.drop_nulls()) or best_date_format(texts.drop_nulls())
    if usual is None:
        return as_numbers(series)
    seconds = moments(texts, usual)
    for other in _ISO_FORMATS if usual.startswith("%Y") or date_format is None else ():
        if seconds.null_count() == texts.null_count():
            break
        seconds = seconds.fill_null(moments(texts, other))
    return seconds


def has_leading_zeros(values: pl.Series) -> bool:
    """Whether digits are a code (a postal code, say) rather than a number."""
    return bool(values.str.contains(r"^0\d+$").any())


def are_numbers(values: pl.Series) -> bool:
    """Whether all texts are numbers rather than codes or words."""
    return not as_numbers(values).null_count() and not has_leading_zeros(values)


def date_format_of(values: pl.Series) -> str | None:
    """The first format that reads every value."""
    sample = values.head(200)
    for look, formats in _DATE_STYLES:
        if bool(sample.str.contains(look).all()):
            for date_format in formats:
                if not any(moments(texts, date_format).null_count() for texts in (sample, values)):
                    return date_format
    return None


def best_date_format(values: pl.Series) -> str | None:
    """The format that reads every value, else the one that reads the most."""
    if not len(values):
        return None
    unread = {date_format: moments(values, date_format).null_count() for date_format in _LOOKS}
    best = min(unread, key=lambda date_format: unread[date_format])
    return best if unread[best] < len(values) else None


def moments(texts: pl.Series, date_format: str) -> pl.Series:
    """Texts of one format as seconds since 1970-01-01 UTC; null where they are not of it."""
    fitting = pl.select(pl.when(texts.str.contains(_LOOKS[date_format])).then(texts)).to_series()
    moments = fitting.str.to_datetime(date_format, time_unit="us", strict=False)
    return (moments.dt.epoch("us").cast(pl.Float64) / 1e6).alias(texts.name)

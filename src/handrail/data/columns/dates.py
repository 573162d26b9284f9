"""Dates as people write them, told apart by how they look."""

import polars as pl

# What a date of each style looks like: chrono alone would take '1.2.3' for the year 3. Where day and month
# could be either, month first comes first.
_DATE_STYLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"^\d{4}[-/]\d{1,2}(?:[-/]|$)", (
        "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z",
        "%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m",
    )),
    (r"^\d{1,2}[-/. ](?:[[:alpha:]]+|\d{1,2})[-/. ]\d{4}(?:\D|$)", (
        "%d.%m.%Y", "%d.%m.%Y "
        "%H:%M", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M",
        "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%d/%m/%Y %I:%M %p",
        "%m/%d/%Y %I:%M:%S "
        "%p", "%d/%m/%Y %I:%M:%S %p", "%m-%d-%Y", "%d-%m-%Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y",
    )),
    (r"^(?:\d{1,2}/\d{1,2}/\d\d|\d\d\.\d\d\.\d\d|\d{1,2}-[[:alpha:]]{3}-\d\d)$", (
        "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%b-%y",
    )),
    (r"^(?:1[6-9]|20|21)\d{6}$", ("%Y%m%d",)),
)  # fmt: skip
_LOOKS = {date_format: look for look, formats in _DATE_STYLES for date_format in formats}
ISO_FORMATS = tuple(date_format for date_format in _LOOKS if date_format.startswith("%Y-"))


def date_format_of(values: pl.Series) -> str | None:
    """The first format that reads every value."""
    sample = values.head(200)
    for look, formats in _DATE_STYLES:
        if bool(sample.str.contains(look).all()):
            for date_format in formats:
                if (
                    not moments(sample, date_format).null_count()
                    and not moments(values, date_format).null_count()
                ):
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

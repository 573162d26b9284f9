"""Dates as people write them: names of months, quarters, weeks, parts in any order, with any time of day.

A form has the name of a format (`%b %d, %Y`) and a pattern that takes a text apart. Two extensions: `%q` is a
quarter, and ` %X` at the end any time of day (24 hours or AM and PM, fractions, an offset). A form is lenient
about the signs between the parts, and `%b` is a month's name in English, German, French or Spanish, long or
short. A month stands for its first day, as quarters and weeks (ISO 8601, from Monday) do. Years of two digits
are 1970 to 2069. `%H:%M` is a time of day alone, with or without seconds, AM and PM: seconds since midnight.
"""

import polars as pl

from handrail.data.columns.point_months import POINT_FORMS

ANY_TIME = " %X"
CLOCK = "%H:%M"
_PIVOT = 69
_NAMES = (
    "jan january januar jänner janvier janv enero ene",
    "feb february februar février fevrier févr fevr fév febrero",
    "mar march märz maerz mär mrz mars marzo",
    "apr april avril avr abril abr",
    "may mai mayo",
    "jun june juni juin junio",
    "jul july juli juillet juil julio",
    "aug august août aout agosto ago",
    "sep sept september septembre septiembre setiembre",
    "oct october oktober okt octobre octubre",
    "nov november novembre noviembre",
    "dec december dezember dez décembre decembre déc diciembre dic",
)
MONTHS = {word: number for number, line in enumerate(_NAMES, start=1) for word in line.split()}
_DAYS = (
    "mon(?:day)? tue(?:s(?:day)?)? wed(?:nesday)? thu(?:r(?:s(?:day)?)?)? fri(?:day)? sat(?:urday)? "
    "sun(?:day)? montag dienstag mittwoch donnerstag freitag samstag sonntag lundi mardi mercredi jeudi "
    "vendredi samedi dimanche lunes martes miércoles jueves viernes sábado domingo"
)
_WEEKDAY = rf"^(?:{'|'.join(_DAYS.split())})\.?,?\s+"
_TIME = (
    r"^(.*?)(?:(?:t|,?\s+)(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([ap])?(?:\.?m\.?)?"
    r"\s*(z|utc|gmt|[+-]\d{2}:?(?:\d{2})?)?)?$"
)
_COMPACT = r"t(\d{2})(\d{2})(\d{2})", "t$1:$2:$3"
_YEAR, _SHORT, _DAY = r"(?P<y>\d{4})", r"'?(?P<y>\d{2})", r"(?P<d>\d{1,2})(?:st|nd|rd|th)?"
_MONTH, _NAME, _SIGN = r"(?P<m>\d{1,2})", r"(?P<b>\p{L}{3,10})\.?", r"[-/., ]"
_OF = rf"(?:{_SIGN}+|\s+(?:de|of)\s+)"
_FORMS = {
    "%d %b %Y": rf"{_DAY}\.?{_OF}?{_NAME}{_OF}{_YEAR}",
    "%d %b %y": rf"{_DAY}\.?{_SIGN}?{_NAME}{_SIGN}+{_SHORT}",
    "%b %d, %Y": rf"{_NAME}{_SIGN}*{_DAY}{_SIGN}+{_YEAR}",
    "%b %d, %y": rf"{_NAME}{_SIGN}+{_DAY},\s*{_SHORT}",
    "%Y %b %d": rf"{_YEAR}{_SIGN}*{_NAME}{_SIGN}*{_DAY}",
    "%b %Y": rf"{_NAME}(?:{_OF})?{_YEAR}",
    "%b %y": rf"{_NAME}(?:-|\s?')(?P<y>\d{{2}})",  # not 'May 12', which may be a day
    "%Y %b": rf"{_YEAR}{_SIGN}*{_NAME}",
    "%Y-%m": rf"{_YEAR}-{_MONTH}",
    "%Y/%m": rf"{_YEAR}/{_MONTH}",
    "%m/%Y": rf"{_MONTH}/{_YEAR}",
    "%m-%Y": rf"{_MONTH}-{_YEAR}",
    "%Y%m": r"(?P<y>(?:19|20)\d\d)(?P<m>\d\d)",
    "%Y-Q%q": rf"{_YEAR}[-/ ]?q(?P<q>[1-4])",
    "Q%q %Y": rf"q(?P<q>[1-4])[-/ ]*{_YEAR}",
    "%qQ%Y": rf"(?P<q>[1-4])\.?\s*q[-/ ]*{_YEAR}",
    "%G-W%V": rf"{_YEAR}-?w(?P<w>\d\d)",
    "%G-W%V-%u": rf"{_YEAR}-?w(?P<w>\d\d)-?(?P<u>[1-7])",
    "%Y-%m-%d": rf"{_YEAR}-{_MONTH}-(?P<d>\d{{1,2}})",
    "%Y/%m/%d": rf"{_YEAR}/{_MONTH}/(?P<d>\d{{1,2}})",
    "%Y.%m.%d": rf"{_YEAR}\.{_MONTH}\.(?P<d>\d{{1,2}})\.?",
    "%Y%m%d": r"(?P<y>(?:1[6-9]|20|21)\d\d)(?P<m>\d\d)(?P<d>\d\d)",
    "%d.%m.%Y": rf"(?P<d>\d{{1,2}})\.\s?{_MONTH}\.\s?{_YEAR}",
    "%d/%m/%Y": rf"(?P<d>\d{{1,2}})/{_MONTH}/{_YEAR}",
    "%m/%d/%Y": rf"{_MONTH}/(?P<d>\d{{1,2}})/{_YEAR}",
    "%d-%m-%Y": rf"(?P<d>\d{{1,2}})-{_MONTH}-{_YEAR}",
    "%m-%d-%Y": rf"{_MONTH}-(?P<d>\d{{1,2}})-{_YEAR}",
    "%d.%m.%y": rf"(?P<d>\d{{1,2}})\.{_MONTH}\.{_SHORT}",
    "%m/%d/%y": rf"{_MONTH}/(?P<d>\d{{1,2}})/{_SHORT}",
    "%d/%m/%y": rf"(?P<d>\d{{1,2}})/{_MONTH}/{_SHORT}",
    "%y/%m/%d": rf"{_SHORT}/{_MONTH}/(?P<d>\d{{1,2}})",
    "%m-%d-%y": rf"{_MONTH}-(?P<d>\d{{1,2}})-{_SHORT}",
    "%d-%m-%y": rf"(?P<d>\d{{1,2}})-{_MONTH}-{_SHORT}",
    "%y-%m-%d": rf"{_SHORT}-{_MONTH}-(?P<d>\d{{1,2}})",
    **POINT_FORMS,
    CLOCK: r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:\.\d{1,9})?))?"
    r"\s*(?:(?P<half>[ap])\.?m\.?)?",
}
FORMS = {name: f"^(?:{pattern})$" for name, pattern in _FORMS.items()}
# One test that a text may be any of them: so most columns of words are known at once not to be dates.
_WORDS = "|".join(sorted({word[:3] for word in MONTHS}))
LOOKS_DATED = (
    rf"(?i)\d.{{0,4}}\b(?:{_WORDS})\p{{L}}{{0,7}}\b|\b(?:{_WORDS})\p{{L}}{{0,7}}\b.{{0,4}}\d"
    r"|^\d{1,4}[-/.]\s?\w{1,2}(?:[-/.]\s?\w{1,4})?(?:\W|T|$)|^\d{1,2}[-/.]\d{4}$"
    r"|^\d{4}[-/ ]?[qw]\d|^q[1-4]\b|^[1-4]\.?\s?q|^\d{8}t|^\d{1,2}:\d{2}"
)


def split_time(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Dates in lower case, without the day of the week; and the seconds of the day, null without a time.

    A time that does not exist (25:00) takes its date away; 24:00 is the end of the day.
    """
    plain = texts.str.strip_chars().str.to_lowercase().str.replace(_WEEKDAY, "")
    frame = plain.str.replace(*_COMPACT).str.extract_groups(_TIME).struct.unnest()
    date, hour, minute, second, fraction, half, zone = (frame[name] for name in frame.columns)
    moment, wrong = _seconds_of_day(hour, minute, second.fill_null("0") + "." + fraction.fill_null("0"), half)
    total = moment - _offset(zone)
    dates = pl.select(pl.when(wrong.fill_null(False)).then(None).otherwise(date)).to_series()
    return dates.alias(texts.name), total.alias(texts.name)


def _seconds_of_day(
    hour: pl.Series, minute: pl.Series, second: pl.Series, half: pl.Series
) -> tuple[pl.Series, pl.Series]:
    """Seconds since midnight, and whether there is no such time.

    Arguments:
        half: `a` or `p`; null on a clock of 24 hours.
    """
    hours, minutes, seconds = (part.cast(pl.Float64) for part in (hour, minute, second))
    of_twelve = half.is_not_null()
    clock = pl.select(pl.when(of_twelve).then(hours % 12 + 12.0 * (half == "p")).otherwise(hours)).to_series()
    moment = clock * 3600 + minutes * 60 + seconds
    wrong = (minutes > 59) | (seconds >= 61) | (moment > 86400) | (of_twelve & ((hours > 12) | (hours < 1)))
    return moment, wrong


def _offset(zone: pl.Series) -> pl.Series:
    """`+02:00` in seconds; 0 for UTC and for none."""
    groups = zone.str.extract_groups(r"^([+-])(\d{2}):?(\d{2})?$").struct.unnest()
    sign, hours, minutes = (groups[name] for name in groups.columns)
    size = hours.cast(pl.Float64) * 3600 + minutes.cast(pl.Float64).fill_null(0.0) * 60
    return (size * pl.select(pl.when(sign == "-").then(-1.0).otherwise(1.0)).to_series()).fill_null(0.0)


def days_of(dates: pl.Series, name: str) -> pl.Series:
    """Seconds since 1970-01-01 at the beginning of the day, of dates as `split_time` gives them.

    Arguments:
        name: of the form; null where a text is not of it, or names a day that does not exist.
    """
    frame = dates.str.extract_groups(FORMS[name]).struct.unnest()
    parts = {key: frame[key] for key in frame.columns}
    if name == CLOCK:
        seconds = parts["second"].fill_null("0")
        moment, wrong = _seconds_of_day(parts["hour"], parts["minute"], seconds, parts["half"])
        return pl.select(pl.when(~wrong).then(moment)).to_series().alias(dates.name)
    year = parts["y"].cast(pl.Int32)
    if "%y" in name:
        year = year + pl.select(pl.when(year < _PIVOT).then(2000).otherwise(1900)).to_series()
    if "w" in parts:
        weekday = parts["u"] if "u" in parts else pl.Series(["1"])
        texts, chrono = year.cast(pl.String) + "-W" + parts["w"] + "-" + weekday, "%G-W%V-%u"
    else:
        texts, chrono = year.cast(pl.String).str.zfill(4) + _month(parts) + _day(parts), "%Y-%m-%d"
    days = texts.str.to_date(chrono, strict=False)
    return (days.cast(pl.Int32).cast(pl.Float64) * 86400).alias(dates.name)


def _month(parts: dict[str, pl.Series]) -> pl.Series:
    if "b" in parts:
        number = parts["b"].replace_strict(MONTHS, default=None, return_dtype=pl.Int64)
    elif "q" in parts:
        number = parts["q"].cast(pl.Int64) * 3 - 2
    else:
        number = parts["m"].cast(pl.Int64)
    return "-" + number.cast(pl.String).str.zfill(2)


def _day(parts: dict[str, pl.Series]) -> pl.Series:
    return "-" + parts["d"].str.zfill(2) if "d" in parts else pl.Series(["-01"])


def read_form(texts: pl.Series, name: str) -> pl.Series:
    """Texts of one form as seconds since 1970-01-01 UTC; null where they are not of it."""
    dates, times = split_time(texts)
    timed, base = name.endswith(ANY_TIME), name.removesuffix(ANY_TIME)
    fitting = dates if timed else pl.select(pl.when(times.is_null()).then(dates)).to_series()
    return (days_of(fitting, base) + times.fill_null(0.0)).alias(texts.name)

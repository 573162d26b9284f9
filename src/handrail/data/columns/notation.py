"""How people write numbers: signs between thousands, decimal commas, percent, currencies, brackets for minus.

A column has one notation, found when its file is read (`handrail.data.sources.numbers`) and kept with the
schema, so that new rows are read alike. What does not fit the notation stays as it is written.
"""

import re

import polars as pl

from handrail.recipe.reading import Notation

_CODES = (
    "AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR ISK JPY KRW KZT MAD MXN "
    "MYR NGN NOK NZD PEN PHP PKR PLN RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD UYU VND ZAR"
)
_SYMBOLS = "$€£¥₹₩₽₺₪₫฿₴₦₱₡₲₵₸₼₾¢"
_UNIT = rf"(?:[A-Z]{{0,3}}[{_SYMBOLS}]|{'|'.join(_CODES.split())}|kr\.?|zł|Kč|Ft|Fr\.|руб\.?|%|‰)"
_SPACES, _MINUS, _APOSTROPHES = "\u00a0\u202f\u2009", "\u2212\u2013", "\u2019\u02bc"
# The parts of a written number.
VALUE = (
    r"^(?P<open>\()? ?(?P<before>[+-])? ?"
    rf"(?P<prefix>{_UNIT})? ?(?P<inside>[+-])? ?"
    r"(?P<body>\d[\d.,' ]*|[.,]\d+)(?P<exponent>[eE][+-]?\d+)? ?"
    rf"(?P<suffix>{_UNIT})? ?(?P<after>-)?(?P<close>\))?$"
)
_SPACE, _SIGN = f"[ {_SPACES}]?", rf"[+\-{_MINUS}]?"
# The same, quick, and without its parts.
LIKE_A_NUMBER = (
    rf"^\(?{_SPACE}{_SIGN}{_SPACE}{_UNIT}?{_SPACE}{_SIGN}{_SPACE}"
    rf"(?:\d[\d.,' {_SPACES}{_APOSTROPHES}]*|[.,]\d+)"
    rf"(?:[eE][+-]?\d+)?{_SPACE}{_UNIT}?{_SPACE}-?\)?$"
)
_UNLIKE = rf"[^\d.,+ '\-]|[{_SPACES}]"  # in a text that is more than digits and signs
_WHOLE = r"[1-9]\d{0,2}"


def grouped(sign: str) -> str:
    """A pattern of digits in groups of three, with a sign between them; by the comma also as in 12,34,567."""
    mark = re.escape(sign)
    usual = rf"{_WHOLE}(?:{mark}\d{{3}})+"
    return rf"(?:{usual}|[1-9]\d?(?:,\d{{2}})+,\d{{3}})" if sign == "," else usual


class Written:
    """The parts of each number of a column: its body (digits and signs), whether it is negative, its unit."""

    def __init__(self, texts: pl.Series) -> None:
        frame = texts.rename("text").to_frame()
        if not texts.str.contains(_UNLIKE).any() and not texts.str.contains(r"\d-").any():
            negative = pl.col("text").str.starts_with("-")
            body = pl.col("text").str.replace(r"^[+-]", "")
            columns = {"body": body, "negative": negative, "exponent": pl.lit("")}
            self.parts = frame.select(**columns, prefix=pl.lit(""), suffix=pl.lit(""))
            return
        clean = pl.col("text").str.replace_all(f"[{_SPACES}]", " ").str.replace_all(f"[{_MINUS}]", "-")
        clean = clean.str.replace_all(f"[{_APOSTROPHES}]", "'")
        parts = frame.select(clean.str.extract_groups(VALUE)).unnest("text")
        minus = [(pl.col(name) == "-").fill_null(value=False) for name in ("before", "inside", "after")]
        bracketed = pl.col("open").is_not_null()
        whole = bracketed == pl.col("close").is_not_null()
        signs = pl.sum_horizontal(*minus, bracketed)
        self.parts = parts.select(
            body=pl.when(whole & (signs <= 1)).then(pl.col("body").str.strip_chars_end(" ")),
            negative=signs == 1,
            exponent=pl.col("exponent").fill_null(""),
            prefix=pl.col("prefix").fill_null(""),
            suffix=pl.col("suffix").fill_null(""),
        )

    @property
    def bodies(self) -> pl.Series:
        """Digits and signs of each number; null where a text is no number."""
        return self.parts["body"]


def as_written_plainly(column: pl.Series, notation: Notation) -> pl.Series:
    """The texts that fit the notation with a decimal point and nothing else: '($1,403.06)' as '-1403.06'.

    Arguments:
        column: texts without white space around them; others stay as they are.
    """
    parts = Written(column).parts
    mark, point = re.escape(notation.thousands), re.escape(notation.decimal)
    whole = rf"(?:{grouped(notation.thousands)}|\d+)" if mark else r"\d+"
    body = pl.col("body")
    fits = body.str.contains(rf"^(?:{whole}(?:{point}\d*)?|{point}\d+)$")
    fits = fits & pl.concat_str("prefix", "suffix").is_in(sorted({"", notation.unit}))
    digits = body.str.replace_all(notation.thousands, "", literal=True) if mark else body
    digits = digits.str.replace(notation.decimal, ".", literal=True).str.strip_suffix(".")
    sign = pl.when(pl.col("negative")).then(pl.lit("-")).otherwise(pl.lit(""))
    plain = pl.when(fits).then(pl.concat_str(sign, digits, pl.col("exponent")))
    return parts.select(plain).to_series().alias(column.name).fill_null(column)

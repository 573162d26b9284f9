"""What the values of columns of texts show of how numbers are written, counted piece by piece."""

import functools
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from jaxtyping import Bool, Int

from handrail.data.columns.notation import LIKE_A_NUMBER, Written, grouped
from handrail.data.columns.together import join_columns
from handrail.data.columns.values import as_numbers

_SAMPLE = 512  # values of a column that tell words from numbers
_FIRST = 16  # values of a column that mostly tell what its points are
_LEAST = 0.95  # share of values that are numbers in a column of numbers
_SPACE, _APOSTROPHE = grouped(" "), grouped("'")
# What the digits and signs of a number show, the first that fits: `t` a sign between thousands, `d` a decimal
# sign, `?` one that could be either.
_SHAPES: tuple[tuple[str, str], ...] = (
    ("digits", r"^\d+$"),
    ("d.", r"^\d*\.\d*$"),
    ("t, d.", rf"^{grouped(',')}\.\d*$"),
    ("t. d,", rf"^{grouped('.')},\d*$"),
    ("?,", r"^[1-9]\d{0,2},\d{3}$"),
    ("d,", r"^\d*,\d*$"),
    ("t,", rf"^{grouped(',')}$"),
    ("t.", rf"^{grouped('.')}$"),
    ("t_", rf"^{_SPACE}$"),
    ("t_ d,", rf"^{_SPACE},\d*$"),
    ("t_ d.", rf"^{_SPACE}\.\d*$"),
    ("t'", rf"^{_APOSTROPHE}$"),
    ("t' d,", rf"^{_APOSTROPHE},\d*$"),
    ("t' d.", rf"^{_APOSTROPHE}\.\d*$"),
)
_DOUBTFUL_POINT = r"^[1-9]\d{0,2}\.\d{3}$"  # of 'd.'
_SIGNED_DOUBTFUL_POINT = f"^[+-]?{_DOUBTFUL_POINT[1:]}"


@dataclass(frozen=True)
class Evidence:
    """What the values of one column show, as counts of values.

    Arguments:
        values: that are not missing. numbers: those that are numbers in some notation.
        shapes: of numbers; where all are plain, those of a sample.
        units: of numbers, by (prefix, suffix).
        long: whether a number has four digits and more before the decimals and no sign between them.
        plain: whether all values are numbers as computers write them.
        example: the first number that is not, or that could be another one.
    """

    values: int = 0
    numbers: int = 0
    shapes: Counter[str] = field(default_factory=Counter)
    units: Counter[tuple[str, str]] = field(default_factory=Counter)
    long: bool = False
    plain: bool = True
    example: str = ""

    def __add__(self, other: "Evidence") -> "Evidence":
        return Evidence(
            self.values + other.values,
            self.numbers + other.numbers,
            self.shapes + other.shapes,
            self.units + other.units,
            self.long or other.long,
            self.plain and other.plain,
            self.example or other.example,
        )

    def shows(self, mark: str) -> bool:
        """Whether a number has this mark, such as `d,` (a decimal comma)."""
        return any(count and mark in shape.split() for shape, count in self.shapes.items())

    @property
    def are_numbers(self) -> bool:
        """Whether this is a column of numbers."""
        return self.numbers > 0 and self.numbers >= _LEAST * self.values


def gather(frame: pl.DataFrame, *, plain: Collection[str] = ()) -> dict[str, Evidence]:
    """The evidence of each column of texts.

    Arguments:
        plain: columns that are known to be numbers as computers write them.
    """
    columns = [column for column in frame.iter_columns() if column.dtype == pl.String]
    known, found = set(plain), {}
    for places, long in join_columns(columns) if len(frame) else ():
        names = [columns[place].name for place in places]
        seen = _glance(long, len(places), is_plain=len(places) == 1 and names[0] in known)
        for place, name, evidence in zip(places, names, seen, strict=True):
            found[name] = _count(columns[place].drop_nulls()) if evidence is None else evidence
    return found


def add(total: Mapping[str, Evidence], more: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """The evidence of two pieces of a table."""
    both = {name: total[name] + more[name] for name in total.keys() & more.keys()}
    return {**total, **more, **both}


def _glance(long: pl.Series, columns: int, *, is_plain: bool) -> list[Evidence | None]:
    """Of columns one below the other, the evidence of words and of plain numbers; None where it takes a look.

    A tall column stands alone, and a sample shows whether it is of words and has points.
    """
    sample = long if columns > 1 else long.gather_every(max(1, len(long) // _SAMPLE))
    known, numbers = _counts(sample.is_not_null(), columns), as_numbers(sample)
    plain = numbers.is_finite().fill_null(value=False)
    # Patterns are slow, and most numbers are known by being read.
    like = _counts(plain | _contains(sample, LIKE_A_NUMBER, among=sample.is_not_null() & ~plain), columns)
    of_words = like < np.maximum(0.5 * known, 1)
    lost = np.zeros(columns)
    if not (is_plain or of_words.all()):
        whole = numbers if sample is long else as_numbers(long)
        lost = _counts(whole.is_null() & long.is_not_null(), columns)
    has_point = sample.str.contains(".", literal=True).fill_null(value=False)
    points = _counts(has_point, columns)
    doubtful = _all_doubtful(sample, has_point, columns)
    needs_a_look = ~of_words & ((lost > 0) | doubtful)
    filled = _counts(long.is_not_null(), columns).tolist()
    usual = zip(filled, of_words.tolist(), (points > 0).tolist(), strict=True)
    return [
        None if looks else _usual(*each) for looks, each in zip(needs_a_look.tolist(), usual, strict=True)
    ]


@functools.lru_cache(maxsize=64)  # a wide table has many columns alike
def _usual(values: int, of_words: bool, has_points: bool) -> Evidence:
    """The evidence of words, or of numbers as computers write them."""
    if of_words:
        return Evidence(values, plain=False)
    return Evidence(values, values, Counter(["d." if has_points else "digits"]))


def _contains(texts: pl.Series, pattern: str, *, among: pl.Series) -> pl.Series:
    """Which of the texts that are `among` those to be looked at contain a pattern."""
    found = np.zeros(len(texts), dtype=bool)
    places = among.to_numpy()
    if places.any():
        found[places] = texts.filter(among).str.contains(pattern).to_numpy()
    return pl.Series(found)


def _all_doubtful(texts: pl.Series, has_point: pl.Series, columns: int) -> Bool[np.ndarray, " columns"]:
    """Whether a column has points, and all of them may stand between thousands.

    Most columns have another one among their first values; only the others are looked at whole.
    """
    rows = len(texts) // columns
    first = pl.Series(np.tile(np.arange(rows) < _FIRST, columns))
    clear = has_point & first
    clear &= ~_contains(texts, _SIGNED_DOUBTFUL_POINT, among=clear)
    doubtful = (_counts(clear, columns) == 0) & (_counts(has_point, columns) > 0)
    if not doubtful.any():
        return doubtful
    left = has_point & pl.Series(np.repeat(doubtful, rows))
    clear = left & ~_contains(texts, _SIGNED_DOUBTFUL_POINT, among=left)
    return doubtful & (_counts(clear, columns) == 0)


def _counts(mask: pl.Series, columns: int) -> Int[np.ndarray, " columns"]:
    """How many values of each of the columns, one below the other."""
    return mask.fill_null(value=False).to_numpy().reshape(columns, -1).sum(axis=1)


def _count(texts: pl.Series) -> Evidence:
    written = Written(texts)
    bodies = written.bodies
    has_power = written.parts["exponent"] != ""  # its digits are never in groups
    doubtful = bodies.str.contains(_DOUBTFUL_POINT) & ~has_power
    chain = pl.when(bodies.str.contains(_SHAPES[0][1])).then(pl.lit(_SHAPES[0][0]))
    chain = chain.when(doubtful).then(pl.lit("?."))
    chain = chain.when(has_power & bodies.str.contains(r"^\d*,\d*$")).then(pl.lit("d,"))
    for shape, pattern in _SHAPES[1:]:
        chain = chain.when(bodies.str.contains(pattern)).then(pl.lit(shape))
    shapes = pl.select(chain).to_series()
    fits = shapes.is_not_null()
    odd = texts.filter(fits & as_numbers(texts).is_null())
    telling = odd if len(odd) else texts.filter(shapes == "?.")
    units = written.parts.filter(fits).group_by("prefix", "suffix").len()
    return Evidence(
        values=len(texts),
        numbers=int(fits.sum()),
        shapes=Counter(dict(shapes.drop_nulls().value_counts().iter_rows())),
        units=Counter({(row[0], row[1]): row[2] for row in units.iter_rows()}),
        long=bool(bodies.filter(fits).str.contains(r"^\d{4,}").any()),
        plain=not len(odd) and bool(fits.all()),
        example=str(telling[0]) if len(telling) else "",
    )

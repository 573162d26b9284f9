"""What the values of columns of texts show of how numbers are written, counted piece by piece."""

import functools
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Int

from handrail.data.columns.notation import LIKE_A_NUMBER, Written, grouped
from handrail.data.columns.together import TALL, join_columns
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
    kinds = zip(frame.get_columns(), frame.dtypes, strict=True)
    columns = [column for column, kind in kinds if isinstance(kind, pl.String)]
    step = frame.height // _SAMPLE if frame.height >= TALL else 1
    samples = columns if step == 1 else [column.gather_every(step) for column in columns]
    known, found = set(plain), {}
    filled = len(frame) - np.array([column.null_count() for column in columns])
    for places, long in join_columns(samples) if len(frame) else ():
        some = [columns[place] for place in places]
        seen = _glance(long, len(places))
        lost = seen.lost
        if step > 1:
            is_known = [column.name in known for column in some] | seen.of_words
            lost = np.array([_loses(*each) for each in zip(some, is_known, strict=True)])
        needs_a_look = ~seen.of_words & (lost | seen.doubtful)
        usual = zip(filled[places].tolist(), seen.of_words.tolist(), seen.points.tolist(), strict=True)
        for column, looks, kind in zip(some, needs_a_look.tolist(), usual, strict=True):
            found[column.name] = _count(column.drop_nulls()) if looks else _usual(*kind)
    return found


def _loses(column: pl.Series, is_known: bool) -> bool:
    """Whether a tall column holds values that are no numbers as computers write them."""
    return not is_known and as_numbers(column).null_count() > column.null_count()


def add(total: Mapping[str, Evidence], more: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """The evidence of two pieces of a table."""
    both = {name: total[name] + more[name] for name in total.keys() & more.keys()}
    return {**total, **more, **both}


class _Glance(NamedTuple):
    """Of each column whether it is of words, loses values as plain numbers, has points, and only such points
    as may stand between thousands."""

    of_words: Bool[np.ndarray, " columns"]
    lost: Bool[np.ndarray, " columns"]
    points: Bool[np.ndarray, " columns"]
    doubtful: Bool[np.ndarray, " columns"]


def _glance(long: pl.Series, columns: int) -> _Glance:
    """What columns one below the other, or samples of them, show of words and plain numbers."""
    is_known, numbers = long.is_not_null(), as_numbers(long)
    plain = numbers.is_finite().fill_null(value=False)
    # Patterns are slow, and most numbers are known by being read.
    like = _counts(plain | _contains(long, LIKE_A_NUMBER, among=is_known & ~plain), columns)
    of_words = like < np.maximum(0.5 * _counts(is_known, columns), 1)
    return _Glance(of_words, _counts(numbers.is_null() & is_known, columns) > 0, *_points(long, columns))


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


def _points(
    texts: pl.Series, columns: int
) -> tuple[Bool[np.ndarray, " columns"], Bool[np.ndarray, " columns"]]:
    """Whether each column has points, and whether all of them may stand between thousands.

    Most columns have another one among their first values; only the others are looked at whole.
    """
    rows = len(texts) // columns
    places = np.arange(len(texts)).reshape(columns, rows)
    has_point, is_clear = _see_points(texts, places[:, :_FIRST].ravel(), columns)
    rest = places[~is_clear, _FIRST:].ravel()
    if len(rest):
        more, clearly = _see_points(texts, rest, columns)
        has_point, is_clear = has_point | more, is_clear | clearly
    return has_point, has_point & ~is_clear


def _see_points(
    texts: pl.Series, places: Int[np.ndarray, " values"], columns: int
) -> tuple[Bool[np.ndarray, " columns"], Bool[np.ndarray, " columns"]]:
    """Whether each column has values with a point at these places, and points that stand before decimals."""
    some = texts.gather(places)
    has_point = some.str.contains(".", literal=True).fill_null(value=False)
    some, places = some.filter(has_point), places[has_point.to_numpy()]
    is_clear = ~some.str.contains(_SIGNED_DOUBTFUL_POINT).to_numpy()
    columns_of = places // (len(texts) // columns)
    return _is_in(columns_of, columns), _is_in(columns_of[is_clear], columns)


def _is_in(columns_of: Int[np.ndarray, " values"], columns: int) -> Bool[np.ndarray, " columns"]:
    return np.bincount(columns_of, minlength=columns) > 0


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

"""Columns set aside, and columns in use that name rows rather than say something about them."""

import re

import numpy as np
import polars as pl
from jaxtyping import Float

from handrail.data.checks.columns.numbers import Numbers
from handrail.data.checks.columns.wording import counted_columns
from handrail.data.columns.schema import IDENTIFIER_NAME, Column, Schema, infer_column
from handrail.data.columns.values import as_numbers
from handrail.data.finding import Finding, advise_drop, as_pasted, report_columns
from handrail.data.part import Part
from handrail.data.task import TaskSpec

_WHY_SET_ASIDE = {
    "identifier": "Identifiers name rows and say nothing about them; a network would learn them by heart.",
    "constant": "A column that does not change cannot tell rows apart.",
}
_NUMBERLIKE = (
    r"^[(\[]?\s*[-+−]?\s*(?:\p{Sc}|[A-Z]{3})?\s*[-+−]?\d[\d.,'’\s]*\s*"
    r"(?:%|‰|\p{Sc}|[[:alpha:]µ°]{1,4}[²³23]?)?\s*[)\]]?$"
)
_LENGTHS, _LENGTH = 0.95, r"^-?\d{1,4}:[0-5]\d(?::[0-5]\d)?(?:[.,]\d+)?$"
_LIKELY = 0.8
_SAMPLE = 1000
# Names of numberings, less sure than those of `IDENTIFIER_NAME`.
_NUMBERING = re.compile(
    r"(^|[_\s.#-])(nr|no|num|number|nummer|numero|code|ref|reference|serial|account|ticket|customer|isbn|ean"
    r"|sku|barcode|matricule|ssn|phone)\.?$|#$",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"price|cost|income|salary|wage|amount|sales|revenue|population|people|area|size|weight|volume|value|total"
    r"|balance|budget|profit|turnover|sum|count|time|date|stamp|epoch|year|month|day|second|distance|length"
    r"|views|visits|clicks|income|credit|debt|tax|gdp",
    re.IGNORECASE,
)
_UNNAMED = re.compile(r"^column_\d+$")
_FEWEST, _SURE = 20, 50  # rows of a column with a telling name; of any other
_WIDE, _DIGITS = 100, 5  # times the rows that numbers reach that fill all that so many digits can write
_WIDER, _LARGE = 10_000, 1e7  # of others: amounts, areas and prices in cents reach less
_MOMENTS = ((9.4e8, 2.2e9), (9.4e11, 2.2e12))  # seconds and milliseconds since 1970
_RELATED = 4.0  # deviations of a rank correlation by chance


def check_identifiers(train: Part, schema: Schema, task: TaskSpec, numbers: Numbers) -> list[Finding]:
    """Columns set aside by their kind, and those in use that look like identifiers."""
    return [
        *_find_set_aside(train, schema),
        *_find_in_use(train, schema),
        *_find_numberings(train, schema, task, numbers),
    ]


def _find_set_aside(train: Part, schema: Schema) -> list[Finding]:
    findings, left = [], [column for column in schema.of_kind("identifier") if column.why != "as given"]
    numbers = [column for column in left if _looks_like_numbers(train.raw[column.name])]
    categories = [column for column in schema.of_kind("category") if column.why != "as given"]
    lengths = [column for column in (*left, *categories) if _looks_like_lengths(train.raw[column.name])]
    titles = [column for column in left if column not in numbers and " texts of about " in column.why]
    findings += [*_report_numberlike(numbers, train), *_report_lengths(lengths, train)]
    findings += report_columns(
        "warning",
        "text-set-aside",
        {column.name: column.why.split(";")[0] for column in titles},
        seen="short texts, nearly each one different, such as names and titles; set aside.",
        why="Nothing that they say reaches the network.",
        action=counted_columns(
            [column.name for column in titles], "data.columns.{name}=text reads their words."
        )
        + f" {advise_drop([column.name for column in titles])}",
        decided=True,
    )
    plain = {
        "identifier": [column for column in left if column not in (*numbers, *titles, *lengths)],
        "constant": [column for column in schema.of_kind("constant") if column.why != "as given"],
    }
    for kind, columns in plain.items():
        findings += report_columns(
            "note",
            kind,
            {column.name: column.why for column in columns},
            seen=f"taken as {kind}.",
            why=_WHY_SET_ASIDE[kind],
            action=f"Set aside; data.columns.{''.join(column.name for column in columns[:1])} gives another "
            "kind (numeric, category, boolean or datetime).",
            decided=True,
        )
    return findings


def _looks_like_numbers(raw: pl.Series) -> bool:
    """Whether most texts are a number with signs around or inside it."""
    if raw.dtype != pl.String:
        return False
    sample = raw.drop_nulls().head(_SAMPLE)
    alike = sample.str.contains(_NUMBERLIKE) & ~sample.str.contains(r"^0\d")
    odd = as_numbers(sample).is_null()  # a plain number is an identifier for another reason
    return bool(odd.any()) and int(alike.sum()) >= _LIKELY * len(sample)


def _report_numberlike(columns: list[Column], train: Part) -> list[Finding]:
    def example(name: str) -> str:
        values = train.raw[name].drop_nulls()
        return str(values.filter(as_numbers(values).is_null())[0])

    names = [column.name for column in columns]
    return report_columns(
        "warning",
        "numbers-set-aside",
        {column.name: f"{column.why}, such as '{example(column.name)}'" for column in columns},
        seen="like numbers, but written in a way that is not read; set aside.",
        why="Nothing that they say reaches the network.",
        action=f"Write them as plain numbers such as 4469.5 in the source; {advise_drop(names)}",
        decided=True,
    )


def _looks_like_lengths(raw: pl.Series) -> bool:
    """Whether texts are lengths of time with more hours, or minutes, than a clock shows."""
    if raw.dtype != pl.String or raw.n_unique() <= _FEWEST:
        return False
    return int(raw.str.contains(_LENGTH).sum()) >= _LENGTHS * (len(raw) - raw.null_count())


def _report_lengths(columns: list[Column], train: Part) -> list[Finding]:
    done = {"identifier": "set aside", "category": "taken as category"}
    names = [column.name for column in columns]
    return report_columns(
        "warning",
        "lengths-of-time",
        {
            column.name: f"such as '{train.raw[column.name].drop_nulls()[0]}'; {done[column.kind]}"
            for column in columns
        },
        seen="lengths of time by their look, with more hours than a clock shows.",
        why="As words, they have no size, and each one is learned by itself.",
        action=f"Write them as numbers of seconds in the source; {advise_drop(names)} "
        + counted_columns(names, "data.columns.{name}=category says no more."),
        decided=True,
    )


def _find_in_use(train: Part, schema: Schema) -> list[Finding]:
    names = [column.name for column in schema.cells if _is_identifier(train.raw[column.name], column)]
    shared = as_pasted(f"data.split.column={''.join(names[:1])}")
    return report_columns(
        "warning",
        "identifier-in-use",
        {name: f"{train.raw[name].n_unique():,} different values in {len(train):,} rows" for name in names},
        seen="identifier by the look of it.",
        why="Identifiers are learned by heart and teach nothing about new ones; rows that share one "
        "should be in one part.",
        action=f"Nothing is changed; {advise_drop(names)} data.split.method=group with "
        f"{shared} keeps rows that share one in one part.",
    )


def _is_identifier(raw: pl.Series, column: Column) -> bool:
    """Kept although it would have been set aside, or named like an identifier with numbers that are codes."""
    if column.why == "as given":
        return infer_column(raw).kind == "identifier"
    if column.kind not in ("numeric", "category") or not IDENTIFIER_NAME.search(column.name):
        return False
    distinct = raw.drop_nulls().n_unique()
    return distinct >= 20 and distinct >= 0.2 * len(raw)


def _find_numberings(train: Part, schema: Schema, task: TaskSpec, numbers: Numbers) -> list[Finding]:
    """Unique whole numbers without order, spread over a range that nobody counts up to."""
    free = [
        column.name
        for column in schema.of_kind("numeric")
        if column.why != "as given" and not IDENTIFIER_NAME.search(column.name)
    ]
    enough = numbers.known >= max(_FEWEST, 0.95 * len(train))
    details = {
        name: f"{len(train):,} whole numbers, each one once"
        for name in numbers.which(enough & numbers.whole & numbers.once & (numbers.least >= 0), free)
        if _is_numbering(name, train, schema, task, numbers)
    }
    names = list(details)
    return report_columns(
        "warning",
        "looks-like-identifier",
        details,
        seen="looks like an identifier, and is taken as a quantity.",
        why="A number that names a row says nothing about it; a network learns it by heart.",
        action=f"Nothing is changed; {advise_drop(names)} "
        + counted_columns(names, "data.columns.{name}=numeric says no more."),
    )


def _is_numbering(name: str, train: Part, schema: Schema, task: TaskSpec, numbers: Numbers) -> bool:
    """By its name; else where the numbers are large, evenly spread, and rank with no other column."""
    values = numbers.values(name)
    known = values[~np.isnan(values)]
    if _NUMBERING.search(name):
        return True
    low, high = float(known.min()), float(known.max())
    moment = any(first <= low and high <= last for first, last in _MOMENTS)
    round_numbers = len(np.unique(known % 10)) < 8
    if len(known) < _SURE or moment or round_numbers or _QUANTITY.search(name):
        return False
    if not _is_wide(low, high, len(known)) or not _looks_drawn(known, unnamed=bool(_UNNAMED.match(name))):
        return False
    return not _ranks_with_others(name, values, train, schema, task)


def _is_wide(low: float, high: float, rows: int) -> bool:
    """Far more numbers than rows: so many that nothing is measured so, or all those of so many digits."""
    digits = len(str(int(high)))
    full = digits >= _DIGITS and 1 <= low / 10 ** (digits - 1) <= 1.5 and high / 10**digits >= 0.95
    return high >= (_WIDE * rows if full else max(_LARGE, _WIDER * rows))


def _looks_drawn(known: Float[np.ndarray, " rows"], *, unnamed: bool) -> bool:
    """Spread evenly over their range; of a column without a name, or all with equally many digits, too."""
    from handrail.data.checks.drift import kolmogorov_smirnov

    even = np.linspace(known.min(), known.max(), len(known))
    distance = kolmogorov_smirnov(known, even)[0]
    if distance * np.sqrt(len(known)) <= 1.95:  # the critical value of one sample for a chance of 0.001
        return True
    digits = np.floor(np.log10(np.maximum(known, 1)))
    return unnamed and digits.min() == digits.max() >= 6


def _ranks_with_others(
    name: str, values: Float[np.ndarray, " rows"], train: Part, schema: Schema, task: TaskSpec
) -> bool:
    """Whether its ranks follow those of another column, or of the target, beyond chance."""
    ours = _ranks(values)
    others = [train.features[column.name] for column in schema.of_kind("numeric", "boolean")[:50]]
    tables = [other.to_numpy() for other in others if other.name != name]
    if task.name == "regression":
        tables += [as_numbers(train.raw[target]).to_numpy() for target in task.targets[:5]]
    elif task.is_classification:
        tables.append(np.asarray(train.target).astype(np.float64))
    limit = _RELATED / np.sqrt(len(values))
    return any(abs(float(ours @ _ranks(other)) / len(values)) > limit for other in tables)


def _ranks(values: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """Ranks with mean 0 and deviation 1, missing values in the middle."""
    ranks = pl.Series(values).fill_nan(None).rank("average").to_numpy()
    ranks = np.nan_to_num(ranks - np.nanmean(ranks))
    return ranks / (ranks.std() or 1.0)

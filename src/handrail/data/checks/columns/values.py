"""Values that are missing, nearly always the same, far out, many, or unseen."""

from collections.abc import Sequence

import numpy as np

from handrail.data.checks.columns.numbers import NEARLY_ALWAYS, Numbers
from handrail.data.columns.schema import Column, Schema
from handrail.data.finding import Finding, advise_drop, report_columns, share
from handrail.data.part import Part
from handrail.tools.words import number, plural

_MOSTLY = 0.5
_MANY_LEVELS = 50
_FEWEST_ROWS = 100
_FENCE = 10  # interquartile ranges beyond the quartiles; of normal values, none in 10⁴⁰


def check_columns(train: Part, validation: Part, *, schema: Schema, numbers: Numbers) -> list[Finding]:
    """Gaps, outliers, near constants, many levels, unseen levels."""
    return [
        *_find_gaps(train, schema),
        *_find_near_constants(train, schema, numbers),
        *_find_outliers(train, schema, numbers),
        *_find_many_levels(train, schema),
        *_find_unseen_levels(train, validation, schema),
    ]


def _find_gaps(train: Part, schema: Schema) -> list[Finding]:
    rows = len(train)
    gaps = {column.name: train.features[column.name].null_count() for column in schema.cells}
    columns = sorted(
        (column for column in schema.cells if gaps[column.name]), key=lambda column: -gaps[column.name]
    )
    mostly = [column for column in columns if gaps[column.name] > _MOSTLY * rows]
    partly = [column for column in columns if gaps[column.name] <= _MOSTLY * rows]
    return [
        *report_columns(
            "warning",
            "mostly-missing",
            {column.name: share(gaps[column.name], rows) for column in mostly},
            seen="missing in training rows.",
            why="What is filled in is mostly a guess; the values that are there may be a special few.",
            action=f"{_describe_filling(mostly)} {advise_drop([column.name for column in mostly])}",
        ),
        *report_columns(
            "note",
            "missing",
            {column.name: share(gaps[column.name], rows) for column in partly},
            seen="missing in training rows.",
            why="A network needs a value in every place, and that a value is missing can itself say "
            "something.",
            action=_describe_filling(partly),
        ),
    ]


def _describe_filling(columns: list[Column]) -> str:
    kinds, sentences = {column.kind for column in columns}, []
    if kinds & {"numeric", "boolean"}:
        sentences.append(
            "Numbers are filled as data.encoding.missing says (by default with the training rows' median), "
            "and data.encoding.indicator adds a column that marks the gaps."
        )
    if "category" in kinds:
        sentences.append("In categories, missing is a level of its own.")
    if "datetime" in kinds:
        sentences.append("Missing dates are put at the mean date, without a phase of year, week or day.")
    return " ".join(sentences)


def _find_near_constants(train: Part, schema: Schema, numbers: Numbers) -> list[Finding]:
    if len(train) < _FEWEST_ROWS:
        return []
    details = {}
    names = {*numbers.which(numbers.steady), *(column.name for column in schema.of_kind("category"))}
    for column in schema.cells:
        if column.name not in names:
            continue
        values = train.features[column.name]
        value, rows = values.rename("value").value_counts(sort=True, name="rows").row(0)
        if value is not None and rows >= NEARLY_ALWAYS * len(train):
            shown = number(value) if isinstance(value, float) else f"'{value}'"
            details[values.name] = f"{shown} in {share(rows, len(train))}"
    return report_columns(
        "note",
        "near-constant",
        details,
        seen="nearly always the same in training rows.",
        why="A network sees too few other values to learn what they mean, and scaling makes them very large.",
        action=f"Nothing is changed; {advise_drop(list(details))}",
    )


def _find_outliers(train: Part, schema: Schema, numbers: Numbers) -> list[Finding]:
    details = {}
    for name in _may_have_outliers(numbers, [column.name for column in schema.of_kind("numeric")]):
        values = numbers.values(name)
        places = outlying(values)
        if len(places):
            farthest = int(places[np.abs(values[places] - np.nanmedian(values)).argmax()])
            where = train.table.row_name(int(train.rows[farthest]))
            details[name] = f"{plural(len(places), 'row')}, such as {number(values[farthest])} in {where}"
    return report_columns(
        "note",
        "outliers",
        details,
        seen=f"more than {_FENCE} interquartile ranges from the quartiles.",
        why="A few huge values set the scale for all others, and may be slips or codes for 'unknown'.",
        action="They stay; data.encoding.scaling=robust or quantile weakens them, data.read.missing "
        "turns codes into gaps.",
    )


def _may_have_outliers(numbers: Numbers, among: Sequence[str]) -> list[str]:
    """Columns with a value near or beyond a fence, or whose quartiles do not tell."""
    low, high, least, most = numbers.quartiles
    reach = 0.999 * _FENCE * (high - low)  # rounding must not hide a column from `outlying`
    return numbers.which((low == high) | (least < low - reach) | (most > high + reach), among)


def outlying(values: np.ndarray) -> np.ndarray:
    """Places of values beyond the fences.

    Where more than half of the values are the same (zero, mostly), the quartiles are those of the others.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return np.zeros(0, dtype=np.int64)
    scale = float(np.abs(known).max()) or 1.0
    known = known / scale  # so that the largest numbers do not overflow
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    if low == high:
        others = known[known != middle]
        low, high = np.quantile(others, [0.25, 0.75]) if len(others) >= 20 else (low, high)
    reach = _FENCE * (high - low)
    if reach == 0:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(
        (values / scale < min(low, middle) - reach) | (values / scale > max(high, middle) + reach)
    )


def _find_many_levels(train: Part, schema: Schema) -> list[Finding]:
    levels = {column.name: train.features[column.name].n_unique() for column in schema.of_kind("category")}
    names = sorted((name for name in levels if levels[name] > _MANY_LEVELS), key=lambda name: -levels[name])
    return report_columns(
        "note",
        "many-levels",
        {name: f"{levels[name]:,} levels in {len(train):,} rows" for name in names},
        seen="many different values.",
        why="One input a level makes a wide network with few rows to learn each level from.",
        action="data.encoding.rare sets how many rows a level needs to count; "
        "data.encoding.categories=embedding learns a short vector a level instead of one input.",
    )


def _find_unseen_levels(train: Part, validation: Part, schema: Schema) -> list[Finding]:
    details = {}
    for column in schema.of_kind("category"):
        known = train.features[column.name].unique().drop_nulls()
        values = validation.features[column.name].drop_nulls()
        new = values.filter(~values.is_in(known.implode()))
        if len(new):
            details[column.name] = f"{plural(len(new), 'row')}, such as '{new[0]}'"
    return report_columns(
        "note",
        "unseen",
        details,
        seen="values in validation rows that no training row has.",
        why="Nothing was learned about them; new rows will bring more of the kind.",
        action="They are encoded like levels too rare to count (data.encoding.rare).",
    )

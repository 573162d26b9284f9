"""Words of one meaning in several spellings, and numbers and dates among words."""

from collections.abc import Mapping

import polars as pl

from handrail.data.checks.columns.wording import set_kind
from handrail.data.columns.date_forms import LOOKS_DATED
from handrail.data.columns.schema import Column, Schema, infer_column
from handrail.data.columns.values import as_numbers, as_seconds, has_leading_zeros
from handrail.data.columns.words import NO, YES, spellings
from handrail.data.finding import Finding
from handrail.data.part import Part
from handrail.tools.words import list_some, plural

_SEVERAL, _NOT_ALL = 0.5, 0.95  # shares of numbers, or dates, among the values of a mixed column
_FEWEST = 20

Counts = Mapping[str, pl.DataFrame]


def check_spellings(train: Part, schema: Schema, fold: bool | str = "auto") -> list[Finding]:
    """Yes and no in several words, levels that differ in case alone, numbers or dates among words.

    Arguments:
        fold: `data.encoding.fold_case`.
    """
    findings = [
        _find_yes_no(train.raw[column.name])
        for column in schema.of_kind("boolean")
        if column.why != "as given"
    ]
    for column in schema.of_kind("category") if fold is not False else ():
        findings += _find_spellings(train.raw[column.name], column)
    for column in schema.of_kind("category", "identifier"):
        findings.append(_find_mixture(train.raw[column.name], column))
    return [finding for finding in findings if finding is not None]


def _find_yes_no(raw: pl.Series) -> Finding | None:
    """Words that are read as yes and no, where there are more than two."""
    if raw.dtype != pl.String:
        return None
    words = raw.drop_nulls().unique().sort().to_list()
    if len(words) <= 2 or all(word.lower() in ("0", "1", "0.0", "1.0") for word in words):
        return None
    yes, no = ([word for word in words if word.lower() in group] for group in (YES, NO))
    if not yes or not no:
        return None
    return Finding(
        level="note",
        name="spellings",
        column=raw.name,
        seen=f"Column '{raw.name}': {_quote(yes)} count as yes, {_quote(no)} as no.",
        why="Words of one meaning are one value.",
        action=f"{set_kind(raw.name, 'category')} keeps them apart.",
        decided=True,
    )


def _quote(words: list[str]) -> str:
    return list_some((f"'{word}'" for word in words), most=8, last=" and ")


def _find_spellings(raw: pl.Series, column: Column) -> list[Finding]:
    """Levels that differ in case and spaces alone: those taken as one, and those kept apart."""
    if raw.dtype != pl.String:
        return []
    groups, folded, findings = spellings(raw), dict(column.folds), []
    one = {key: group for key, group in groups.items() if key in folded}
    apart = {
        key: group for key, group in groups.items() if key not in folded and key not in ("true", "false")
    }
    if one:
        pairs = (
            f"{list_some((_describe(*each) for each in group[1:]), most=3)} as {_describe(*group[0])}"
            for group in one.values()
        )
        findings.append(
            Finding(
                level="note",
                name="spellings",
                column=column.name,
                seen=f"Column '{column.name}': levels that differ in case or spaces alone are one: "
                f"{list_some(pairs, last=' and ')}.",
                why="A level for each spelling would learn the same thing from fewer rows.",
                action="data.encoding.fold_case=false keeps them apart.",
                decided=True,
            )
        )
    if apart:
        pairs = (" and ".join(_describe(*each) for each in group[:3]) for group in apart.values())
        findings.append(
            Finding(
                level="warning" if any(len(key) > 2 for key in apart) else "note",
                name="spellings",
                column=column.name,
                seen=f"Column '{column.name}': levels that differ in case or spaces alone are kept apart: "
                f"{list_some(pairs, last='; ')}.",
                why="Where they mean the same, each of them is learned from a part of the rows.",
                action="data.encoding.fold_case=true takes them as one, false keeps them apart.",
                decided=True,
            )
        )
    return findings


def _describe(level: str, rows: int) -> str:
    return f"'{level}' ({plural(rows, 'row')})"


def _find_mixture(raw: pl.Series, column: Column) -> Finding | None:
    """Half of the values or more are numbers, or dates, and not all."""
    if raw.dtype != pl.String or column.why == "as given":
        return None
    values = raw.drop_nulls()
    sample = values.head(1000)
    numbers = as_numbers(sample)
    codes = column.kind == "identifier" and bool((numbers == numbers.floor()).all())
    if _is_part(numbers) and not codes and not has_leading_zeros(sample):
        return _report_mixture(values, as_numbers(values), kind=column.kind, what="numbers", other="numeric")
    looks = sample.str.contains(LOOKS_DATED)
    if len(sample) >= _FEWEST and int(looks.sum()) >= _SEVERAL * len(sample):
        dates = _as_dates(values)
        if dates is not None and _is_part(dates):
            return _report_mixture(values, dates, kind=column.kind, what="dates", other="datetime")
    return None


def _is_part(read: pl.Series) -> bool:
    known = len(read) - read.null_count()
    return len(read) >= _FEWEST and len(read) > known >= _SEVERAL * len(read) and known >= _FEWEST / 2


def _as_dates(values: pl.Series) -> pl.Series | None:
    """Texts that look like dates, as dates, where they are ones; the others null."""
    column = infer_column(values.filter(values.str.contains(LOOKS_DATED)))
    if column.kind != "datetime":
        return None
    return as_seconds(values, column.date_format, column.more_formats)


def _report_mixture(values: pl.Series, read: pl.Series, *, kind: str, what: str, other: str) -> Finding:
    name = values.name
    words = values.filter(read.is_null()).rename("word").value_counts(sort=True)["word"].head(3).to_list()
    known = len(read) - read.null_count()
    done = "set aside" if kind == "identifier" else f"taken as {kind}"
    return Finding(
        level="warning",
        name="mixed",
        column=name,
        seen=f"Column '{name}': {known:,} of {len(values):,} values in training rows are {what}, others are "
        f"not, such as {', '.join(repr(word) for word in words)}; {done}.",
        why=f"As words, {what} lose their order: each one is a level by itself.",
        action=f"{set_kind(name, other)} reads the {what} and takes all else as missing; "
        f"{set_kind(name, 'category')} says no more.",
        decided=True,
    )

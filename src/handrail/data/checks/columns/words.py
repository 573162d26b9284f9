"""Words that may stand for missing, where it can be asked whether they do: beside other words."""

from collections import Counter
from collections.abc import Iterable, Mapping

import polars as pl

from handrail.data.checks.columns.wording import set_kind
from handrail.data.columns.schema import Column, Schema
from handrail.data.columns.values import MISSING_WORDS
from handrail.data.finding import Finding, report_columns, set_list
from handrail.data.part import Part
from handrail.data.task import TaskSpec
from handrail.tools.words import list_some, plural

_SIGNS = ("?", "-", ".", "NaN", "nan")  # nobody calls a level so in a text file
_MANY = 0.05  # of the training rows, at least: fewer are slips, or gaps


def check_words(train: Part, *, schema: Schema, task: TaskSpec) -> list[Finding]:
    """Words for missing that were kept, in typed sources, or taken for missing in columns of words, in text.

    Of a target with gaps in a text file see `handrail.data.dataset`.
    """
    names = [column.name for column in schema.of_kind("category", "constant")]
    if not train.table.is_text:
        names += list(task.targets) if task.is_classification else []
        kept = {name: _find_kept(train.raw[name]) for name in names if name in train.raw.columns}
        return _report_kept({name: words for name, words in kept.items() if words})
    known = {
        name: train.table.words[name].count_in(train.rows) for name in names if name in train.table.words
    }
    many = _MANY * len(train)
    lost = {name: {word: n for word, n in words.items() if n >= many} for name, words in known.items()}
    single = {column.name for column in schema.of_kind("constant")}  # all but one value: a sign, too
    levels = {name: words for name, words in lost.items() if name in single or words.keys() - {*_SIGNS}}
    return _report_lost({name: words for name, words in levels.items() if words})


def report_odd_words(columns: Iterable[Column], train: Part | None = None) -> list[Finding]:
    """Words among numbers and dates that are taken for missing, with the training rows where they stand."""
    return [
        Finding(
            level="warning",
            name="odd-words",
            column=column.name,
            seen=f"Column '{column.name}': {_list_markers(column, train)} among "
            f"{'dates' if column.kind == 'datetime' else 'numbers'}.",
            why="A word there may be a slip, or stand for missing.",
            action="It counts as missing, in new rows too; mend the rows, or "
            f"{set_kind(column.name, 'category')} keeps the words.",
        )
        for column in columns
        if column.markers
    ]


def _list_markers(column: Column, train: Part | None) -> str:
    """`'tbd' in 4 training rows (the first is line 12), …`."""
    if train is None or column.name not in train.raw.columns:
        return ", ".join(repr(word) for word in column.markers)
    places = {word: (train.raw[column.name] == word).arg_true() for word in column.markers}
    return list_some(
        f"'{word}' in {plural(len(rows), 'training row')} "
        f"({'the first is ' if len(rows) > 1 else ''}{train.table.row_name(int(train.rows[int(rows[0])]))})"
        for word, rows in places.items()
        if len(rows)
    )


def _find_kept(column: pl.Series) -> Counter[str]:
    if column.dtype != pl.String:
        return Counter()
    return Counter(column.filter(column.is_in(MISSING_WORDS).fill_null(value=False)).to_list())


def _report_kept(columns: Mapping[str, Counter[str]]) -> list[Finding]:
    words = {word: None for counts in columns.values() for word in counts}
    return report_columns(
        "note",
        "kept-words",
        {name: _describe(counts) for name, counts in columns.items()},
        seen="words that often stand for missing.",
        why="A typed source has gaps of its own, so that words are words.",
        action=f"They are values like others; {set_list('data.read.missing', words)} counts them as missing.",
        decided=True,
    )


def _report_lost(columns: Mapping[str, Mapping[str, int]]) -> list[Finding]:
    return report_columns(
        "note",
        "missing-words",
        {name: _describe(counts) for name, counts in columns.items()},
        seen="words that count as missing.",
        why="In text files they mostly stand for a gap, but may be a level.",
        action="data.read.missing=[] keeps them as values.",
        decided=True,
    )


def _describe(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return list_some(f"'{word}' in {count:,} training rows" for word, count in ordered)

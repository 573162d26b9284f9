"""Which columns a text is written from, or a picture made from."""

from collections.abc import Mapping

import polars as pl

from handrail.data.columns.schema import Schema, infer_column
from handrail.data.finding import Finding
from handrail.data.task import TaskSpec
from handrail.tools.words import list_some, plural

READ_TEXTS = ("sequence", "text-to-image")
"Tasks whose source is one text."

_MOST_LEVELS = 20  # texts with more different values are no categories


def source_kinds(features: pl.DataFrame, given: Mapping[str, str], *, alone: bool = False) -> dict[str, str]:
    """Kinds of the columns of texts: the first one is read as text, though its values may be short, or look
    like names or dates, and other texts are set aside. What the user gives stays; numbers, dates and
    categories are as always.

    Arguments:
        alone: whether nothing can stand beside the text; then all other columns are set aside.
    """
    free = [column for column in features if column.name not in given]
    texts = [column.name for column in free if column.dtype == pl.String and _is_text(column)]
    if features.dtypes == [pl.String] and free:
        texts = features.columns
    first = [] if "text" in given.values() else texts[:1]
    aside = [column.name for column in free] if alone and (first or "text" in given.values()) else texts
    return {name: "text" if name in first else "identifier" for name in aside}


def _is_text(column: pl.Series) -> bool:
    kind = infer_column(column).kind
    return kind == "text" or (
        kind in ("identifier", "category") and column.n_unique() > _MOST_LEVELS and not _is_number(column)
    )


def _is_number(column: pl.Series) -> bool:
    return not column.drop_nulls().cast(pl.Float64, strict=False).null_count()


def report_source(schema: Schema, task: TaskSpec, given: Mapping[str, str]) -> list[Finding]:
    """The texts that were set aside beside the one that is read."""
    aside = [
        column.name for column in schema.columns if column.kind == "identifier" and column.why == "as given"
    ]
    aside = [name for name in aside if name not in given]
    if task.name not in READ_TEXTS or not aside:
        return []
    names = list_some(repr(name) for name in aside)
    if task.name == "text-to-image":
        return [_report_alone(schema, task, aside, names)]
    source = next(column.name for column in schema.columns if column.kind == "text")
    return [
        Finding(
            level="warning",
            name="source-text",
            column=aside[0] if len(aside) == 1 else None,
            seen=f"'{task.targets[0]}' is written from the text '{source}'; set aside: "
            f"{plural(len(aside), 'other text')}, {names}.",
            why="A network with attention reads one text.",
            action=f"data.columns.{aside[0]}=text reads this one instead; several, each given so, are read "
            "as bags of words.",
            decided=True,
        )
    ]


def _report_alone(schema: Schema, task: TaskSpec, aside: list[str], names: str) -> Finding:
    source = next((column.name for column in schema.columns if column.kind == "text"), "")
    return Finding(
        level="note",
        name="source-text",
        column=aside[0] if len(aside) == 1 else None,
        seen=f"'{task.targets[0]}' is made from the text '{source}'; set aside: "
        f"{plural(len(aside), 'other column')}, {names}.",
        why="A network that makes pictures reads one text.",
        action=f"data.columns.{aside[0]}=text reads this one instead.",
        decided=True,
    )

"""Columns that no network can take: lists, records, binary values. They are refused, unless they are dropped.

In the table they stand as empty columns of text, so that they can be named, and cost nothing.
"""

from collections.abc import Collection, Mapping

import polars as pl

from handrail.data.finding import advise_drop
from handrail.errors import DataError
from handrail.tools.words import list_some

NESTED = pl.List(pl.Null())  # the type of a column of plain Python values that holds lists or records
_EXPECTED = "expected numbers, text, booleans or times"


def empty_unusable(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
    """The table with such columns emptied, and by their names what they hold."""
    unusable = {column.name: what for column in frame.iter_columns() if (what := _what(column.dtype))}
    if not unusable:
        return frame, {}
    empty = [pl.Series(name, [None] * frame.height, dtype=pl.String) for name in unusable]
    return frame.with_columns(empty), unusable


def _what(kind: pl.DataType) -> str | None:
    if kind == NESTED:
        return "nested values"
    if kind.is_nested():
        return f"nested values ({kind})"
    return f"binary or unknown objects ({kind})" if kind in (pl.Binary, pl.Object) else None


def refuse_unusable(
    unusable: Mapping[str, str],
    source: str,
    *,
    drop: Collection[str] | None = (),
    needed: Collection[str] = (),
) -> None:
    """Refuse such columns where they would be used.

    Arguments:
        unusable: by name, what they hold.
        drop: the columns that are left out; None for all that are not needed.
        needed: columns that must be there, such as the target.

    Raises: `DataError` naming all of them, with the setting that leaves them out.
    """
    wanted = [name for name in unusable if name in needed]
    if wanted:
        raise DataError(
            f"{source}: {_list(wanted, unusable)}, and cannot be left out, as it is the target or an input "
            f"of the network; {_EXPECTED}. Turn it into plain columns."
        )
    others = [] if drop is None else [name for name in unusable if name not in drop]
    if others:
        them = "it" if len(others) == 1 else "them"
        every = [*drop, *others] if drop else others
        raise DataError(
            f"{source}: {_list(others, unusable)}; {_EXPECTED}. {advise_drop(every, most=20)[:-1]}; or turn "
            f"{them} into plain columns."
        )


def _list(names: Collection[str], unusable: Mapping[str, str]) -> str:
    return list_some((f"column '{name}' holds {unusable[name]}" for name in names), most=20)

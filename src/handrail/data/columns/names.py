"""Names of columns are taken as they are, though polars takes some of them for patterns.

`frame[name]` and `frame[[name, …]]` look for the very name. `select`, `drop`, `cast`, `pl.col` take `*` for
all columns and `^…$` for a regular expression: they are not given the names of a table. The methods of a
series, too, look for it by its name, and one called `^a.*$` does not find itself: such names are refused.
"""

from collections.abc import Collection, Sequence

import polars as pl

from handrail.errors import DataError
from handrail.tools.words import list_some


def without(frame: pl.DataFrame, names: Collection[str]) -> pl.DataFrame:
    """The frame without these columns, whether or not it has them."""
    left_out = set(names)
    names = [name for name in frame.columns if name not in left_out]
    return frame[names] if names else pl.DataFrame()  # an empty list would choose rows


def name_all(names: Sequence[str]) -> list[str]:
    """The names, with `column_1` … for what has none."""
    return [name or f"column_{place}" for place, name in enumerate(names, start=1)]


def refuse_patterns(names: Sequence[str], source: str) -> None:
    """Raises: `DataError` for column names that begin with `^` and end with `$`."""
    patterns = [f"'{name}'" for name in names if name.startswith("^") and name.endswith("$")]
    if patterns:
        raise DataError(
            f"{source}: found the column names {list_some(patterns, most=8)}; what begins with ^ and ends "
            "with $ stands for a pattern of names. Rename them, or give all names (names=[…])."
        )

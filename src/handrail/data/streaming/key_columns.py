"""A few columns of all rows, in as few bytes as they need: the target, and the column that the split asks
for.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from handrail.data.streaming.parquet import ParquetRows

_MOST_LEVELS = 65_536
_SAMPLE = 200_000
_INTEGERS = {7: pl.Int8, 15: pl.Int16, 31: pl.Int32}


def slim_columns(source: ParquetRows, names: Sequence[str], *, as_text: Sequence[str] = ()) -> pl.DataFrame:
    """Columns of all rows: texts as codes (`pl.Enum`), whole numbers in the fewest bits.

    Arguments:
        as_text: columns whose texts are to stay texts.
    """
    columns = {name: _Column(name, coded=name not in as_text) for name in dict.fromkeys(names)}
    for _, frame in source.blocks(list(columns)):
        for name, column in columns.items():
            column.add(frame[name])
    return pl.DataFrame([column.found() for column in columns.values()])


class _Column:
    """One column, block by block."""

    def __init__(self, name: str, *, coded: bool) -> None:
        self.name, self.coded = name, coded
        self.levels: dict[str, int] = {}
        self.parts: list[pl.Series] = []

    def add(self, values: pl.Series) -> None:
        if values.dtype == pl.String and self.coded:
            self._add_texts(values)
        else:
            self.parts.append(_shrink(values))

    def _add_texts(self, values: pl.Series) -> None:
        for level in values.unique(maintain_order=True).drop_nulls().to_list():
            self.levels.setdefault(level, len(self.levels))
        self.parts.append(
            values.replace_strict(
                list(self.levels), range(len(self.levels)), return_dtype=pl.UInt32, default=None
            )
        )
        if len(self.levels) > _MOST_LEVELS:
            names = list(self.levels)
            self.parts = [
                part.replace_strict(range(len(names)), names, default=None, return_dtype=pl.String)
                for part in self.parts
            ]
            self.coded = False

    def found(self) -> pl.Series:
        whole = pl.concat(
            [part.to_frame() for part in self.parts], how="vertical_relaxed", rechunk=True
        ).to_series()
        if self.coded and self.levels:
            kind = pl.Enum(list(self.levels))
            words = pl.Series(list(self.levels), dtype=kind)
            whole = whole.replace_strict(range(len(words)), words, default=None, return_dtype=kind)
        return whole.alias(self.name)


def _shrink(values: pl.Series) -> pl.Series:
    if not values.dtype.is_integer() or not values.count():
        return values
    low, high = int(values.min()), int(values.max())  # pyright: ignore[reportArgumentType]
    fitting = (kind for bits, kind in _INTEGERS.items() if -(2**bits) <= low and high < 2**bits)
    return values.cast(next(fitting, values.dtype))


def telling_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows enough to tell what a target is: a random sample, and each value of a target that does not have
    too many.
    """
    rows = len(frame)
    if rows <= _SAMPLE:
        return frame
    chosen = [np.random.default_rng([0, 29]).choice(rows, _SAMPLE, replace=False)]
    for column in frame:
        if column[chosen[0]].n_unique() <= _MOST_LEVELS // 2:
            chosen.append(column.arg_unique().to_numpy())
    return frame[np.unique(np.concatenate(chosen).astype(np.int64))]

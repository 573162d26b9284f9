"""Hashes of rows by what stands in them: the same for every kind of source, order of rows and order of columns."""

import hashlib
from collections.abc import Sequence

import numpy as np
import polars as pl

from handrail.data.schema import as_numbers

_GOLDEN, _MIX_A, _MIX_B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def row_hashes(frame: pl.DataFrame, columns: Sequence[str] | None = None) -> np.ndarray:
    """One `uint64` for each row: numbers by value ('7', 7 and 7.0 are one), everything else by its text.

    Arguments:
        frame: rows as they were read.
        columns: the columns that count; all by default.
    """
    total = np.zeros(len(frame), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for name in sorted(columns if columns is not None else frame.columns):
            salt = np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))
            total += _mixed(_value_hashes(frame[name]) + salt)
        return _mixed(total)


def _value_hashes(series: pl.Series) -> np.ndarray:
    numbers = as_numbers(series)
    values = numbers.fill_null(0.0).to_numpy() + 0.0  # −0.0 becomes 0.0
    hashes = values.view(np.uint64).copy()
    words = series.is_not_null().to_numpy() & numbers.is_null().to_numpy()
    hashes[series.is_null().to_numpy()] = np.uint64(0x5EED)
    if words.any():
        texts = _texts(series.filter(pl.Series(words)))
        distinct = texts.unique()
        codes = [int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") for text in distinct.to_list()]
        hashes[words] = texts.replace_strict(distinct, pl.Series(codes, dtype=pl.UInt64), return_dtype=pl.UInt64).to_numpy()
    return hashes


def _texts(series: pl.Series) -> pl.Series:
    if series.dtype.is_temporal():
        return series.cast(pl.Datetime("us")).dt.strftime("%Y-%m-%d %H:%M:%S").str.strip_suffix(" 00:00:00")
    return series.cast(pl.String)


def _mixed(values: np.ndarray) -> np.ndarray:
    """Steele's SplitMix64 finaliser: every bit of the input reaches every bit of the output."""
    values = values + _GOLDEN
    values = (values ^ (values >> np.uint64(30))) * _MIX_A
    values = (values ^ (values >> np.uint64(27))) * _MIX_B
    return values ^ (values >> np.uint64(31))

"""Hashes of rows by their values: the same for every kind of source, order of rows and order of columns."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from handrail.data.columns.together import join_columns
from handrail.data.columns.values import BOOLEANS, as_labels, as_numbers, as_seconds
from handrail.data.stores.store import Store

_GOLDEN, _MIX_A, _MIX_B = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)
_MISSING, _MOMENT = np.uint64(0x5EED), np.uint64(0xDA7E_DA7E_DA7E_DA7E)
_NEIGHBOURS = 7  # rows before a moment that count for it
_EXACT = 2.0**53  # from here on neighbouring whole numbers are one Float64
_ISO_DATE = r"^\d{4}-\d\d-\d\d(?:[T ]|$)"


def row_hashes(
    frame: pl.DataFrame, columns: Sequence[str] | None = None, *, stores: Mapping[str, Store] | None = None
) -> np.ndarray:
    """One `uint64` for each row, by values: '7', 7 and 7.0 are one; so are true and 1, a date and its text.

    h = mix(Σ mix(value of column + salt of the column's name)), so that the order of columns does not matter.
    '007' is a code and not 7; words count as they are written.

    Arguments:
        frame: rows as they were read.
        columns: the columns that count; all by default.
        stores: of the columns that hold places in a store; there the content of the item counts.

    Source: Steele, Lea & Flood 2014 (the mixing function of SplitMix64).
    """
    total = np.zeros(len(frame), dtype=np.uint64)
    stores = stores or {}
    counted = [frame[name] for name in (frame.columns if columns is None else columns)]
    plain = [column for column in counted if column.name not in stores]
    with np.errstate(over="ignore"):
        for column in counted:
            if column.name in stores:
                values = _item_hashes(column, stores[column.name])
                total += _mix(values + np.uint64(_word_hash(column.name)))
        for places, values in join_columns(plain):
            salts = np.array([_word_hash(plain[place].name) for place in places], dtype=np.uint64)
            mixed = _mix(_value_hashes(values).reshape(len(places), -1) + salts[:, None])
            total += mixed.sum(axis=0, dtype=np.uint64)
        return _mix(total)


def moment_hashes(
    frame: pl.DataFrame, first: int, *, stores: Mapping[str, Store] | None = None
) -> np.ndarray:
    """One `uint64` for each row of a series from `first` on, by its values and those of the seven before it.

    h'ₜ = mix(Σⱼ mix(hₜ₋ⱼ + j·golden)), j = 0 … 7, h being the hash of the row. Alone, a row without a date is
    a number that many a series has; with its neighbours it is a moment of this one. No window has a part in
    it, so that it stays the same whatever the history and horizon.
    """
    start = max(0, first - _NEIGHBOURS)
    rows = row_hashes(frame[start:], stores=stores)
    padded = np.concatenate([np.full(_NEIGHBOURS, _MISSING), rows])
    with np.errstate(over="ignore"):
        total = np.zeros(len(rows), dtype=np.uint64)
        for back in range(_NEIGHBOURS + 1):
            values = padded[_NEIGHBOURS - back : len(padded) - back]
            total += _mix(values + np.uint64(back) * _GOLDEN)
        return _mix(total)[first - start :]


def _item_hashes(places: pl.Series, store: Store) -> np.ndarray:
    known = places.is_not_null().to_numpy()
    hashes = np.full(len(places), _MISSING)
    hashes[known] = store.hashes[places.drop_nulls().to_numpy()]
    return hashes


def _value_hashes(series: pl.Series) -> np.ndarray:
    """Numbers and moments by their bits, everything else by its text."""
    if series.dtype in (pl.Date, pl.Datetime):
        hashes = _bits(as_seconds(series, None)) ^ _MOMENT
    else:
        series = series.fill_nan(None) if series.dtype.is_float() else series
        numbers = as_numbers(series)
        hashes = _bits(numbers)
        by_text = numbers.is_null() | (numbers.abs() >= _EXACT)
        if series.dtype == pl.String:
            by_text |= series.str.contains(r"^[+-]?0\d").fill_null(False)
        by_text &= series.is_not_null()
        if by_text.any():
            hashes[by_text.to_numpy()] = _text_hashes(as_labels(series.filter(by_text), numbers=True))
    hashes[series.is_null().to_numpy()] = _MISSING
    return hashes


def _text_hashes(texts: pl.Series) -> np.ndarray:
    distinct = texts.unique()
    hashes = np.array([_word_hash(text) for text in distinct.to_list()], dtype=np.uint64)
    for word, value in BOOLEANS.items():
        hashes[(distinct.str.to_lowercase() == word).to_numpy()] = np.float64(value).view(np.uint64)
    dates = distinct.str.contains(_ISO_DATE)
    if dates.any():
        seconds = as_seconds(distinct.filter(dates), "%Y-%m-%d")
        read = seconds.is_not_null().to_numpy()
        hashes[np.flatnonzero(dates.to_numpy())[read]] = (_bits(seconds) ^ _MOMENT)[read]
    return texts.replace_strict(distinct, pl.Series(hashes), return_dtype=pl.UInt64).to_numpy()


def _bits(numbers: pl.Series) -> np.ndarray:
    """Of each Float64; of zero for null and −0."""
    return (numbers.fill_null(0.0).to_numpy() + 0.0).view(np.uint64)


def _word_hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _mix(values: np.ndarray) -> np.ndarray:
    """Steele's SplitMix64 finaliser: every bit of the input reaches every bit of the output."""
    values = values + _GOLDEN
    values = (values ^ (values >> np.uint64(30))) * _MIX_A
    values = (values ^ (values >> np.uint64(27))) * _MIX_B
    return values ^ (values >> np.uint64(31))

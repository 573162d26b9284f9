"""Arrays as columns: NPZ and NPY files, NumPy objects, and whatever turns into them."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from handrail.data.raw_files import kind_of
from handrail.data.sources.cells import column_of, distinct, native, rename_columns
from handrail.data.table import Table
from handrail.errors import DataError, did_you_mean
from handrail.recipe.reading import ReadOptions

# An array `age.missing` of booleans marks what is missing in `age`, where its type cannot.
MASK = ".missing"
_MATRICES = ("x", "data", "array")
_NESTED_DIMENSIONS = 2
_PICTURES = (3, 4)  # dimensions


def read_npz(data: bytes, name: str, *, options: ReadOptions) -> Table:
    """Arrays by name: one dimension is a column, two dimensions are columns `x_1` … `x_n`; pictures are
    arrays of bytes with three or four.

    Raises: `DataError` for arrays of objects (they would be pickles), of more dimensions, or of different
    lengths.
    """
    if kind_of(data) not in ("NPZ", "zip"):
        raise DataError(f"{name} is not NPZ: it seems to be {kind_of(data) or 'something unknown'}.")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise _unreadable(name, error) from error
    if any(array.dtype == np.uint8 and array.ndim in _PICTURES for array in arrays.values()):
        from handrail.data.sources.media.idx import images_from_npz

        return images_from_npz(arrays, name) or Table(arrays_frame(arrays, name, options=options), name)
    return Table(arrays_frame(arrays, name, options=options), name)


def read_npy(data: bytes, name: str, *, options: ReadOptions) -> Table:
    """One array: structured, or with rows and columns. Raises: `DataError` as `read_npz`."""
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise _unreadable(name, error) from error
    return Table(array_frame(array, name, options=options), name)


def _unreadable(name: str, error: Exception) -> DataError:
    if "allow_pickle" in str(error):
        return DataError(
            f"{name} holds an array of Python objects, which is a pickle and can run any code when it is "
            "opened; "
            "expected numbers or text. Save it with a plain type (array.astype(str) or .astype(float))."
        )
    return DataError(f"{name} cannot be read: {error}. The file may be cut short or damaged.")


def array_frame(array: np.ndarray, name: str, *, options: ReadOptions) -> pl.DataFrame:
    """A structured array by its fields; a plain one as `x_1` … `x_n`."""
    if array.dtype.names:
        return arrays_frame({field: array[field] for field in array.dtype.names}, name, options=options)
    matrix = array.reshape(-1, 1) if array.ndim == 1 else array
    return arrays_frame({"x": matrix}, name, options=options)


def arrays_frame(arrays: Mapping[str, Any], name: str, *, options: ReadOptions) -> pl.DataFrame:
    """Arrays by name as one table.

    Raises: `DataError` for arrays that are no columns, or of different lengths.
    """
    found = {str(key): np.asarray(value) for key, value in arrays.items()}
    if options.key is not None:
        found = _with_target(found, options.key, name)
    masks = {key: found.pop(key) for key in list(found) if _is_mask(key, found)}
    problems = [text for key, array in found.items() for text in _shape_problems(key, array, name)]
    lengths = {key: len(array) for key, array in found.items() if array.ndim}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"'{key}' {length}" for key, length in list(lengths.items())[:12])
        problems.append(f"{name}: arrays of different lengths ({listed}); expected one value a row in each.")
    if problems:
        raise DataError(problems)
    columns = [series for key, array in found.items() for series in _columns(key, array, name)]
    distinct([column.name for column in columns], name)
    frame = pl.DataFrame(columns)
    hidden = [
        pl.when(pl.lit(pl.Series(~mask))).then(pl.col(key.removesuffix(MASK))).alias(key.removesuffix(MASK))
        for key, mask in masks.items()
    ]
    return native(
        rename_columns(frame.with_columns(hidden), options.names, name), name, markers=options.missing or ()
    )


def _with_target(arrays: dict[str, np.ndarray], key: str, name: str) -> dict[str, np.ndarray]:
    if key not in arrays:
        raise DataError(f"{name} has no array '{key}'.{did_you_mean(key, arrays)}")
    return {**{other: array for other, array in arrays.items() if other != key}, "target": arrays[key]}


def _is_mask(key: str, arrays: Mapping[str, np.ndarray]) -> bool:
    base = arrays.get(key.removesuffix(MASK))
    mask = arrays[key]
    return (
        key.endswith(MASK)
        and base is not None
        and mask.dtype == bool
        and mask.shape == base.shape
        and mask.ndim == 1
    )


def _shape_problems(key: str, array: np.ndarray, name: str) -> list[str]:
    if array.dtype.kind not in "biufUSMmO" or array.dtype.names:
        return [f"{name}: array '{key}' holds {array.dtype}; expected numbers, booleans, text or times."]
    if array.ndim not in (1, _NESTED_DIMENSIONS):
        return [
            f"{name}: array '{key}' has the shape {array.shape}; expected one value a row, or rows and "
            "columns. "
            "Reshape it, or leave it out."
        ]
    return []


def _columns(key: str, array: np.ndarray, name: str) -> list[pl.Series]:
    if array.ndim == 1:
        return [_column(key, array, name)]
    stem = "x" if key.lower() in _MATRICES else key
    single = array.shape[1] == 1 and stem != "x"
    return [
        _column(key if single else f"{stem}_{i}", array[:, i - 1], name) for i in range(1, array.shape[1] + 1)
    ]


def _column(key: str, array: np.ndarray, name: str) -> pl.Series:
    kind = array.dtype.kind
    if kind == "O":
        return column_of(key, array.tolist(), name)
    if kind == "S":
        return pl.Series(key, [value.decode("utf-8", "replace") for value in array.tolist()], dtype=pl.String)
    if kind in "Mm":
        unit = "datetime64[us]" if kind == "M" else "timedelta64[us]"
        return pl.Series(key, array.astype(unit))
    if kind == "U":
        return pl.Series(key, array.tolist(), dtype=pl.String)
    native_order = array.astype(array.dtype.newbyteorder("="), copy=False)
    return pl.Series(key, native_order.astype(np.float32) if array.dtype == np.float16 else native_order)

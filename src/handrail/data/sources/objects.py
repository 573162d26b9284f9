"""Objects in memory as tables: polars, pandas, pyarrow, NumPy, torch, dictionaries, records, (X, y); pickles.

The library of an object is read from its class's module name, so that none is imported for a test.
A pickle can run any code when it is opened: only with the user's word, and then with a warning.
"""

import pickle
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from handrail.data.columns.names import name_all
from handrail.data.sources.cells import (
    check_distinct,
    columns_frame,
    rename_columns,
    typed_table,
)
from handrail.data.sources.columnar import array_frame, arrays_frame, records_frame
from handrail.data.sources.duplicates import number_names, report_duplicates
from handrail.data.sources.pandas_frames import compare_indexes, from_pandas
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions
from handrail.tools.arrow_files import to_polars
from handrail.tools.interface import argument
from handrail.tools.panics import PanicError, catch_panics

_ARRAYS = ("numpy", "torch")
_FRAMES = ("polars", "pandas", "pyarrow")
_EXPECTED = (
    "a path, a URL, 'bundled:NAME', 'toy:NAME', a data frame of polars or pandas, a pyarrow table, a NumPy "
    "array, a torch tensor, a dictionary of columns, a list of records, or a pair (X, y)"
)


def read_pickle(data: bytes, name: str, *, options: ReadOptions) -> Table:
    """A pickled data frame, dictionary of arrays or list of records.

    Raises: `DataError` unless `allow_pickle` is set (nothing is run then), and when it cannot be opened.
    """
    if not options.allow_pickle:
        how = argument("allow_pickle")
        raise DataError(
            f"{name} is a pickle, and opening a pickle can run any code. Nothing was run. If you trust its "
            f"maker, give {how} each time it is read, as what a recipe or a run "
            "says of it does not count; better, save the table as Parquet or CSV."
        )
    text = f"opening {name}: a pickle can run any code on this computer; open only what you made or trust."
    warnings.warn(text, UserWarning, stacklevel=2)
    try:
        content = pickle.loads(data)  # noqa: S301 (the user has asked for it, and has been warned)
    except Exception as error:  # anything can go wrong here, for the content is a program
        raise DataError(f"{name} cannot be unpickled: {type(error).__name__}: {error}.") from error
    return replace(from_object(content, options=options), source=name)


def from_object(source: Any, *, options: ReadOptions) -> Table:
    """The table that an object holds.

    Raises: `DataError` for objects of an unknown kind, nested columns, columns of different lengths.
    """
    library = _library(source)
    if library == "pandas":
        columns = from_pandas(source)
        twice = [] if options.names else report_duplicates(_names_of(source), columns.frame, "data frame")
        findings = (*columns.findings, *twice)
        return typed_table(columns.frame, "data frame", options, notes=columns.notes, findings=findings)
    if library in _FRAMES:
        reader, name = _FRAME_READERS[library]
        frame = reader(source)
        findings = () if options.names else report_duplicates(_names_of(source), frame, name)
        return typed_table(frame, name, options, findings=findings)
    if library in _ARRAYS:
        return _from_array(_as_numpy(source), options, "array" if library == "numpy" else "tensor")
    if isinstance(source, Mapping):
        return _from_mapping(source, options)
    if isinstance(source, tuple) and len(source) == 2 and not any(isinstance(part, str) for part in source):
        return _from_pair(source[0], source[1], options)
    if _are_records(source):
        frame = records_frame([dict(record) for record in source], "records", rows=None)
        return typed_table(frame, "records", options)
    raise DataError(f"found an object of type {type(source).__name__}; expected {_EXPECTED}.")


def _are_records(source: Any) -> bool:
    return isinstance(source, list) and bool(source) and all(isinstance(each, Mapping) for each in source)


def _library(source: Any) -> str:
    roots = [cls.__module__.split(".")[0] for cls in type(source).__mro__]
    return next((root for root in roots if root in (*_FRAMES, *_ARRAYS)), "")


def _from_polars(source: Any) -> pl.DataFrame:
    if isinstance(source, pl.LazyFrame):
        try:
            with catch_panics():
                return source.collect()
        except (pl.exceptions.PolarsError, PanicError) as error:
            raise DataError(f"the lazy frame cannot be computed: {error}") from error
    if isinstance(source, pl.Series):
        return source.to_frame()
    if isinstance(source, pl.DataFrame):
        return source
    raise DataError(f"found a polars {type(source).__name__}; expected a DataFrame, LazyFrame or Series.")


def _names_of(source: Any) -> list[str]:
    """The names of the columns as they stand in a frame of pandas or pyarrow; others have distinct ones."""
    if _library(source) == "pandas":
        return name_all([str(name) for name in source.columns]) if hasattr(source, "columns") else []
    return (
        name_all(list(source.schema.names))
        if _library(source) == "pyarrow" and hasattr(source, "schema")
        else []
    )


def _from_arrow(source: Any) -> pl.DataFrame:
    try:
        if hasattr(source, "schema") and hasattr(source, "rename_columns"):
            source = source.rename_columns(number_names(name_all(source.schema.names)))
        return to_polars(source)
    except (TypeError, ValueError, pl.exceptions.PolarsError, PanicError) as error:
        raise DataError(f"the {type(source).__name__} of pyarrow cannot be used: {error}") from error


_FRAME_READERS: dict[str, tuple[Callable[[Any], pl.DataFrame], str]] = {
    "polars": (_from_polars, "data frame"),
    "pyarrow": (_from_arrow, "Arrow table"),
}


def _as_numpy(source: Any) -> np.ndarray:
    if _library(source) != "torch":
        return np.asarray(source)
    if not hasattr(source, "detach"):
        raise DataError(f"found a torch {type(source).__name__}; expected a tensor with rows and columns.")
    tensor = source.detach().cpu()
    return (tensor.float() if "bfloat16" in str(tensor.dtype) else tensor.resolve_conj()).numpy()


def _from_array(array: np.ndarray, options: ReadOptions, name: str) -> Table:
    if array.ndim == 0:
        raise DataError(f"found a single value ({array!r}); expected an {name} with rows and columns.")
    return Table(array_frame(array, name, options=options), name)


def _from_mapping(source: Mapping[Any, Any], options: ReadOptions) -> Table:
    name = "dictionary"
    if any(_library(value) in _ARRAYS for value in source.values()) or options.key is not None:
        arrays = {str(key): _array_of(str(key), value) for key, value in source.items()}
        return Table(arrays_frame(arrays, name, options=options), name)
    columns = {str(key): _values(str(key), value) for key, value in source.items()}
    return typed_table(columns_frame(columns, name), name, options)


def _array_of(key: str, value: Any) -> np.ndarray:
    if _library(value) in _ARRAYS:
        return _as_numpy(value)
    # The last item keeps NumPy from guessing shapes.
    return np.array([*_values(key, value), None], dtype=object)[:-1]


def _values(key: str, value: Any) -> Sequence[object]:
    if isinstance(value, list | tuple | range):
        return list(value)
    if _library(value) in _FRAMES and hasattr(value, "__len__"):
        return from_object(value, options=ReadOptions()).frame.to_series().to_list()
    kind = type(value).__name__
    raise DataError(f"dictionary: '{key}' holds {kind}; expected a list or an array of values, one a row.")


def _from_pair(features: Any, target: Any, options: ReadOptions) -> Table:
    """(X, y): X as a table of its own, and y as the target under its own name, where it has one that is free;
    else as `target` (`target_1` … where it has several columns).

    Raises: `DataError` for parts of different lengths, and where pandas' indexes say that rows do not match.
    """
    remarks = compare_indexes(features, target) if _library(features) == _library(target) == "pandas" else ()
    plain = ReadOptions(missing=options.missing)
    left, right = _from_part(features, plain), _from_part(target, plain).frame
    if left.frame.height != right.height:
        raise DataError(
            f"(X, y): X has {left.frame.height:,} rows and y has {right.height:,}; expected as many."
        )
    if _is_indexed_by_dates(target):
        right = right[:, 1:]  # X says when
    names = _target_names(target, right, left.frame.columns)
    right.columns = names
    check_distinct([*left.frame.columns, *names], "(X, y)")
    frame = rename_columns(left.frame.hstack(right), options.names, "(X, y)")
    chosen = frame.columns[left.frame.width :]
    targets = chosen[0] if len(chosen) == 1 else list(chosen)
    return replace(left, frame=frame, source="(X, y)", target=targets, findings=(*left.findings, *remarks))


def _from_part(part: Any, options: ReadOptions) -> Table:
    """X or y; a list holds records, rows or single values."""
    if not isinstance(part, list | tuple) or _are_records(part):
        return from_object(part, options=options)
    if any(isinstance(row, list | tuple) for row in part):
        widths = {len(row) if isinstance(row, list | tuple) else 1 for row in part}
        if len(widths) > 1:
            raise DataError(
                f"(X, y): a list has rows of {min(widths)} to {max(widths)} values; expected as many."
            )
        columns: dict[str, Sequence[object]] = {
            f"x_{i}": list(values) for i, values in enumerate(zip(*part, strict=True), start=1)
        }
        return typed_table(columns_frame(columns, "(X, y)"), "(X, y)", options)
    if any(_library(row) for row in part) or not part:
        return from_object(np.asarray(part), options=options)
    return typed_table(columns_frame({"x_1": list(part)}, "(X, y)"), "(X, y)", options)


def _is_indexed_by_dates(target: Any) -> bool:
    index = getattr(target, "index", None)
    return _library(target) == "pandas" and type(index).__name__ in ("DatetimeIndex", "PeriodIndex")


def _target_names(target: Any, columns: pl.DataFrame, taken: Sequence[str]) -> list[str]:
    """The names that y has itself, unless X has them too."""
    is_series = type(target).__name__ == "Series" and _library(target) in _FRAMES
    named = bool(target.name) if is_series else _library(target) in _FRAMES or isinstance(target, Mapping)
    if named and not {*columns.columns} & {*taken}:
        return columns.columns
    numbered = [f"target_{i}" for i in range(1, columns.width + 1)]
    return ["target"] if columns.width == 1 else numbered

"""Objects in memory as tables: polars, pandas, pyarrow, NumPy, torch, dictionaries, records, (X, y).

An object's library is told from the name of its class's module, so that no library is imported for a test.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from handrail.data.sources.arrays import array_frame, arrays_frame
from handrail.data.sources.cells import column_of, columns_frame, distinct, native, rename_columns
from handrail.data.sources.columnar import records_frame
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions

_PAIR = 2
_EXPECTED = (
    "a path, a URL, 'bundled:NAME', a data frame of polars or pandas, a pyarrow table, a NumPy array, a "
    "torch tensor, "
    "a dictionary of columns, a list of records, or a pair (X, y)"
)


def from_object(source: Any, *, options: ReadOptions) -> Table:
    """The table that an object holds.

    Raises: `DataError` for objects of an unknown kind, nested columns, columns of different lengths.
    """
    library, kind = _library(source), type(source).__name__
    if library in _FRAMES:
        name, frame_of = _FRAMES[library]
        return _to_table(frame_of(source), name, options)
    if library in ("numpy", "torch"):
        return _from_array(_as_numpy(source), options, "array" if library == "numpy" else "tensor")
    if isinstance(source, Mapping):
        return _from_mapping(source, options)
    if (
        isinstance(source, tuple)
        and len(source) == _PAIR
        and not any(isinstance(part, str) for part in source)
    ):
        return _from_pair(source[0], source[1], options)
    if isinstance(source, list) and source and all(isinstance(record, Mapping) for record in source):
        return _to_table(
            records_frame([dict(record) for record in source], "records", rows=None), "records", options
        )
    raise DataError(f"found an object of type {kind}; expected {_EXPECTED}.")


def _library(source: Any) -> str:
    roots = [cls.__module__.split(".")[0] for cls in type(source).__mro__]
    return next((root for root in roots if root in ("polars", "pandas", "pyarrow", "numpy", "torch")), "")


def _to_table(frame: pl.DataFrame, name: str, options: ReadOptions) -> Table:
    return Table(
        native(rename_columns(frame, options.names, name), name, markers=options.missing or ()), name
    )


def _from_polars(source: Any) -> pl.DataFrame:
    if isinstance(source, pl.LazyFrame):
        try:
            return source.collect()
        except pl.exceptions.PolarsError as error:
            raise DataError(f"the lazy frame cannot be computed: {error}") from error
    if isinstance(source, pl.Series):
        return source.to_frame()
    if isinstance(source, pl.DataFrame):
        return source
    raise DataError(f"found a polars {type(source).__name__}; expected a DataFrame, LazyFrame or Series.")


def _from_pandas(source: Any) -> pl.DataFrame:
    """The columns of a pandas frame; its index is left out."""
    frame = source.to_frame() if type(source).__name__ == "Series" else source
    if not hasattr(frame, "columns") or getattr(frame.columns, "nlevels", 1) > 1:
        raise DataError(
            f"found a pandas {type(source).__name__}; expected a data frame with one row of column names."
        )
    names = [str(name) for name in frame.columns]
    distinct(names, "data frame")
    return pl.DataFrame([_pandas_column(name, frame.iloc[:, i]) for i, name in enumerate(names)])


def _pandas_column(name: str, column: Any) -> pl.Series:
    if type(column.dtype).__name__ == "CategoricalDtype":
        column = column.astype(column.cat.categories.dtype if not column.hasnans else object)
    if column.dtype == object:
        values = [None if _is_nan(value) else value for value in column.tolist()]
        return column_of(name, values, "data frame")
    try:
        # Polars would take their inner numbers.
        if type(column.dtype).__name__ in ("PeriodDtype", "IntervalDtype"):
            raise TypeError(column.dtype)
        return pl.from_pandas(column.rename(None).reset_index(drop=True)).alias(name)
    except (TypeError, ValueError, pl.exceptions.PolarsError, ImportError, NotImplementedError) as error:
        raise DataError(
            f"data frame: column '{name}' of pandas type {column.dtype} cannot be used; expected numbers, "
            "text, booleans or times."
        ) from error


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and value != value  # noqa: PLR0124 (only not-a-number differs from itself)


def _from_arrow(source: Any) -> pl.DataFrame:
    distinct(list(source.schema.names) if hasattr(source, "schema") else [], "Arrow table")
    try:
        found = pl.from_arrow(source)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(f"the {type(source).__name__} of pyarrow cannot be used: {error}") from error
    return found.to_frame() if isinstance(found, pl.Series) else found


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
    if any(_library(value) in ("numpy", "torch") for value in source.values()) or options.key is not None:
        arrays = {str(key): _array_of(str(key), value) for key, value in source.items()}
        return Table(arrays_frame(arrays, "dictionary", options=options), "dictionary")
    columns = {str(key): _values(str(key), value) for key, value in source.items()}
    return _to_table(columns_frame(columns, "dictionary"), "dictionary", options)


def _array_of(key: str, value: Any) -> np.ndarray:
    if _library(value) in ("numpy", "torch"):
        return _as_numpy(value)
    # The last item keeps NumPy from guessing shapes.
    return np.array([*_values(key, value), None], dtype=object)[:-1]


def _values(key: str, value: Any) -> Sequence[object]:
    if isinstance(value, list | tuple | range):
        return list(value)
    if _library(value) in ("polars", "pandas", "pyarrow") and hasattr(value, "__len__"):
        return from_object(value, options=ReadOptions()).frame.to_series().to_list()
    raise DataError(
        f"dictionary: '{key}' holds {type(value).__name__}; expected a list or an array of values, one a row."
    )


def _from_pair(features: Any, target: Any, options: ReadOptions) -> Table:
    """(X, y): X as a table of its own, y as `target` (`target_1` … where it has several columns)."""
    plain = ReadOptions(missing=options.missing)
    left = from_object(np.asarray(features) if isinstance(features, list) else features, options=plain).frame
    right = from_object(
        np.asarray(target) if isinstance(target, list | tuple) else target, options=plain
    ).frame
    names = ["target"] if right.width == 1 else [f"target_{i}" for i in range(1, right.width + 1)]
    if left.height != right.height:
        raise DataError(f"(X, y): X has {left.height} rows and y has {right.height}; expected as many.")
    right.columns = names
    distinct([*left.columns, *names], "(X, y)")
    return Table(rename_columns(left.hstack(right), options.names, "(X, y)"), "(X, y)")


_FRAMES: dict[str, tuple[str, Callable[[Any], pl.DataFrame]]] = {
    "polars": ("data frame", _from_polars),
    "pandas": ("data frame", _from_pandas),
    "pyarrow": ("Arrow table", _from_arrow),
}

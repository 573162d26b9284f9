"""Rows in scikit-learn's forms, encoded for a network.

Arrays of numbers go straight to the encoder's layers; data frames with words or dates go through the schema.
"""

import warnings
from typing import Any, cast

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor

from handrail.data.columns.schema import Column, Conventions, Schema, Trouble, infer, read_frame
from handrail.data.encoders.table import TableEncoder
from handrail.data.sources import read
from handrail.data.split.draw import spread_by_class
from handrail.errors import DataError, RecipeError
from handrail.recipe.reading import ReadOptions
from handrail.recipe.sections import Encoding

Rows = np.ndarray | pl.DataFrame


def is_mixed(rows: Any) -> bool:
    """Whether rows are a data frame (pandas or polars) with columns that are neither numbers nor booleans."""
    if isinstance(rows, pl.DataFrame):
        return not all(dtype.is_numeric() or dtype == pl.Boolean for dtype in rows.dtypes)
    if type(rows).__module__.startswith("pandas") and hasattr(rows, "dtypes") and hasattr(rows, "columns"):
        return not all(dtype.kind in "biuf" for dtype in rows.dtypes)
    return False


def as_frame(rows: Any) -> pl.DataFrame:
    """A data frame as a polars one. Raises: `DataError` for anything else."""
    if not (isinstance(rows, pl.DataFrame) or hasattr(rows, "iloc")):
        expected = "expected a data frame with the columns of `fit`, which had words or dates."
        raise DataError(f"found {type(rows).__name__}; {expected}")
    frame = rows if isinstance(rows, pl.DataFrame) else rows.reset_index(drop=True)  # there is no index
    return read(frame, options=ReadOptions(numbers="plain")).frame


def hold_out(
    rows: int, codes: np.ndarray | None, fraction: float | None, seed: int
) -> Int[np.ndarray, " validation"]:
    """The positions of the validation rows, perhaps none: a fraction of all rows, or of each class.

    Raises: `RecipeError` for a number that is no fraction.
    """
    if fraction is not None and not 0 <= fraction < 1:
        expected = "expected a number from 0 to below 1, or None."
        raise RecipeError(f"validation_fraction: found {fraction!r}, {expected}")
    if not fraction or round(fraction * rows) < 1 or rows < 2:
        return np.zeros(0, dtype=np.int64)
    classes = None if codes is None else pl.Series(codes)
    return np.sort(spread_by_class(np.arange(rows), fraction, np.random.default_rng([seed, 7]), classes))


def fit_encoder(rows: Rows, encoding: Encoding, names: list[str]) -> TableEncoder:
    """An encoder fitted on these training rows."""
    if isinstance(rows, pl.DataFrame):
        return _fit_table(rows, encoding)
    schema = Schema(columns=tuple(Column(name=name, kind="numeric") for name in names))
    gaps = np.isnan(rows).any(axis=0) if _has_gaps(rows) else np.zeros(rows.shape[1], dtype=bool)
    encoder = TableEncoder(
        schema, encoding, levels={}, flagged=np.flatnonzero(gaps).tolist(), rare={}, daytime=[]
    )
    numbers = torch.from_numpy(rows.astype(np.float64))
    encoder.impute.fit(numbers, encoding.missing, encoding.fill)
    encoder.scale.fit(encoder.impute.fill_gaps(numbers) if gaps.any() else numbers)
    return encoder


def _fit_table(frame: pl.DataFrame, encoding: Encoding) -> TableEncoder:
    numbers = {name: "numeric" for name, dtype in frame.schema.items() if dtype.is_numeric()}
    inferred = infer(frame, kinds=numbers, conventions=Conventions(fold=encoding.fold_case))
    schema = Schema(
        columns=tuple(
            column.model_copy(update={"kind": "identifier"}) if column.kind == "text" else column
            for column in inferred.columns
        )
    )
    aside = "; ".join(f"'{column.name}' is {column.kind} ({column.why})" for column in schema.set_aside)
    if not schema.used:
        raise DataError(f"no column is left to learn from: {aside}.")
    if schema.set_aside:
        warnings.warn(f"columns that the network does not use: {aside}.", UserWarning, stacklevel=4)
    return TableEncoder.fit(_type_columns(frame, schema), schema, encoding)


def _type_columns(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    features, troubles = read_frame(frame, schema)
    if troubles:
        raise DataError([_describe(trouble) for trouble in troubles])
    return features


def _describe(trouble: Trouble) -> str:
    places = ", ".join(str(row + 1) for row in trouble.rows[:5]) + (" …" if len(trouble.rows) > 5 else "")
    return f"{trouble} in row {places}; expected what `fit` found there."


@torch.no_grad()
def encode(encoder: TableEncoder, rows: Rows) -> Float[Tensor, "rows width"]:
    """Rows as the network takes them, on the encoder's device."""
    device = cast(Tensor, encoder.impute.fill).device
    if isinstance(rows, pl.DataFrame):
        tensors = encoder.prepare(_type_columns(rows, encoder.schema))
        return encoder(*(tensor.to(device) for tensor in tensors))
    if encoder.encoding.scaling == "none" and not encoder.flagged and not _has_gaps(rows):
        return torch.from_numpy(_own_copy(rows.astype(np.float32, order="C", copy=False))).to(device)
    numbers = torch.from_numpy(rows.astype(np.float64)).to(device)
    return encoder(numbers, torch.zeros(len(rows), 0, dtype=torch.int64, device=device), numbers[:, :0])


def _has_gaps(rows: np.ndarray) -> bool:
    # A sum is quicker than a mask, and a NaN anywhere makes it NaN.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isnan(rows.sum(dtype=np.float64)))


def _own_copy(rows: np.ndarray) -> np.ndarray:
    # torch takes only arrays that may be written to
    return rows if rows.flags.writeable else rows.copy()

"""A forecast's test rows are those of its table, whatever the windows."""

import numpy as np
import polars as pl

from handrail.data.prepare import prepare
from handrail.recipe import Recipe

VALUES = pl.DataFrame({"y": np.random.default_rng(0).normal(size=120).round(1), "x": np.arange(120) % 7})


def _sealed(frame: pl.DataFrame, **data: object) -> np.ndarray:
    settings = {"task": "forecast", "target": "y", "source": frame, **data}
    return prepare(Recipe.parse({"data": settings}).data).sealed.hashes


def test_history_and_horizon_make_no_row_new():
    first = _sealed(VALUES, forecast={"horizon": 3, "history": 8})
    assert np.array_equal(first, _sealed(VALUES, forecast={"horizon": 5, "history": 12}))
    assert len(set(first.tolist())) == len(first)
    longer = _sealed(VALUES, forecast={"horizon": 3}, split={"test": 0.3})
    assert np.isin(first, longer).all()

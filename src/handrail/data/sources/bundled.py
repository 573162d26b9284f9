"""The small data sets that come with scikit-learn: `bundled:iris` and its kin."""

import polars as pl

from handrail.data.sources.cells import rename_columns
from handrail.data.table import Table
from handrail.errors import DataError, did_you_mean
from handrail.recipe.reading import ReadOptions

PREFIX = "bundled:"
NAMES = ("breast_cancer", "diabetes", "digits", "iris", "wine")


def read_example(source: str, *, options: ReadOptions) -> Table:
    """One of scikit-learn's data sets; its last column is `target`, with class names where the classes have
    names.

    Raises: `DataError` for an unknown name.
    """
    name = source.removeprefix(PREFIX)
    if name not in NAMES:
        raise DataError(f"there is no bundled data set '{name}'.{did_you_mean(name, NAMES)}")
    from sklearn import datasets

    # The diabetes data come scaled by a mean and a deviation of all rows unless we ask for them as measured.
    arguments = {"scaled": False} if name == "diabetes" else {}
    data = getattr(datasets, f"load_{name}")(**arguments)
    columns = {str(key): data.data[:, i] for i, key in enumerate(data.feature_names)}
    target = (
        data.target if name in ("digits", "diabetes") else [str(data.target_names[i]) for i in data.target]
    )
    frame = pl.DataFrame({**columns, "target": target})
    return Table(rename_columns(frame, options.names, source), source)

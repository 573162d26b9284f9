"""Pickles, which can run any code when they are opened: only with the user's word, and then with a warning."""

import pickle
import warnings

from handrail.data.sources.objects import from_object
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions


def read_pickle(data: bytes, name: str, *, options: ReadOptions) -> Table:
    """A pickled data frame, dictionary of arrays or list of records.

    Raises: `DataError` unless `allow_pickle` is set (nothing is run then), and for pickles that cannot be
    opened.
    """
    if not options.allow_pickle:
        raise DataError(
            f"{name} is a pickle, and opening a pickle can run any code. Nothing was run. If you trust "
            "whoever made it, "
            "give --allow-pickle (allow_pickle=True); better, save the table as Parquet or CSV where it came "
            "from."
        )
    warnings.warn(
        f"opening {name}: a pickle can run any code on this computer; open only what you made or trust.",
        UserWarning,
        stacklevel=2,
    )
    try:
        content = pickle.loads(data)  # noqa: S301 (the user has asked for it, and has been warned)
    except Exception as error:  # anything can go wrong here, for the content is a program
        raise DataError(f"{name} cannot be unpickled: {type(error).__name__}: {error}.") from error
    table = from_object(content, options=options)
    return Table(table.frame, name, first_row=table.first_row, notes=table.notes)

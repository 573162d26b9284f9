"""Numbers of one's own, written as lists or in a file, as an array."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from handrail.errors import DataError
from handrail.tools.files import expand_user

Row = list[float]
Rows = list[Row]
Written = str | Row | Rows | list[Rows]
Picture = Float[np.ndarray, "channels height width"]


def picture_of(written: Written, setting: str) -> Picture:
    """One row, rows, channels of rows, or the name of a file of rows, as channels of rows.

    Raises: `DataError` for a file that cannot be read, lengths that differ, and what is no finite number.
    """
    if isinstance(written, str):
        written = _rows_in(written, setting)
    try:
        array = np.array(written, dtype=np.float64)
    except ValueError:
        raise DataError(f"{setting}: found rows of several lengths, expected one length.") from None
    if not array.size or not np.isfinite(array).all():
        raise DataError(f"{setting}: expected one number or more, each of them finite.")
    return array.reshape((1,) * (3 - array.ndim) + array.shape)


def gradient_of(written: Written | None, shape: tuple[int, ...]) -> Float[np.ndarray, "down across"]:
    """∂L/∂y at each place of a map, 1 where nothing is written. Raises: `DataError` for another size."""
    if written is None:
        return np.ones(shape)
    found = picture_of(written, "gradient")
    if found.shape != (1, *shape):
        size = "×".join(map(str, found.shape[1:]))
        raise DataError(f"gradient: found {size} numbers, expected {shape[0]}×{shape[1]}, as the map.")
    return found[0]


def _rows_in(name: str, setting: str) -> Rows:
    path = expand_user(name)
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise DataError(f"{setting}: found no file of numbers '{name}' that could be read.") from None
    rows: Rows = []
    for place, line in enumerate(lines, start=1):
        cells = re.split(r"\s*[,;]\s*|\s+", line.strip())
        if cells == [""]:
            continue
        try:
            rows.append([float(cell) for cell in cells])
        except ValueError:
            raise DataError(
                f"{setting}: line {place} of {name} is '{line.strip()[:40]}'; expected numbers alone, with "
                "commas between them."
            ) from None
    return rows


def matrix_of(written: Rows, setting: str, *, shape: tuple[int | None, int | None]) -> np.ndarray:
    """Rows as a matrix. Raises: `DataError` for another shape than this one, in which None is any."""
    array = picture_of(written, setting)[0]
    if any(wanted not in (None, found) for wanted, found in zip(shape, array.shape, strict=True)):
        expected = "×".join("any" if side is None else str(side) for side in shape)
        raise DataError(f"{setting}: found {array.shape[0]}×{array.shape[1]} numbers, expected {expected}.")
    return array

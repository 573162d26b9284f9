"""Numbers, vectors and matrices as a worksheet writes them."""

import numpy as np

from handrail.report.wording import number
from handrail.traces.steps import Value

_DIGITS = 4


def cell_text(value: Value) -> str:
    """A number with four significant digits, a vector in brackets, a matrix line by line."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return f"({', '.join(map(number_text, value.tolist()))})"
    if isinstance(value, np.ndarray) and value.ndim > 1:
        lines = matrix_text(value)
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            " ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) for line in lines
        )
    return number_text(float(value))


def matrix_text(matrix: np.ndarray) -> list[list[str]]:
    """Each number of a matrix; of several matrices, one below the other."""
    lines = matrix.reshape(-1, matrix.shape[-1]).tolist()
    return [[number_text(entry) for entry in line] for line in lines]


def number_text(value: float) -> str:
    """As `wording.number`, with no more digits than there are."""
    if value == round(value) and abs(value) < 1e9:
        return number(value, digits=9)
    return number(value, digits=_DIGITS)

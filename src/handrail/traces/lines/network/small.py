"""A small network of numbers that are named, or drawn in tenths."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from handrail.errors import DataError
from handrail.traces.lines.network.passes import Array, Network
from handrail.traces.text import number_text

Numbers = list[float]
_ROW = [1.0, 2.0]
_WEIGHTS = [[[0.5, -1.0, 0.5], [-0.5, 1.0, 0.5]], [[0.5, 1.0, -1.0], [-1.0, 0.5, 1.0]]]


def small_network(
    *,
    inputs: Numbers | None,
    targets: Numbers | None,
    weights: list[list[Numbers]] | None,
    sizes: list[int] | None,
    activation: str | None,
    output: str | None,
    loss: str | None,
) -> Network:
    """A network and a row; arguments as in `backpropagation`.

    Raises: `DataError` for numbers that do not fit each other, and settings that would do nothing.
    """
    matrices = _matrices(weights, sizes)
    activations, loss = _functions(matrices, activation, output, loss)
    count, units = matrices[0].shape[1] - 1, len(matrices[-1])
    row = [_ROW[place % 2] for place in range(count)] if inputs is None else inputs
    wanted = [1.0] + [0.0] * (units - 1) if targets is None else targets
    for name, values, expected in (("inputs", row, count), ("targets", wanted, units)):
        if len(values) != expected:
            raise DataError(f"{name}: found {len(values)} numbers, expected {expected}, as the weights have.")
    if loss == "cross_entropy":
        _check_shares(wanted)
    return Network(matrices, activations, loss, np.array(row, np.float64), np.array(wanted, np.float64))


def _matrices(weights: list[list[Numbers]] | None, sizes: list[int] | None) -> tuple[Array, ...]:
    """The weights. Raises: `DataError` for matrices that do not fit each other, and fewer than two sizes."""
    if weights is not None and sizes is not None:
        raise DataError("sizes: found beside weights, which have sizes of their own; name one of the two.")
    if sizes is not None:
        if len(sizes) < 2:
            raise DataError(f"sizes: found {len(sizes)}, expected two or more: inputs, and units of a layer.")
        rng = np.random.default_rng(0)
        return tuple(rng.integers(-9, 10, (units, count + 1)) / 10.0 for count, units in pairwise(sizes))
    lines = _WEIGHTS if weights is None else weights
    units: int | None = None
    for place, matrix in enumerate(lines, start=1):
        lengths = {len(line) for line in matrix}
        if len(lengths) != 1 or (units is not None and lengths != {units + 1}) or lengths & {0, 1}:
            expected = "two or more numbers" if units is None else f"{units + 1} numbers"
            found = ", ".join(map(str, sorted(lengths))) or "none"
            raise DataError(
                f"weights: found lines of {found} numbers in layer {place}, expected {expected} in each: the "
                "bias, and one for each input."
            )
        units = len(matrix)
    if units is None:
        raise DataError("weights: found none, expected a matrix for each layer.")
    return tuple(np.array(matrix, dtype=np.float64) for matrix in lines)


def _functions(
    matrices: Sequence[Array], activation: str | None, output: str | None, loss: str | None
) -> tuple[tuple[str, ...], str]:
    """The activation of each layer, and the loss. Raises: `DataError` for what would do nothing."""
    if activation is not None and len(matrices) == 1:
        raise DataError("activation: found one, but no hidden layer; name the output's.")
    if loss == "cross_entropy" and output is not None:
        raise DataError(
            f"output: found {output} under cross_entropy, whose output is a sigmoid, or a softmax of "
            "several; leave it out."
        )
    hidden = (activation or "sigmoid",) * (len(matrices) - 1)
    if loss == "cross_entropy":
        return (*hidden, "sigmoid" if len(matrices[-1]) == 1 else "softmax"), "cross_entropy"
    return (*hidden, output or activation or "sigmoid"), "squared_error"


def _check_shares(targets: Numbers) -> None:
    """Raises: `DataError` for targets that are no probabilities."""
    total = sum(targets)
    if min(targets) < 0 or max(targets) > 1 or (len(targets) > 1 and abs(total - 1) > 1e-9):
        several = ", which sum to 1" if len(targets) > 1 else ""
        found = ", ".join(map(number_text, targets))
        raise DataError(f"targets: found {found}, expected probabilities under cross_entropy{several}.")

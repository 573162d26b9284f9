"""Noise on the inputs beside ridge regression: in the mean they are the same."""

from dataclasses import dataclass
from itertools import product
from typing import Annotated

import numpy as np
from jaxtyping import Float
from pydantic import Field

from handrail.components import component
from handrail.components.arguments import Count, Finite, Positive
from handrail.components.pictures import Lines
from handrail.traces.generalising.regression_rows import regression_rows
from handrail.traces.given import Given, refuse_given
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.text import number_text
from handrail.traces.trace import Trace

Numbers = list[Finite]
Matrix = Float[np.ndarray, "weights weights"]
Weights = Float[np.ndarray, " weights"]
CopyCount = Annotated[int, Field(gt=0, le=100_000)]
_TABLE = [[2.0, 1.0, 8.0], [1.0, 2.0, 4.0], [2.0, 1.0, 6.0], [1.0, 2.0, 6.0]]
_COPIES: list[CopyCount] = [1, 10, 100, 1000, 10_000]
_AT_ONCE = 1 << 20  # numbers of noisy copies
_MOST_SIGNS = 12  # inputs whose signs are all taken
_REMARK = (
    "The noise has to have mean 0, variance σ² and no connection between the inputs; it need not be normal. "
    "Noise of ±σ, each sign once with every other, is no longer chance, and gives ridge exactly."
)


@dataclass(frozen=True, eq=False)
class _Sums:
    """What least squares needs of the rows, a copy of them in the mean."""

    squares: Matrix
    pulls: Weights

    @property
    def weights(self) -> Weights:
        """Those of least squares; the shortest, where there are several."""
        return np.linalg.lstsq(self.squares, self.pulls, rcond=None)[0]


@component("trace")
def input_noise(
    given: Given | None,
    *,
    table: list[Numbers] | None = None,
    sigma: Positive = 0.5,
    copies: Annotated[list[CopyCount], Field(min_length=1)] = _COPIES,
    seed: int = 0,
    shown: Count = 8,
) -> Trace:
    """Least squares on noisy inputs is ridge in the mean: E‖(X + N)w − t‖² = ‖Xw − t‖² + nσ²‖w‖².

    N has a number of mean 0 and variance σ² for each of the n rows and each input, so that E NᵀN = nσ²·I: the
    weights are (XᵀX + λI)⁻¹Xᵀt with λ = nσ².

    Arguments:
        table: rows, each its numbers x with the target t behind them.
        sigma: σ of the noise.
        copies: of the rows, each with noise of its own, to simulate the mean by.
        seed: of the noise.
        shown: rows of the first table.

    Raises: `DataError` for rows of several lengths.

    Source: Bishop 1995; ridge: Hoerl & Kennard 1970
    """
    refuse_given(given, "input_noise")
    x, t = regression_rows(_TABLE if table is None else table)
    penalty = len(x) * sigma**2
    clean = _Sums(x.T @ x, x.T @ t)
    ridge = _Sums(clean.squares + penalty * np.eye(x.shape[1]), clean.pulls)
    noisy = _simulated(x, t, sigma, sorted(set(copies)), seed)
    tables = (_rows(x, t, sigma, shown), _both(clean, ridge, penalty), _copies(x, t, sigma, ridge, noisy))
    return Trace(
        "Noise on the inputs as L2",
        f"{len(x)} rows, σ = {sigma:g}",
        tables,
        "Bishop 1995",
        (_drawn(noisy, ridge),),
        (_REMARK,),
    )


def _rows(
    x: Float[np.ndarray, "rows weights"], t: Float[np.ndarray, " rows"], sigma: float, shown: int
) -> Steps:
    """What each row adds to the sums, without noise and with it in the mean."""
    noise = sigma**2 * np.eye(x.shape[1])
    lines: list[dict[str, Value]] = [
        {"x": row, "t": target, "x·xᵀ": np.outer(row, row), "E(x + ν)·(x + ν)ᵀ": np.outer(row, row) + noise}
        | {"t·x": target * row}
        for row, target in zip(x[:shown], t.tolist(), strict=False)
    ]
    cut = f" The first {shown} of {len(x):,} rows are shown." if len(x) > shown else ""
    return steps_of(
        "Row by row",
        lines,
        answers=("x·xᵀ", "E(x + ν)·(x + ν)ᵀ", "t·x"),
        formula=f"E(x + ν)·(x + ν)ᵀ = x·xᵀ + σ²·I    E t·(x + ν) = t·x, σ² = {sigma**2:g}",
        note=f"What is mixed, x·νᵀ, is 0 in the mean; σ² on the diagonal is what stays of the noise.{cut}",
    )


def _both(clean: _Sums, ridge: _Sums, penalty: float) -> Steps:
    sums = {"as they are": (0.0, clean), "noisy, in the mean": (penalty, ridge)}
    lines: list[dict[str, Value]] = [
        {"inputs": name, "λ": size, "XᵀX + λI": each.squares, "Xᵀt": each.pulls, "w": each.weights}
        | {"‖w‖": float(np.linalg.norm(each.weights))}
        for name, (size, each) in sums.items()
    ]
    return steps_of(
        "Least squares and ridge",
        lines,
        answers=("λ", "XᵀX + λI", "Xᵀt", "w", "‖w‖"),
        formula="(XᵀX + λI)·w = Xᵀt    λ = nσ²",
        note="Noise on the inputs makes the weights shorter, as a penalty λ‖w‖² does.",
    )


def _signs(x: Float[np.ndarray, "rows weights"], t: Float[np.ndarray, " rows"], sigma: float) -> _Sums:
    """The mean over copies with noise of ±σ, one for each choice of the signs."""
    chosen = sigma * np.array(list(product((-1.0, 1.0), repeat=x.shape[1])))
    moved = x + chosen[:, None]
    return _Sums(
        np.einsum("crw,crv->wv", moved, moved) / len(chosen), np.einsum("crw,r->w", moved, t) / len(chosen)
    )


def _simulated(
    x: Float[np.ndarray, "rows weights"],
    t: Float[np.ndarray, " rows"],
    sigma: float,
    copies: list[int],
    seed: int,
) -> dict[int, _Sums]:
    """The means over the first so many copies with normal noise."""
    generator = np.random.default_rng(seed)
    squares, pulls, drawn = np.zeros((x.shape[1], x.shape[1])), np.zeros(x.shape[1]), 0
    found: dict[int, _Sums] = {}
    for stop in copies:
        while drawn < stop:
            some = min(stop - drawn, max(1, _AT_ONCE // x.size))
            moved = x + sigma * generator.standard_normal((some, *x.shape))
            squares += np.einsum("crw,crv->wv", moved, moved)
            pulls += np.einsum("crw,r->w", moved, t)
            drawn += some
        found[stop] = _Sums(squares / drawn, pulls / drawn)
    return found


def _copies(
    x: Float[np.ndarray, "rows weights"],
    t: Float[np.ndarray, " rows"],
    sigma: float,
    ridge: _Sums,
    noisy: dict[int, _Sums],
) -> Steps:
    kinds = [("normal", count, each) for count, each in noisy.items()]
    if x.shape[1] <= _MOST_SIGNS:
        kinds.append(("±σ", 2 ** x.shape[1], _signs(x, t, sigma)))
    lines: list[dict[str, Value]] = [
        {"noise": name, "copies": count, "XᵀX": each.squares, "Xᵀt": each.pulls, "w": each.weights}
        | {"gap": float(np.abs(each.weights - ridge.weights).max())}
        for name, count, each in kinds
    ]
    weights = ", ".join(map(number_text, ridge.weights.tolist()))
    return steps_of(
        "Least squares on noisy copies",
        lines,
        answers=("w", "gap"),
        formula="XᵀX·w = Xᵀt, both the mean over the copies    gap = the largest |w − w of ridge|",
        note=f"The more copies, the nearer to ridge, w = ({weights}); the gap falls as 1/√copies.",
    )


def _drawn(noisy: dict[int, _Sums], ridge: _Sums) -> Lines:
    """How far the weights are from those of ridge."""
    gaps = [float(np.abs(each.weights - ridge.weights).max()) for each in noisy.values()]
    return Lines(
        "From noisy copies to ridge",
        np.log10(np.array(list(noisy), dtype=np.float64)),
        {"largest gap": np.array(gaps)},
        axes=("log₁₀ of the copies", "gap"),
    )

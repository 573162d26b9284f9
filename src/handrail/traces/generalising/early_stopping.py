"""Early stopping beside ridge regression: two ways to hold back the same directions."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np
from jaxtyping import Float
from pydantic import Field

from handrail.components import component
from handrail.components.arguments import Count, Finite, Positive
from handrail.components.pictures import Lines
from handrail.errors import DataError
from handrail.traces.generalising.regression_rows import regression_rows
from handrail.traces.given import Given, refuse_given
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.text import number_text
from handrail.traces.trace import Trace

Numbers = list[Finite]
Weights = Float[np.ndarray, " weights"]
_TABLE = [[2.0, 1.0, 8.0], [1.0, 2.0, 4.0], [2.0, 1.0, 6.0], [1.0, 2.0, 6.0]]
StepCount = Annotated[int, Field(gt=0, le=100_000)]
_STEPS: list[StepCount] = [1, 2, 4, 8, 16, 32]
_FLAT = 1e-12  # of the largest λ: a direction of which the rows say nothing
_REMARK = (
    "Both hold back most where the rows say least, in directions of small λ. What is missing there is "
    "(1 − ηλ)ᵏ after k steps and 1/(1 + ηλk) with ridge: alike where ηλk is small; where it is large, ridge "
    "comes later."
)


@dataclass(frozen=True, eq=False)
class _Problem:
    """Least squares, turned into the directions in which each weight can be found by itself.

    Arguments:
        sizes: λ, the eigenvalues of XᵀX, the largest first.
        directions: q, the eigenvectors, as columns.
        solution: q·w of the least-squares weights w, 0 where λ is.
    """

    x: Float[np.ndarray, "rows weights"]
    t: Float[np.ndarray, " rows"]
    sizes: Weights
    directions: Float[np.ndarray, "weights weights"]
    solution: Weights


@component("trace")
def early_stopping(
    given: Given | None,
    *,
    table: list[Numbers] | None = None,
    learning_rate: Positive = 0.05,
    steps: Annotated[list[StepCount], Field(min_length=1)] = _STEPS,
    shown: Count = 8,
) -> Trace:
    """After k steps w ← w − η·Xᵀ(Xw − t) from 0, each direction has 1 − (1 − ηλ)ᵏ of least squares.

    The directions are the eigenvectors of XᵀX, with eigenvalues λ. Ridge regression, the minimum of
    ½‖Xw − t‖² + ½α‖w‖², gives them λ/(λ + α); with α = 1/(ηk) it holds back the same directions.

    Arguments:
        table: rows, each its numbers x with the target t behind them.
        learning_rate: η.
        steps: k, the numbers of steps after which training is stopped.
        shown: rows and steps that the first two tables show.

    Raises: `DataError` for rows of several lengths, and a learning rate at which the steps grow without end.

    Source: Sjöberg & Ljung 1995; Goodfellow, Bengio & Courville 2016
    """
    refuse_given(given, "early_stopping")
    problem = _problem(*regression_rows(_TABLE if table is None else table))
    limit = 2 / problem.sizes[0]
    if learning_rate >= limit:
        raise DataError(
            f"learning_rate: found {learning_rate:g}, expected less than 2/λ = {limit:.4g} of the largest λ: "
            f"from there on the steps grow without end."
        )
    stops = sorted(set(steps))
    descent = _descent(problem, learning_rate, stops[-1])
    tables = (
        _rows(problem, shown),
        _walked(problem, descent, learning_rate, min(shown, stops[-1])),
        _turned(problem),
        _reached(problem, descent, learning_rate, stops),
        _compared(problem, descent, learning_rate, stops),
    )
    subject = f"{len(problem.x)} rows, {problem.x.shape[1]} weights"
    picture = _drawn(problem, learning_rate, stops[-1])
    return Trace("Early stopping as L2", subject, tables, "Sjöberg & Ljung 1995", (picture,), (_REMARK,))


def _problem(x: Float[np.ndarray, "rows weights"], t: Float[np.ndarray, " rows"]) -> _Problem:
    sizes, directions = np.linalg.eigh(x.T @ x)
    sizes, directions = np.maximum(sizes[::-1], 0.0), directions[:, ::-1]
    signs = np.where(directions[np.abs(directions).argmax(axis=0), np.arange(len(sizes))] < 0, -1.0, 1.0)
    directions = directions * signs
    sizes = np.where(sizes > _FLAT * sizes[0], sizes, 0.0)
    pulled = directions.T @ (x.T @ t)
    solution = np.divide(pulled, sizes, out=np.zeros_like(pulled), where=sizes > 0)
    return _Problem(x, t, sizes, directions, solution)


def _rows(problem: _Problem, shown: int) -> Steps:
    """The rows, and what each adds to the sums."""
    lines: list[dict[str, Value]] = [
        {"x": x, "t": float(t), "x·xᵀ": np.outer(x, x), "t·x": t * x}
        for x, t in zip(problem.x[:shown], problem.t, strict=False)
    ]
    return steps_of(
        "The rows",
        lines,
        answers=("x·xᵀ", "t·x"),
        formula="XᵀX = Σ x·xᵀ    Xᵀt = Σ t·x",
        note=f"The first {shown} of {len(problem.x):,} rows." if len(problem.x) > shown else "",
    )


def _descent(problem: _Problem, rate: float, count: int) -> list[Weights]:
    """w after 0, 1, 2 … steps, each worked out from the one before."""
    walked = [np.zeros(problem.x.shape[1])]
    for _ in range(count):
        walked.append(walked[-1] - rate * _gradient(problem, walked[-1]))
    return walked


def _gradient(problem: _Problem, w: Weights) -> Weights:
    return problem.x.T @ (problem.x @ w - problem.t)


def _walked(problem: _Problem, descent: list[Weights], rate: float, count: int) -> Steps:
    lines: list[dict[str, Value]] = [
        {"k": k, "w": w, "Xᵀ(Xw − t)": _gradient(problem, w), "w new": new}
        for k, (w, new) in enumerate(pairwise(descent[: count + 1]), start=1)
    ]
    return steps_of(
        "Gradient descent from 0",
        lines,
        answers=("Xᵀ(Xw − t)", "w new"),
        carried=("w",),
        formula=f"w new = w − η·Xᵀ(Xw − t), η = {rate:g}",
        note=f"The first {count} of {len(descent) - 1} steps.",
    )


def _turned(problem: _Problem) -> Steps:
    lines: list[dict[str, Value]] = [
        {"q": q, "λ": size, "q·Xᵀt": size * least, "q·w": least}
        for q, size, least in zip(problem.directions.T, problem.sizes, problem.solution, strict=True)
    ]
    return steps_of(
        "Least squares, direction by direction",
        lines,
        answers=("q·Xᵀt", "q·w"),
        formula="XᵀX·q = λ·q    q·w = q·Xᵀt/λ",
        note="In each direction q the weight can be found by itself. Where λ is 0 it stays at 0.",
    )


def _reached(problem: _Problem, descent: list[Weights], rate: float, stops: list[int]) -> Steps:
    lines: list[dict[str, Value]] = [
        {
            "k": k,
            "α": 1 / (rate * k),
            "λ": size,
            "1 − (1 − ηλ)ᵏ": 1 - (1 - rate * size) ** k,
            "of early stopping": float(q @ descent[k]) / least if least else 0.0,
            "λ/(λ + α)": size / (size + 1 / (rate * k)),
        }
        for k in stops
        for q, size, least in zip(problem.directions.T, problem.sizes, problem.solution, strict=True)
        if size > 0
    ]
    return steps_of(
        "Share of least squares in each direction",
        lines,
        answers=("α", "1 − (1 − ηλ)ᵏ", "of early stopping", "λ/(λ + α)"),
        formula=f"of early stopping = q·w after k steps / q·w of least squares    α = 1/(ηk), η = {rate:g}",
        note="Large λ are reached at once, small ones late; what ridge does by α, stopping does by k.",
    )


def _compared(problem: _Problem, descent: list[Weights], rate: float, stops: list[int]) -> Steps:
    lines: list[dict[str, Value]] = []
    for k in stops:
        shares = 1 - (1 - rate * problem.sizes) ** k
        ridge = problem.sizes / (problem.sizes + 1 / (rate * k))
        by_formula, held = (problem.directions @ (part * problem.solution) for part in (shares, ridge))
        gap = float(np.abs(descent[k] - by_formula).max())
        weights: dict[str, Value] = {"w after k steps": descent[k], "w by the formula": by_formula}
        lines.append({"k": k, **weights, "gap": gap, "w of ridge": held})
    least = problem.directions @ problem.solution
    return steps_of(
        "The weights after k steps",
        lines,
        answers=("w after k steps", "w by the formula", "gap", "w of ridge"),
        formula="w by the formula = Σ (1 − (1 − ηλ)ᵏ)·(q·w)·q    w of ridge = Σ λ/(λ + α)·(q·w)·q",
        note=f"Least squares, the end of both: w = ({', '.join(map(number_text, least.tolist()))}).",
    )


def _drawn(problem: _Problem, rate: float, last: int) -> Lines:
    k = np.arange(last + 1, dtype=np.float64)
    curves: dict[str, np.ndarray] = {}
    for size in sorted(set(problem.sizes[problem.sizes > 0].tolist()), reverse=True)[:3]:
        curves[f"stopping, λ = {size:.4g}"] = 1 - (1 - rate * size) ** k
        curves[f"ridge, λ = {size:.4g}"] = rate * k * size / (rate * k * size + 1)
    return Lines("Share of least squares after k steps", k, curves, axes=("k", "share"))

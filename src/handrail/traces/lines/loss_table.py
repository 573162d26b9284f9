"""Losses by hand: absolute and squared errors of the same rows, and cross-entropy with its brackets."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from handrail.components import component
from handrail.components.arguments import Count, Finite, Fraction
from handrail.errors import DataError
from handrail.traces.given import Given, refuse_given
from handrail.traces.lines.network.passes import Array
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.text import number_text
from handrail.traces.trace import Trace

Errors = Annotated[list[Finite], Field(min_length=1)]
_CASES: Mapping[str, list[float]] = {  # of lecture 003
    "Case 1, evenly distributed": [2.0] * 10,
    "Case 2, small variance": [1.0] * 5 + [3.0] * 5,
    "Case 3, a large outlier": [0.0] * 9 + [20.0],
}
_LARGEST = 1e150  # whose square is still a number
_REMARKS = (
    "Squared error is printed with ½ in 004, and without it in 002 and 003. The best weights are the same; "
    "every gradient differs by the factor 2, as if η were doubled.",
    "003 prints binary cross-entropy as −(1/N)·Σ y·log ŷ + (1 − y)·log(1 − ŷ), without brackets. Read as it "
    "stands, the minus is that of the first term alone; −(1/N)·Σ[y·log ŷ + (1 − y)·log(1 − ŷ)] is meant.",
    "003 calls the same formula the loss of a single row i, with a sum over rows in it; that is their mean.",
)


@component("trace")
def loss_table(
    given: Given | None,
    *,
    errors: Annotated[list[Errors], Field(min_length=1)] | None = None,
    chances: Annotated[list[Fraction], Field(min_length=1)] = [0.1, 0.5, 0.9],  # noqa: B006 - never changed
    shown: Count = 10,
) -> Trace:
    """MAE = Σ|e|/n and RMSE = √(Σe²/n) of the same errors, with MAE ≤ RMSE ≤ MAE·√n; then cross-entropy.

    Arguments:
        errors: lists of errors e = t − y to be compared, in place of the three cases of lecture 003.
        chances: probabilities p of class 1, for which cross-entropy is worked out under both targets.
        shown: errors of each case, at most; the sums are over all.

    Raises: `DataError` for errors whose squares are beyond all numbers.

    Source: Willmott & Matsuura 2005
    """
    refuse_given(given, "loss_table")
    cases = _CASES
    if errors is not None:
        cases = {f"Case {place}": each for place, each in enumerate(errors, start=1)}
    largest = max(abs(error) for each in cases.values() for error in each)
    if largest > _LARGEST:
        raise DataError(f"errors: found {largest:g}, expected them within ±{_LARGEST:g}.")
    known = {name: np.array(each, dtype=np.float64) for name, each in cases.items()}
    tables = (
        *(_case_table(name, each, shown) for name, each in known.items()),
        _compared(known),
        _halved(known, shown),
        _cross_entropy(chances),
    )
    subject = "three cases of ten errors" if errors is None else f"{len(errors)} lists of errors"
    return Trace("Losses", subject, tables, "Willmott & Matsuura 2005", remarks=_REMARKS)


def _case_table(name: str, errors: Array, shown: int) -> Steps:
    lines: list[dict[str, Value]] = [
        {"row": place, "e": error, "|e|": abs(error), "e²": error**2}
        for place, error in enumerate(errors[:shown].tolist(), start=1)
    ]
    left = len(errors) - len(lines)
    note = f"{left} more rows are not shown (shown)." if left else ""
    return steps_of(name, lines, answers=("|e|", "e²"), note=note)


def _compared(cases: Mapping[str, Array]) -> Steps:
    lines: list[dict[str, Value]] = []
    for name, errors in cases.items():
        count, size, square = len(errors), float(np.abs(errors).sum()), float((errors**2).sum())
        mae, rmse = size / count, math.sqrt(square / count)
        sums = {"n": count, "Σ|e|": size, "Σe²": square}
        lines.append({"case": name, **sums, "MAE": mae, "RMSE": rmse, "MAE·√n": mae * math.sqrt(count)})
    return steps_of(
        "MAE and RMSE",
        lines,
        answers=("Σ|e|", "Σe²", "MAE", "RMSE", "MAE·√n"),
        formula="MAE = Σ|e|/n    RMSE = √(Σe²/n)    MAE ≤ RMSE ≤ MAE·√n",
        note="RMSE is MAE where all errors are of one size, and MAE·√n where a single row has all of it.",
    )


def _halved(cases: Mapping[str, Array], shown: int) -> Steps:
    sizes = np.unique(np.abs(np.concatenate(list(cases.values()))))
    lines: list[dict[str, Value]] = [
        {"e": error, "e²": error**2, "∂e²/∂y": -2 * error, "½e²": error**2 / 2, "∂(½e²)/∂y": -error}
        for error in sizes[:shown].tolist()
    ]
    left = len(sizes) - len(lines)
    return steps_of(
        "With and without ½",
        lines,
        answers=("e²", "∂e²/∂y", "½e²", "∂(½e²)/∂y"),
        formula="e = t − y, so that ∂e²/∂y = −2e and ∂(½e²)/∂y = −e",
        note="The ½ is there to cancel the 2."
        + (f" {left} more sizes are not shown (shown)." if left else ""),
    )


def _cross_entropy(chances: Sequence[float]) -> Steps:
    lines: list[dict[str, Value]] = []
    for target in (1, 0):
        for chance in chances:
            first, second = target * math.log(chance), (1 - target) * math.log1p(-chance)
            terms = {"t·log p": first, "(1 − t)·log(1 − p)": second}
            lines.append(
                {"t": target, "p": chance, **terms, "loss": -(first + second), "as printed": -first + second}
            )
    worst = number_text(max(chances))
    return steps_of(
        "Binary cross-entropy",
        lines,
        answers=("t·log p", "(1 − t)·log(1 − p)", "loss", "as printed"),
        formula="loss = −[t·log p + (1 − t)·log(1 − p)]    as printed: −t·log p + (1 − t)·log(1 − p)",
        note=f"For t = 1 both are the same. For t = 0 what is printed is below 0, and least at p = {worst}: "
        "it would reward the wrong answer.",
    )

"""No free lunch: over all Boolean functions of three inputs every rule is right half of the time."""

from collections.abc import Callable
from typing import Annotated

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from handrail.components import component
from handrail.components.arguments import Count
from handrail.errors import DataError
from handrail.traces.given import Given, refuse_given
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.trace import Trace

Bit = Annotated[int, Field(ge=0, le=1)]
RowNumber = Annotated[int, Field(ge=1, le=8)]
Rows = Float[np.ndarray, "rows 3"]
Targets = Float[np.ndarray, "functions rows"]
Answers = Float[np.ndarray, "functions asked"]
Rule = Callable[[Rows, Targets, Float[np.ndarray, "asked 3"]], Answers]
_INPUTS = np.array(list(np.ndindex(2, 2, 2)), dtype=np.float64)
_FUNCTIONS = np.array(list(np.ndindex(*[2] * 8)), dtype=np.float64)  # the targets of the eight rows in each
_ENOUGH = 200  # passes after which a perceptron of three inputs has found its line, if there is one
_TRUTH: list[Bit] = [0, 0, 0, 1, 0, 1, 1, 1]  # whether two inputs or more are 1
_ASKED: list[RowNumber] = [7, 8]
_REMARK = (
    "A rule is better than chance only where some functions are more likely than others, and it suits them: "
    "among those that a plane can separate, the perceptron is."
)


@component("trace")
def no_free_lunch(
    given: Given | None,
    *,
    truth: Annotated[list[Bit], Field(min_length=8, max_length=8)] = _TRUTH,
    asked: Annotated[list[RowNumber], Field(min_length=1, max_length=7)] = _ASKED,
    passes: Count = 20,
) -> Trace:
    """Over all 256 Boolean functions of three inputs, each rule's accuracy on rows not trained is exactly ½.

    Whatever a rule answers by the trained rows, half of the functions that agree with these say otherwise.
    The rules: always 0; the more frequent target; that of the nearest row; a perceptron.

    Arguments:
        truth: the example's function: the targets of the eight rows 000, 001, 010 … 111.
        asked: rows that are not trained, counted from 1.
        passes: of the perceptron over the trained rows, at most.

    Raises: `DataError` for a row that is asked twice.

    Source: Wolpert 1996
    """
    refuse_given(given, "no_free_lunch")
    if len(set(asked)) < len(asked):
        raise DataError("asked: expected each row once.")
    apart = np.array(sorted(asked)) - 1
    rules: dict[str, Rule] = {
        "always 0": _never,
        "frequent": _frequent,
        "nearest": _nearest,
        "perceptron": lambda x, t, new: _answer(_learn(x, t, passes), new),
    }
    known = np.delete(np.arange(8), apart)
    answers = {
        name: rule(_INPUTS[known], _FUNCTIONS[:, known], _INPUTS[apart]) for name, rule in rules.items()
    }
    example = np.array(truth, dtype=np.float64)
    alike = np.flatnonzero((_FUNCTIONS[:, known] == example[known]).all(axis=1))
    tables = (
        _rows(example, apart),
        _learned(answers, alike[0], example[known]),
        _agreeing(answers, alike, apart),
        _all(answers, apart),
    )
    subject = f"256 functions, {len(known)} rows trained, {len(apart)} asked"
    return Trace("No free lunch", subject, tables, "Wolpert 1996", remarks=(_REMARK,))


def _never(x: Rows, targets: Targets, new: Float[np.ndarray, "asked 3"]) -> Answers:
    return np.zeros((len(targets), len(new)))


def _frequent(x: Rows, targets: Targets, new: Float[np.ndarray, "asked 3"]) -> Answers:
    """0 where both targets are as frequent."""
    return np.repeat(targets.mean(axis=1, keepdims=True) > 0.5, len(new), axis=1).astype(np.float64)


def _nearest(x: Rows, targets: Targets, new: Float[np.ndarray, "asked 3"]) -> Answers:
    """The target of the row that differs in the fewest inputs, the first of several."""
    return targets[:, np.abs(new[:, None] - x).sum(axis=2).argmin(axis=1)]


def _learn(x: Rows, targets: Targets, passes: int) -> Float[np.ndarray, "functions 4"]:
    """Rosenblatt's rule from weights of 0, for all functions at once."""
    rows = np.hstack([np.ones((len(x), 1)), x])
    weights = np.zeros((len(targets), rows.shape[1]))
    for _ in range(passes):
        before = weights.copy()
        for row, target in zip(rows, targets.T, strict=True):
            weights += (target - (weights @ row > 0))[:, None] * row
        if np.array_equal(before, weights):
            break
    return weights


def _answer(weights: Float[np.ndarray, "functions 4"], x: Float[np.ndarray, "asked 3"]) -> Answers:
    return (weights[:, :1] + weights[:, 1:] @ x.T > 0).astype(np.float64)


def _rows(truth: Float[np.ndarray, " rows"], apart: Int[np.ndarray, " asked"]) -> Steps:
    lines: list[dict[str, Value]] = [
        {"row": place + 1, "x": x, "t": truth[place], "use": "asked" if place in apart else "trained"}
        for place, x in enumerate(_INPUTS)
    ]
    return steps_of("The rows", lines, note="A rule is shown the targets of the trained rows alone.")


def _learned(answers: dict[str, Answers], place: np.intp, trained: Float[np.ndarray, " rows"]) -> Steps:
    lines: list[dict[str, Value]] = [
        {"rule": name, "t of the trained rows": trained, "y of the asked rows": each[place]}
        for name, each in answers.items()
    ]
    return steps_of(
        "What the rules say of the asked rows",
        lines,
        answers=("y of the asked rows",),
        formula="frequent: 0 where both are as frequent    nearest: the first of several nearest rows",
    )


def _agreeing(
    answers: dict[str, Answers], alike: Int[np.ndarray, " some"], apart: Int[np.ndarray, " asked"]
) -> Steps:
    lines: list[dict[str, Value]] = []
    right = {name: (each[alike] == _FUNCTIONS[alike][:, apart]).sum(axis=1) for name, each in answers.items()}
    for number, place in enumerate(alike):
        counts: dict[str, Value] = {name: int(each[number]) for name, each in right.items()}
        lines.append({"function": number + 1, "t of the asked rows": _FUNCTIONS[place, apart], **counts})
    totals = " or ".join(str(total) for total in sorted({int(each.sum()) for each in right.values()}))
    return steps_of(
        "All functions that agree with the trained rows",
        lines,
        answers=tuple(answers),
        formula="below each rule: how many of the asked rows it answers as that function does",
        note=f"Each rule is right in {totals} of {len(alike) * len(apart)} answers, which is half.",
    )


def _all(answers: dict[str, Answers], apart: Int[np.ndarray, " asked"]) -> Steps:
    """Every rule over all functions, and over those that a line can separate."""
    easy = (_answer(_learn(_INPUTS, _FUNCTIONS, _ENOUGH), _INPUTS) == _FUNCTIONS).all(axis=1)
    lines: list[dict[str, Value]] = []
    for name, each in answers.items():
        right = each == _FUNCTIONS[:, apart]
        line: dict[str, Value] = {"rule": name, "right": int(right.sum()), "of": right.size}
        mean = {"accuracy": right.sum() / right.size, "if separable": right[easy].sum() / right[easy].size}
        lines.append(line | mean)
    return steps_of(
        "All 256 functions",
        lines,
        answers=("right", "accuracy", "if separable"),
        formula=f"accuracy = right/of    if separable: over the {int(easy.sum())} that a plane can separate",
        note="Each rule is right in exactly half of all cases: none is better than another, or than chance.",
    )

"""A Gibbs step of a restricted Boltzmann machine, and what contrastive divergence makes of it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from handrail.components import component
from handrail.components.arguments import Count, Finite, Positive
from handrail.components.pictures import Tiles
from handrail.errors import DataError
from handrail.models.rbm import RBM
from handrail.traces.alone.found import (
    Shown,
    as_matrix,
    as_sheet,
    part_and_row,
)
from handrail.traces.given import Given
from handrail.traces.reached import plain, refuse_with_run
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.trace import Trace

Numbers = list[Finite]
Visible = Float[np.ndarray, " visible"]
Hidden = Float[np.ndarray, " hidden"]
_VISIBLE = [1.0, 0.0, 1.0]
_WEIGHTS = [[1.0, -1.0], [2.0, 0.0], [-1.0, 3.0]]
_HIDDEN_BIAS = [0.0, -1.0]
_DRAWS = [0.3, 0.8, 0.5, 0.9, 0.6]
_REMARK = (
    "The change takes the probabilities p and p′ where it could take the states h and h′: "
    "they have the same mean and less noise."
)


@dataclass(frozen=True)
class _Machine:
    """Weights, biases, and whether visible units are Gaussian ones of variance 1 in place of 0 and 1."""

    weights: Float[np.ndarray, "visible hidden"]
    visible_bias: Visible
    hidden_bias: Hidden
    gaussian: bool = False


@dataclass(frozen=True)
class _Step:
    """Inputs, means and draws, in the order in which they are worked out."""

    v: Visible
    hidden_input: Hidden
    p: Hidden
    hidden_draws: Hidden
    h: Hidden
    visible_input: Visible
    mean: Visible
    visible_draws: Visible
    v_new: Visible
    again_input: Hidden
    p_new: Hidden


@component("trace")
def gibbs(
    given: Given | None,
    *,
    visible: Numbers | None = None,
    weights: list[Numbers] | None = None,
    visible_bias: Numbers | None = None,
    hidden_bias: Numbers | None = None,
    draws: Numbers | None = None,
    seed: int | None = None,
    learning_rate: Positive = 0.1,
    shown: Count = 8,
    numbers: Count = 6,
) -> Trace:
    """A Gibbs step, h = 1 if u < σ(c + v·W), v′ = 1 if u < σ(b + W·h), and ΔW = η·(v·p − v′·p′) (CD-1).

    p and p′ are the probabilities of the hidden units for v and for v′. Follows the restricted machine of a
    run, from its row as v; its visible units may be Gaussian: v′ = b + W·h + n.

    Arguments:
        visible: v, the states of the visible units.
        weights: W, a row for each visible unit, a column for each hidden one.
        visible_bias: b; by default 0.
        hidden_bias: c; by default 0, and in the example (0, −1).
        draws: u, numbers from 0 to 1, those of the hidden units first; n for Gaussian visible units.
        seed: from which they are drawn in place of those; by default 0, and those of the example.
        learning_rate: η.
        shown: units of each kind that the tables show.
        numbers: those of a vector that they show.

    Raises: `DataError` for numbers that do not fit the weights, and a run without a restricted machine of
        binary hidden units.

    Source: Hinton 2002; restricted machines: Smolensky 1986
    """
    if given is None:
        machine, v = _own(visible, weights, visible_bias, hidden_bias)
        subject = "an example by hand" if weights is None else f"{v.size} visible units"
        if weights is None and draws is None and seed is None:
            draws = _DRAWS
    else:
        own = {"visible": visible, "weights": weights}
        refuse_with_run({**own, "visible_bias": visible_bias, "hidden_bias": hidden_bias})
        (machine, v), subject = _followed(given), given.subject
    step = _stepped(machine, v, _draws(machine, draws, seed))
    tables = _tables(machine, step, learning_rate, Shown(shown, numbers))
    title = "Gibbs step of a restricted Boltzmann machine"
    return Trace(title, subject, tables, "Hinton 2002", (_drawn(step),), (_REMARK,))


def _own(
    visible: Numbers | None,
    weights: list[Numbers] | None,
    visible_bias: Numbers | None,
    hidden_bias: Numbers | None,
) -> tuple[_Machine, Visible]:
    """The machine of the settings, and v. Raises: `DataError` for numbers that do not fit the weights."""
    matrix = as_matrix(_WEIGHTS if weights is None else weights, "weights")
    usual = _HIDDEN_BIAS if weights is None else [0.0] * matrix.shape[1]
    parts = {
        "visible": (_or(visible, _VISIBLE), matrix.shape[0]),
        "visible_bias": (_or(visible_bias, [0.0] * matrix.shape[0]), matrix.shape[0]),
        "hidden_bias": (_or(hidden_bias, usual), matrix.shape[1]),
    }
    for name, (numbers, expected) in parts.items():
        if len(numbers) != expected:
            raise DataError(
                f"{name}: found {len(numbers)}, expected {expected}, as the weights are "
                f"{matrix.shape[0]} × {matrix.shape[1]}."
            )
    v, b, c = (np.array(numbers, dtype=np.float64) for numbers, _ in parts.values())
    return _Machine(matrix, b, c), v


def _or(numbers: Numbers | None, usual: Numbers) -> Numbers:
    return usual if numbers is None else numbers


def _followed(given: Given) -> tuple[_Machine, Visible]:
    """The machine of a run, and its row."""
    machine, v = part_and_row(given, RBM, what="restricted Boltzmann machine (model=rbm)")
    if machine.hidden != "binary":
        raise DataError(f"run: found {machine.hidden} hidden units, expected binary ones.")
    weights, own = plain(machine.weights), plain(machine.hidden_bias)
    return _Machine(weights, plain(machine.visible_bias), own, machine.visible == "gaussian"), v


def _draws(machine: _Machine, draws: Numbers | None, seed: int | None) -> tuple[Hidden, Visible]:
    """Numbers for the hidden and the visible units. Raises: `DataError` for others than are needed."""
    visible, hidden = machine.weights.shape
    if draws is None:
        generator = np.random.default_rng(seed or 0)
        first = generator.random(hidden)
        return first, generator.standard_normal(visible) if machine.gaussian else generator.random(visible)
    if seed is not None:
        raise DataError("seed: has no effect beside draws; leave out one of the two.")
    if len(draws) != hidden + visible:
        raise DataError(
            f"draws: found {len(draws)}, expected {hidden + visible}: {hidden} for the hidden units, then "
            f"{visible} for the visible ones."
        )
    numbers = np.array(draws, dtype=np.float64)
    uniform = numbers[:hidden] if machine.gaussian else numbers
    if ((uniform < 0) | (uniform > 1)).any():
        raise DataError("draws: expected numbers from 0 to 1, against which probabilities are held.")
    return numbers[:hidden], numbers[hidden:]


def _stepped(machine: _Machine, v: Visible, draws: tuple[Hidden, Visible]) -> _Step:
    """From v to h, to v′, and to the probabilities of the hidden units there."""
    u_hidden, u_visible = draws
    hidden_input = machine.hidden_bias + v @ machine.weights
    p = _sigmoid(hidden_input)
    h = (u_hidden < p).astype(np.float64)
    visible_input = machine.visible_bias + machine.weights @ h
    mean = visible_input if machine.gaussian else _sigmoid(visible_input)
    v_new = mean + u_visible if machine.gaussian else (u_visible < mean).astype(np.float64)
    again = machine.hidden_bias + v_new @ machine.weights
    p_new = _sigmoid(again)
    return _Step(v, hidden_input, p, u_hidden, h, visible_input, mean, u_visible, v_new, again, p_new)


def _sigmoid(x: Float[np.ndarray, " units"]) -> Float[np.ndarray, " units"]:
    """1/(1 + e⁻ˣ), which does not overflow in this form."""
    return np.exp(-np.logaddexp(0.0, -x))


def _tables(machine: _Machine, step: _Step, rate: float, shown: Shown) -> tuple[Steps, ...]:
    return (
        _hidden(machine, step, shown),
        _visible(machine, step, shown),
        _again(machine, step, shown),
        _weights(machine, step, rate, shown),
        _biases(machine, step, rate, shown),
    )


def _hidden(machine: _Machine, step: _Step, shown: Shown) -> Steps:
    lines: list[dict[str, Value]] = [
        {
            "j": j + 1,
            "v": step.v[: shown.numbers],
            "W_·j": machine.weights[: shown.numbers, j],
            "c": machine.hidden_bias[j],
            "c + v·W_·j": step.hidden_input[j],
            "p": step.p[j],
            "u": step.hidden_draws[j],
            "h": step.h[j],
        }
        for j in range(min(shown.lines, len(step.h)))
    ]
    note = "Given v, the hidden units do not depend on each other, so that all are drawn at once."
    return steps_of(
        "Hidden units by the visible ones",
        lines,
        answers=("c + v·W_·j", "p", "h"),
        formula="p = σ(c + v·W_·j), σ(x) = 1/(1 + e⁻ˣ)    h = 1 if u < p, else 0",
        note=note + _cut(step, shown),
    )


def _visible(machine: _Machine, step: _Step, shown: Shown) -> Steps:
    mean, draw = ("mean", "n") if machine.gaussian else ("p", "u")
    lines: list[dict[str, Value]] = [
        {
            "i": i + 1,
            "h": step.h[: shown.numbers],
            "W_i·": machine.weights[i, : shown.numbers],
            "b": machine.visible_bias[i],
            "b + W_i·h": step.visible_input[i],
            mean: step.mean[i],
            draw: step.visible_draws[i],
            "v′": step.v_new[i],
        }
        for i in range(min(shown.lines, len(step.v)))
    ]
    binary, normal = "p = σ(b + W_i·h)    v′ = 1 if u < p, else 0", "mean = b + W_i·h    v′ = mean + n"
    return steps_of(
        "Visible units by the hidden ones",
        lines,
        answers=("h", "b + W_i·h", mean, "v′"),
        formula=normal if machine.gaussian else binary,
        note=f"What the machine itself draws in place of v.{_cut(step, shown)}",
    )


def _again(machine: _Machine, step: _Step, shown: Shown) -> Steps:
    lines: list[dict[str, Value]] = [
        {
            "j": j + 1,
            "v′": step.v_new[: shown.numbers],
            "W_·j": machine.weights[: shown.numbers, j],
            "c": machine.hidden_bias[j],
            "c + v′·W_·j": step.again_input[j],
            "p′": step.p_new[j],
        }
        for j in range(min(shown.lines, len(step.h)))
    ]
    return steps_of(
        "Hidden units by what was drawn",
        lines,
        answers=("v′", "c + v′·W_·j", "p′"),
        formula="p′ = σ(c + v′·W_·j)",
        note=f"Probabilities alone: after the last step nothing more is drawn.{_cut(step, shown)}",
    )


def _weights(machine: _Machine, step: _Step, rate: float, shown: Shown) -> Steps:
    lines: list[dict[str, Value]] = []
    for i in range(min(shown.lines, len(step.v))):
        ours, own = step.v[i] * step.p, step.v_new[i] * step.p_new
        change = rate * (ours - own)
        before = machine.weights[i]
        line = {"W_i·": before, "v·p": ours, "v′·p′": own, "ΔW_i·": change, "W_i· new": before + change}
        lines.append({"i": i + 1} | {name: value[: shown.numbers] for name, value in line.items()})
    note = "What goes together in the row is strengthened; what goes together in the machine's own is undone."
    return steps_of(
        "Change of the weights",
        lines,
        answers=("v·p", "v′·p′", "ΔW_i·", "W_i· new"),
        formula=f"ΔW_ij = η·(v_i·p_j − v′_i·p′_j), η = {rate:g}",
        note=note + _cut(step, shown),
    )


def _biases(machine: _Machine, step: _Step, rate: float, shown: Shown) -> Steps:
    parts = {
        "b": (machine.visible_bias, step.v, step.v_new),
        "c": (machine.hidden_bias, step.p, step.p_new),
    }
    lines: list[dict[str, Value]] = []
    for name, (bias, ours, own) in parts.items():
        change = rate * (ours - own)
        line = {"before": bias, "Δ": change, "new": bias + change}
        lines.append({"bias": name} | {key: value[: shown.numbers] for key, value in line.items()})
    return steps_of(
        "Change of the biases",
        lines,
        answers=("Δ", "new"),
        formula=f"Δb = η·(v − v′)    Δc = η·(p − p′), η = {rate:g}",
        note=_cut(step, shown).strip(),
    )


def _cut(step: _Step, shown: Shown) -> str:
    return shown.left_out(visible_units=len(step.v), hidden_units=len(step.h))


def _drawn(step: _Step) -> Tiles:
    pictures = np.stack([as_sheet(row) for row in (step.v, step.mean, step.v_new)])
    captions = ("v", "what the hidden units expect", "v′, drawn")
    return Tiles("The visible units before and after", pictures, columns=3, captions=captions)

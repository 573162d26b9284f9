"""A step of an LSTM, gate by gate: what the cells take in, keep, and show."""

from itertools import product

import numpy as np
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Lines
from handrail.errors import DataError
from handrail.traces.given import Given
from handrail.traces.layers.lstm_steps import Cells, Step, work_out
from handrail.traces.layers.numbers import Row, Rows, matrix_of
from handrail.traces.reached import first_reached, plain, refuse_with_run
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.trace import Trace

_GATES = ("input i", "forget f", "candidate g", "output o")  # in the order of torch's weights
_SHORT = 4  # numbers of a vector that is shown
_SOURCE = "Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000"
_INPUTS: Rows = [[1], [-1], [2]]
_INPUT_WEIGHTS: Rows = [[1], [0], [0], [1], [2], [-1], [1], [1]]
_STATE_WEIGHTS: Rows = [[0, 0], [0, 1], [1, 0], [0, 0], [0, 1], [1, 0], [0, 0], [0, -1]]
_BIASES: Row = [0, 0, 1, 1, 0, 0, 0, 1]


@component("trace")
def lstm(
    given: Given | None,
    *,
    inputs: Rows | None = None,
    input_weights: Rows | None = None,
    state_weights: Rows | None = None,
    biases: Row | None = None,
    steps: Count = 3,
    units: Count = 2,
) -> Trace:
    """c new = f·c + i·g and h new = o·tanh(c new), each gate of z = W·x + U·h + b, unit by unit.

    i, f, o = σ(z), and g = tanh(z), each with rows of W, U and b of its own. h and c begin at 0.

    Of a run the first LSTM layer of its network is followed, in the direction in which it reads forwards.

    Arguments:
        inputs: x of each step, a list of numbers each.
        input_weights: W, a row for each unit: those of i, then of f, g and o.
        state_weights: U, in the same order.
        biases: b, in the same order.
        steps, units: how many are shown at most; all are worked out.

    Raises: `DataError` for weights that do not fit each other or the inputs, a network without an LSTM, and
        settings without effect.

    Source: Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000
    """
    own = {"inputs": inputs, "input_weights": input_weights, "state_weights": state_weights}
    own |= {"biases": biases}
    if given is None:
        read = _example(inputs, input_weights, state_weights, biases)
        subject = f"{len(read.state)} units, {len(read.inputs)} steps"
    else:
        refuse_with_run(own)
        read, subject = _followed(given), f"the first LSTM layer, {given.subject}"
    worked, note = work_out(read), _left_out(read, steps, units)
    tables = (
        _gate_by_gate(read, worked[:steps], units, note),
        _cell_and_state(worked[:steps], units, note),
    )
    return Trace("LSTM", subject, tables, _SOURCE, (_drawn(worked, units),))


def _example(
    inputs: Rows | None, input_weights: Rows | None, state_weights: Rows | None, biases: Row | None
) -> Cells:
    x = matrix_of(_INPUTS if inputs is None else inputs, "inputs", shape=(None, None))
    rows = _STATE_WEIGHTS if state_weights is None else state_weights
    recurrent = matrix_of(rows, "state_weights", shape=(None, None))
    gates, units = recurrent.shape
    if gates != 4 * units:
        raise DataError(f"state_weights: found {gates} rows of {units}, expected four rows for each unit.")
    rows = _INPUT_WEIGHTS if input_weights is None else input_weights
    weights = matrix_of(rows, "input_weights", shape=(gates, x.shape[1]))
    bias = matrix_of([_BIASES if biases is None else biases], "biases", shape=(1, gates))[0]
    return Cells(x, weights, recurrent, bias, np.zeros(units), np.zeros(units))


def _followed(given: Given) -> Cells:
    layer, (x, *state) = first_reached(given, nn.LSTM, what="LSTM layer")
    if layer.proj_size:
        raise DataError("run: its LSTM has projected states (proj_size), which this trace does not follow.")
    if isinstance(x, PackedSequence):
        rows = plain(x.data)
    else:
        rows = plain(x)[0] if layer.batch_first else plain(x)[:, 0]
    named = {name: plain(parameter) for name, parameter in layer.named_parameters()}
    gates = 4 * layer.hidden_size
    biases = named["bias_ih_l0"] + named["bias_hh_l0"] if layer.bias else np.zeros(gates)
    begun = state[0] if state else None
    zeros = np.zeros(layer.hidden_size)
    first, cells = (zeros, zeros) if begun is None else (plain(part)[0, 0] for part in begun)
    return Cells(rows, named["weight_ih_l0"], named["weight_hh_l0"], biases, first, cells)


def _gate_by_gate(read: Cells, worked: list[Step], units: int, note: str) -> Steps:
    """A line for each gate of each unit; vectors and rows of weights where they are short."""
    width = len(read.state)
    short = max(width, read.inputs.shape[1]) <= _SHORT
    lines: list[dict[str, Value]] = []
    for time, step in enumerate(worked, start=1):
        for unit, (place, gate) in product(range(min(units, width)), enumerate(_GATES)):
            row = place * width + unit
            line: dict[str, Value] = {"t": time, "unit": unit + 1, "gate": gate}
            if short:
                line |= {"x": step.x, "w": read.input_weights[row]}
            line["w·x"] = float(step.products[place, unit])
            if short:
                line |= {"h": step.state, "u": read.state_weights[row]}
            line |= {"u·h": float(step.recurrent[place, unit]), "b": float(read.biases[row])}
            line |= {"z": float(step.sums[place, unit]), "value": float(step.gates[place, unit])}
            lines.append(line)
    return steps_of(
        "Gate by gate",
        lines,
        answers=("w·x", "u·h", "z", "value"),
        carried=("h",),
        formula="z = w·x + u·h + b    i, f, o = σ(z) = 1/(1 + e⁻ᶻ)    g = tanh(z)",
        note=f"h is the state after the step before, from the table below.{note}",
    )


def _cell_and_state(worked: list[Step], units: int, note: str) -> Steps:
    lines: list[dict[str, Value]] = []
    for time, step in enumerate(worked, start=1):
        for unit, cell in enumerate(step.cells[:units]):
            line: dict[str, Value] = {"t": time, "unit": unit + 1, "c": float(cell)}
            entering, kept, candidate, shown = (float(gate) for gate in step.gates[:, unit])
            line |= {"i": entering, "f": kept, "g": candidate, "o": shown}
            line |= {"f·c": kept * float(cell), "i·g": entering * candidate}
            line |= {"c new": float(step.new_cells[unit]), "h new": float(step.new_state[unit])}
            lines.append(line)
    return steps_of(
        "Cell and state",
        lines,
        answers=("c", "i", "f", "g", "o", "f·c", "i·g", "c new", "h new"),
        formula="c new = f·c + i·g    h new = o·tanh(c new)",
        note=f"The forget gate f says how much of a cell stays, i how much of g comes in.{note}",
    )


def _left_out(read: Cells, steps: int, units: int) -> str:
    parts = {"steps": len(read.inputs) - steps, "units": len(read.state) - units}
    words = [f"{count:,} more {name}" for name, count in parts.items() if count > 0]
    return f" {' and '.join(words)} are left out ({', '.join(parts)})." if words else ""


def _drawn(worked: list[Step], units: int) -> Lines:
    """The first cells and states, step by step."""
    cells, states = (
        np.stack([getattr(step, name)[:units] for step in worked]) for name in ("new_cells", "new_state")
    )
    curves = {f"c of unit {unit + 1}": column for unit, column in enumerate(cells.T)}
    curves |= {f"h of unit {unit + 1}": column for unit, column in enumerate(states.T)}
    return Lines("Cells and states", np.arange(1.0, len(worked) + 1), curves, axes=("step", "after the step"))

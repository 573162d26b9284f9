"""The steps of an LSTM layer in plain NumPy."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Units = Float[np.ndarray, " units"]


@dataclass(frozen=True, eq=False)
class Cells:
    """What an LSTM layer reads, and its weights, gate by gate; one bias is enough."""

    inputs: Float[np.ndarray, "steps inputs"]
    input_weights: Float[np.ndarray, "gates inputs"]
    state_weights: Float[np.ndarray, "gates units"]
    biases: Float[np.ndarray, " gates"]
    state: Units
    cells: Units


@dataclass(frozen=True, eq=False)
class Step:
    """What is worked out in a step; gates `[4, units]` in the order i, f, g, o."""

    x: Float[np.ndarray, " inputs"]
    state: Units
    cells: Units
    products: Float[np.ndarray, "4 units"]
    recurrent: Float[np.ndarray, "4 units"]
    sums: Float[np.ndarray, "4 units"]
    gates: Float[np.ndarray, "4 units"]
    new_cells: Units
    new_state: Units


def work_out(read: Cells) -> list[Step]:
    found: list[Step] = []
    state, cells = read.state, read.cells
    for x in read.inputs:
        products, recurrent = read.input_weights @ x, read.state_weights @ state
        sums = (products + recurrent + read.biases).reshape(4, -1)
        gates = _sigmoid(sums)
        gates[2] = np.tanh(sums[2])
        new_cells = gates[1] * cells + gates[0] * gates[2]
        new_state = gates[3] * np.tanh(new_cells)
        parts = products.reshape(4, -1), recurrent.reshape(4, -1), sums, gates
        found.append(Step(x, state, cells, *parts, new_cells, new_state))
        state, cells = new_state, new_cells
    return found


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -z))

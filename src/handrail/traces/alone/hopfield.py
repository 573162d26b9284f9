"""A Hopfield network that stores patterns by Hebb's rule, and recalls one from a damaged cue."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from handrail.components import component
from handrail.components.arguments import Count, Finite
from handrail.components.pictures import Lines, Picture, Tiles
from handrail.errors import DataError
from handrail.models.hopfield import Hopfield
from handrail.traces.alone.found import as_matrix, as_sheet, part_and_row
from handrail.traces.given import Given
from handrail.traces.reached import plain, refuse_with_run
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.text import number_text
from handrail.traces.trace import Trace

Numbers = list[Finite]
States = Float[np.ndarray, " units"]
_PATTERNS = [[1.0, 1, 1, 1, -1, -1, -1, -1], [1.0, -1, 1, -1, 1, -1, 1, -1]]
_FLIPPED = [2, 5]
_ROUNDING = 1e-5  # of the largest weight: smaller fields count as 0, as they do in the network
_SHORT = 16  # units of states that stand in the tables
_MOST_TILES = 24
_FORMULA = "h_i = W_i·x{}    x_i new = sign(h_i), or x_i where that is 0    E = −½·xᵀWx{}"
_REMARK = (
    "One unit after the other is updated. All at once, the energy may rise, and two states may follow each "
    "other for ever."
)


@dataclass(frozen=True)
class _Memory:
    """Weights, thresholds, and the patterns that were stored."""

    weights: Float[np.ndarray, "units units"]
    thresholds: States
    patterns: Float[np.ndarray, "patterns units"]

    def energy(self, x: States) -> float:
        return float(-x @ self.weights @ x / 2 - self.thresholds @ x)


@component("trace")
def hopfield(
    given: Given | None,
    *,
    patterns: list[Numbers] | None = None,
    cue: Numbers | None = None,
    pattern: Count | None = None,
    flipped: list[Count] | None = None,
    order: list[Count] | None = None,
    passes: Count = 10,
    shown: Count = 24,
) -> Trace:
    """W = 1/N · Σ ξ·ξᵀ, its diagonal 0; then unit by unit h_i = W_i·x + θ_i and x_i ← sign(h_i).

    A unit whose field h_i is 0 stays as it is. No update raises the energy E = −½·xᵀWx − θ·x. A pass without
    a change is the last. Follows the Hopfield network of a run, from its row as the cue.

    Arguments:
        patterns: ξ, each of N numbers 1 or −1.
        cue: x to begin with; by default the first pattern, or the row of a run.
        pattern: number of the stored pattern that is the cue in place of these.
        flipped: units of the cue, counted from 1, that are turned round; by default some of the example's.
        order: in which the units are updated in each pass; by default from the first to the last.
        passes: over the units, at most.
        shown: lines of a table; of larger networks only updates that change a unit.

    Raises: `DataError` for numbers other than 1 and −1, a cue that is no pattern's length, an order that does
        not name each unit once, and a run without a Hopfield network.

    Source: Hopfield 1982; the weights: Hebb 1949
    """
    if given is None:
        memory, start = _stored(patterns)
        usual = _FLIPPED if patterns is None and cue is None and pattern is None else []
        subject = f"{len(memory.patterns)} patterns of {len(start)} units"
    else:
        refuse_with_run({"patterns": patterns})
        (memory, start), usual, subject = _followed(given), [], given.subject
    begun = _begun(_chosen(memory, start, cue, pattern), usual if flipped is None else flipped)
    turns = _turns(order, len(begun))
    lines = _recall(memory, begun, turns, passes)
    end = np.asarray(lines[-1]["x new"])
    tables = [_recalled(lines, memory, shown, len(turns)), _overlaps(memory, begun, end, shown)]
    if given is None and len(begun) <= _SHORT:
        tables.insert(0, _hebb(memory))
    return Trace(
        "Hopfield network", subject, tuple(tables), "Hopfield 1982", _drawn(memory, begun, lines), (_REMARK,)
    )


def _stored(patterns: list[Numbers] | None) -> tuple[_Memory, States]:
    """A memory of the patterns, and the first of them."""
    known = as_matrix(_PATTERNS if patterns is None else patterns, "patterns")
    _check_signs(known, "patterns")
    units = known.shape[1]
    weights = known.T @ known / units
    np.fill_diagonal(weights, 0.0)
    return _Memory(weights, np.zeros(units), known), known[0]


def _check_signs(states: Float[np.ndarray, "..."], name: str) -> None:
    """Raises: `DataError` for numbers other than 1 and −1."""
    wrong = states[np.abs(states) != 1]
    if wrong.size:
        raise DataError(f"{name}: found {wrong[0]:g}, expected 1 or −1.")


def _followed(given: Given) -> tuple[_Memory, States]:
    """The memory of a run, and its row as states."""
    network, row = part_and_row(given, Hopfield, what="Hopfield network (model=hopfield)")
    weights = plain(network.weights)
    thresholds = np.zeros(len(weights)) if network.thresholds is None else plain(network.thresholds)
    return _Memory(weights, thresholds, plain(network.patterns)), np.where(row > 0.5, 1.0, -1.0)


def _chosen(memory: _Memory, start: States, cue: Numbers | None, pattern: int | None) -> States:
    """What is asked for as the cue. Raises: `DataError` for a pattern or a length that there is not."""
    if cue is not None and pattern is not None:
        raise DataError("cue: found a pattern as well; name one of the two.")
    if pattern is not None:
        if pattern > len(memory.patterns):
            raise DataError(
                f"pattern: found {pattern}, expected a number from 1 to {len(memory.patterns):,}."
            )
        return memory.patterns[pattern - 1]
    x = start if cue is None else np.array(cue, dtype=np.float64)
    if len(x) != len(start):
        raise DataError(f"cue: found {len(x)} units, expected {len(start)}, as the patterns have.")
    _check_signs(x, "cue")
    return x


def _begun(cue: States, flipped: list[int]) -> States:
    """The cue with units turned round. Raises: `DataError` for a unit that there is not."""
    if flipped and max(flipped) > len(cue):
        raise DataError(f"flipped: found unit {max(flipped)}, expected numbers from 1 to {len(cue)}.")
    x = cue.copy()
    x[np.array(flipped, dtype=np.int64) - 1] *= -1
    return x


def _turns(order: list[int] | None, units: int) -> list[int]:
    """The units in turn, from 0. Raises: `DataError` for what does not name each unit once."""
    if order is None:
        return list(range(units))
    if sorted(order) != list(range(1, units + 1)):
        raise DataError(f"order: expected each number from 1 to {units} once.")
    return [unit - 1 for unit in order]


def _recall(memory: _Memory, x: States, turns: list[int], passes: int) -> list[dict[str, Value]]:
    """A line for each update, up to the end of a pass without a change."""
    least, energy = _ROUNDING * np.abs(memory.weights).max(), memory.energy(x)
    lines: list[dict[str, Value]] = []
    for number in range(1, passes + 1):
        before = x
        for i in turns:
            field = float(memory.weights[i] @ x + memory.thresholds[i])
            state = float(np.sign(field)) if abs(field) > least else x[i]
            line: dict[str, Value] = {"pass": number, "i": i + 1, "x": x, "h_i": field, "x_i": x[i]}
            line |= {"x_i new": state, "E": energy}
            if state != x[i]:
                x = np.where(np.arange(len(x)) == i, state, x)
                energy = memory.energy(x)
            lines.append(line | {"E new": energy, "x new": x})
        if np.array_equal(before, x):
            break
    return lines


def _hebb(memory: _Memory) -> Steps:
    """The weights, unit by unit."""
    count = memory.weights.shape[0]
    lines: list[dict[str, Value]] = [
        {"i": i + 1, "ξ_i": memory.patterns[:, i], "N·W_i": memory.weights[i] * count} for i in range(count)
    ]
    return steps_of(
        "Weights by Hebb's rule",
        lines,
        answers=("N·W_i",),
        formula=f"N·W_ij = Σ ξ_i·ξ_j over the patterns, W_ii = 0, N = {count}",
        note="ξ_i are the states of unit i in all patterns. Where two units are alike, a pattern adds 1/N.",
    )


def _recalled(lines: list[dict[str, Value]], memory: _Memory, shown: int, units: int) -> Steps:
    """The updates; of large networks those that change something, without the states."""
    changes = [line for line in lines if line["x_i"] != line["x_i new"]]
    short = units <= _SHORT
    chosen = lines if short else changes or lines[:1]
    left = {"x new", "x_i"} if short else {"x new", "x"}
    rows = [{name: value for name, value in line.items() if name not in left} for line in chosen[:shown]]
    first, last = (number_text(float(np.asarray(line))) for line in (lines[0]["E"], lines[-1]["E new"]))
    ending = f"{len(changes)} of {len(lines):,} updates change a unit; the energy goes from {first} to {last}"
    more = f" {len(rows):,} of {len(chosen):,} such lines are shown." if len(rows) < len(chosen) else ""
    return steps_of(
        "Recall, unit by unit",
        rows,
        answers=("h_i", "x_i new", "E new"),
        carried=("x", "E"),
        formula=_FORMULA.format(*(" + θ_i", " − θ·x") if memory.thresholds.any() else ("", "")),
        note=f"{ending}, and never rises.{more}",
    )


def _overlaps(memory: _Memory, begun: States, end: States, shown: int) -> Steps:
    """How near the cue and the end are to the patterns, the nearest first."""
    before, after = (memory.patterns @ x / len(x) for x in (begun, end))
    nearest = np.argsort(-np.abs(after), kind="stable")[:shown]
    lines: list[dict[str, Value]] = [
        {"pattern": int(place) + 1, "m of the cue": before[place], "m in the end": after[place]}
        for place in nearest
    ]
    cut = f" The nearest {shown} of {len(after):,} are shown." if shown < len(after) else ""
    return steps_of(
        "Overlap with the patterns",
        lines,
        answers=("m of the cue", "m in the end"),
        formula="m = ξ·x / N",
        note=f"1 is the pattern itself, −1 its negative, which has the same energy.{cut}",
    )


def _drawn(memory: _Memory, begun: States, lines: list[dict[str, Value]]) -> tuple[Picture, ...]:
    """The states that were passed through, and the energy."""
    changed = [np.asarray(line["x new"]) for line in lines if line["x_i"] != line["x_i new"]]
    places = np.unique(np.linspace(0, len(changed), min(len(changed) + 1, _MOST_TILES)).astype(np.int64))
    states = np.stack([as_sheet(([begun, *changed])[place]) for place in places])
    captions = ("the cue", *(f"{place} changed" for place in places[1:]))
    energies = np.array([lines[0]["E"], *(line["E new"] for line in lines)], dtype=np.float64)
    return (
        Tiles("From the cue to the end", states, "A picture after each change of a unit.", 6, captions),
        Lines(
            "The energy after each update",
            np.arange(len(energies), dtype=np.float64),
            {"E": energies},
            axes=("update", "energy"),
        ),
    )

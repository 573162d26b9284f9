"""Routing by agreement: capsules below send what they say to the capsules above that agree."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Lines
from handrail.layers.capsules import RoutedCapsules
from handrail.traces.given import Given
from handrail.traces.layers.numbers import Rows, picture_of
from handrail.traces.reached import first_reached, plain, refuse_with_run
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.trace import Trace

Predictions = Float[np.ndarray, "capsules outputs dims"]
_PREDICTIONS: list[Rows] = [  # the first two agree about the first output, the last two about the second
    [[2, 0], [0, 1]],
    [[2, 1], [-1, 0]],
    [[0, -1], [2, 2]],
    [[-1, 0], [2, 1]],
]


@component("trace")
def routing(
    given: Given | None,
    *,
    predictions: list[Rows] | None = None,
    iterations: Count | None = None,
    capsules: Count = 4,
    outputs: Count = 4,
    numbers: Count = 3,
) -> Trace:
    """cᵢ = softmax(bᵢ), sⱼ = Σᵢ cᵢⱼ·ûⱼ|ᵢ, vⱼ = squash(sⱼ), bᵢⱼ ← bᵢⱼ + ûⱼ|ᵢ·vⱼ, from b = 0.

    squash(s) = ‖s‖²/(1 + ‖s‖²) · s/‖s‖ keeps the direction and makes the length less than 1. The last
    iteration ends with v.

    Of a run the first routed capsules of its network are followed, on the row.

    Arguments:
        predictions: û, for each capsule below what it predicts for each one above: a list of numbers each.
        iterations: without a value 3, or those of the run's network.
        capsules, outputs: those below and above that are shown at most; all are worked out.
        numbers: of a capsule to be shown at most.

    Raises: `DataError` for predictions of several shapes, a network without capsules, and settings without
        effect.

    Source: Sabour, Frosst & Hinton 2017
    """
    if given is None:
        written = _PREDICTIONS if predictions is None else predictions
        said, subject = picture_of(written, "predictions"), f"{len(written)} capsules below"
    else:
        refuse_with_run({"predictions": predictions})
        layer, (x, *_) = first_reached(given, RoutedCapsules, what="routed capsules")
        weights = plain(layer.weight)  # [capsules, dims, outputs · numbers]
        said = np.einsum("id,ido->io", plain(x)[0], weights).reshape(len(weights), layer.outputs, -1)
        iterations = layer.iterations if iterations is None else iterations
        subject = f"the first routed capsules, {given.subject}"
    rounds = _routed(said, iterations or 3)
    most = capsules, outputs, numbers
    note = _left_out(said, most)
    tables = (_couplings(said, rounds, most, note), _above(rounds, most, note))
    return Trace("Routing by agreement", subject, tables, "Sabour, Frosst & Hinton 2017", (_drawn(rounds),))


@dataclass(frozen=True, eq=False)
class Round:
    """An iteration: b, c, s, v and, but for the last, û·v."""

    logits: Float[np.ndarray, "capsules outputs"]
    couplings: Float[np.ndarray, "capsules outputs"]
    sums: Float[np.ndarray, "outputs dims"]
    above: Float[np.ndarray, "outputs dims"]
    agreement: Float[np.ndarray, "capsules outputs"] | None


def _routed(said: Predictions, iterations: int) -> list[Round]:
    logits, rounds = np.zeros(said.shape[:2]), []
    for iteration in range(1, iterations + 1):
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        couplings = powers / powers.sum(axis=1, keepdims=True)
        sums = np.einsum("ij,ijd->jd", couplings, said)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        above = sums * lengths / (1 + lengths**2)
        agreement = np.einsum("ijd,jd->ij", said, above) if iteration < iterations else None
        rounds.append(Round(logits, couplings, sums, above, agreement))
        logits = logits if agreement is None else logits + agreement
    return rounds


def _couplings(said: Predictions, rounds: list[Round], most: tuple[int, int, int], note: str) -> Steps:
    lines: list[dict[str, Value]] = []
    capsules, outputs, numbers = most
    for iteration, each in enumerate(rounds, start=1):
        for below, above in np.ndindex(said[:capsules, :outputs].shape[:2]):
            line: dict[str, Value] = {"iteration": iteration, "below": below + 1, "above": above + 1}
            line |= {"û": said[below, above, :numbers], "b": float(each.logits[below, above])}
            line["c"] = float(each.couplings[below, above])
            if each.agreement is not None:
                agreed = float(each.agreement[below, above])
                line |= {"û·v": agreed, "b new": float(each.logits[below, above]) + agreed}
            lines.append(line)
    return steps_of(
        "Couplings and agreement",
        lines,
        answers=("b", "c", "û·v", "b new"),
        formula="c = softmax of b over the capsules above    b new = b + û·v",
        note=f"v is that of the same iteration, below. A capsule goes where others agree with it.{note}",
    )


def _above(rounds: list[Round], most: tuple[int, int, int], note: str) -> Steps:
    _, outputs, numbers = most
    lines: list[dict[str, Value]] = []
    for iteration, each in enumerate(rounds, start=1):
        for place, (total, capsule) in enumerate(zip(each.sums[:outputs], each.above, strict=False), start=1):
            line: dict[str, Value] = {"iteration": iteration, "above": place, "s": total[:numbers]}
            line |= {"‖s‖": float(np.linalg.norm(total)), "‖v‖": float(np.linalg.norm(capsule))}
            lines.append({**line, "v": capsule[:numbers]})
    return steps_of(
        "Capsules above",
        lines,
        answers=("s", "‖s‖", "‖v‖", "v"),
        formula="s = Σ over those below of c·û    ‖v‖ = ‖s‖²/(1 + ‖s‖²)    v = ‖v‖·s/‖s‖",
        note=f"The length of v says whether something is there, its direction how.{note}",
    )


def _left_out(said: Predictions, most: tuple[int, int, int]) -> str:
    names = ("capsules below", "capsules above", "numbers of each")
    rest = zip(said.shape, most, names, strict=True)
    words = [f"{found - shown:,} more {name}" for found, shown, name in rest if found > shown]
    return f" {', '.join(words)} are left out (capsules, outputs, numbers)." if words else ""


def _drawn(rounds: list[Round]) -> Lines:
    """How long the capsules above are after each iteration."""
    lengths = np.stack([np.linalg.norm(each.above, axis=1) for each in rounds])
    curves = {f"capsule {place}": column for place, column in enumerate(lengths.T, start=1)}
    places = np.arange(1.0, len(rounds) + 1)
    return Lines("Lengths of the capsules above", places, curves, axes=("iteration", "‖v‖"))

"""Steps along a noisy slope, with learning rates that stay and that decay."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from handrail.components import component
from handrail.components.arguments import Count, Finite, Fraction, NonNegative, Positive
from handrail.components.pictures import Lines
from handrail.traces.given import Given, refuse_given
from handrail.traces.lines.network.passes import Array
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.text import number_text
from handrail.traces.trace import Trace

_LOOKS = (0, 1, 2, 5)  # and ten times these, and so on
_REMARK = (
    "000 asks for Σεₖ = ∞, so that the minimum is reached from wherever one begins, and for Σεₖ² < ∞, so "
    "that the noise dies away; it prints ε for the learning rate η, and numbers steps from 1."
)


@dataclass(frozen=True, eq=False)
class _Course:
    """How learning rates of one kind fare.

    Arguments:
        rates: η of each step.
        mean, variance: of θ before each step, and after the last, worked out.
        simulated: the variance of many walks.
        limits: of Σε and Σε² over steps without end, in words.
    """

    rates: Array
    mean: Array
    variance: Array
    simulated: Array
    limits: tuple[str, str]


@component("trace")
def noisy_steps(
    given: Given | None,
    *,
    learning_rate: Annotated[float, Field(gt=0, lt=2)] = 0.3,
    noise: NonNegative = 1.0,
    start: Finite = 1.0,
    decay: Positive = 0.1,
    ratio: Fraction = 0.8,
    steps: Count = 200,
    walks: Annotated[int, Field(ge=2, le=100_000)] = 2000,
    seed: Annotated[int, Field(ge=0)] = 0,
    shown: Count = 5,
) -> Trace:
    """θ ← θ − εₖ·(θ + n), n ~ N(0, s²), on J = θ²/2: E θ ← (1 − ε)·E θ and V ← (1 − ε)²·V + ε²·s².

    By constant εₖ = η, by time decay εₖ = η/(1 + decay·k), and by geometric decay εₖ = η·ratioᵏ, from k = 0.
    E θ is the mean over all noise, and V the variance.

    Arguments:
        learning_rate: η; from 2 on, no walk would stay.
        noise: s, the standard deviation of the noise on the slope.
        start: θ before the first step.
        decay: of the time decay.
        ratio: of the geometric decay.
        steps: of each walk.
        walks: how many are simulated, all from the same noise.
        seed: of that noise.
        shown: lines of the tables step by step.

    Source: Robbins & Monro 1951
    """
    refuse_given(given, "noisy_steps")
    rates = _rates(learning_rate, np.arange(steps, dtype=np.float64), decay, ratio)
    begin = np.full(walks, start, dtype=np.float64)
    courses = {name: _course(each, limits, begin, noise, seed) for name, (each, limits) in rates.items()}
    stays = learning_rate * noise**2 / (2 - learning_rate)
    return Trace(
        "Noisy steps",
        f"J = θ²/2 from θ = {number_text(start)}, η = {number_text(learning_rate)}, s = {number_text(noise)}",
        (
            *(_step_table(name, course, noise, shown) for name, course in courses.items()),
            _variances(courses, stays),
            _sums(courses),
        ),
        "Robbins & Monro 1951",
        (_drawn(courses),),
        (_REMARK,),
    )


def _rates(eta: float, k: Array, decay: float, ratio: float) -> dict[str, tuple[Array, tuple[str, str]]]:
    """η of each step, and the limits of Σε and Σε²."""
    below = number_text(eta**2 * (1 + 1 / decay))
    geometric = number_text(eta / (1 - ratio)), number_text(eta**2 / (1 - ratio**2))
    return {
        "Constant": (np.full(len(k), eta), ("∞", "∞")),
        "Time decay": (eta / (1 + decay * k), ("∞", f"below {below}")),
        "Geometric decay": (eta * ratio**k, geometric),
    }


def _course(rates: Array, limits: tuple[str, str], theta: Array, noise: float, seed: int) -> _Course:
    rng = np.random.default_rng(seed)
    mean, variance = [float(theta[0])], [0.0]
    simulated = [0.0]
    for rate in rates.tolist():
        mean.append((1 - rate) * mean[-1])
        variance.append((1 - rate) ** 2 * variance[-1] + rate**2 * noise**2)
        theta = theta - rate * (theta + noise * rng.normal(size=len(theta)))
        simulated.append(float(theta.var()))
    return _Course(rates, np.array(mean), np.array(variance), np.array(simulated), limits)


def _step_table(name: str, course: _Course, noise: float, shown: int) -> Steps:
    lines: list[dict[str, Value]] = []
    for k, rate in enumerate(course.rates[:shown].tolist()):
        before = {"E θ": float(course.mean[k]), "V": float(course.variance[k])}
        added = {"(1 − ε)²·V": (1 - rate) ** 2 * before["V"], "ε²·s²": rate**2 * noise**2}
        after = {"E θ new": float(course.mean[k + 1]), "V new": float(course.variance[k + 1])}
        lines.append({"k": k, "ε": rate, **before, **added, **after})
    return steps_of(
        name,
        lines,
        answers=("(1 − ε)²·V", "ε²·s²", "E θ new", "V new"),
        carried=("E θ", "V"),
        formula="E θ new = (1 − ε)·E θ    V new = (1 − ε)²·V + ε²·s²",
    )


def _looks(steps: int) -> list[int]:
    """0, 1, 2, 5, 10, 20, 50 … and the last."""
    powers = range(len(str(steps)))
    return sorted(
        {0, steps, *(look * 10**power for power in powers for look in _LOOKS if look * 10**power < steps)}
    )


def _variances(courses: Mapping[str, _Course], stays: float) -> Steps:
    steps = len(courses["Constant"].rates)
    lines: list[dict[str, Value]] = []
    for k in _looks(steps):
        line: dict[str, Value] = {"after": k}
        for name, course in courses.items():
            line |= {
                f"{name}": float(course.variance[k]),
                f"{name.split()[0]}, walks": float(course.simulated[k]),
            }
        lines.append(line)
    return steps_of(
        "Variance over the steps",
        lines,
        answers=tuple(courses),
        formula="V worked out, beside the variance of walks that were simulated",
        note=f"By constant steps V stays at η·s²/(2 − η) = {number_text(stays)}; by time decay it goes to 0.",
    )


def _sums(courses: Mapping[str, _Course]) -> Steps:
    lines: list[dict[str, Value]] = [
        {
            "η": name,
            **{"Σε": math.fsum(course.rates), "Σε²": math.fsum(course.rates**2)},
            **{"Σε without end": course.limits[0], "Σε² without end": course.limits[1]},
            **{"E θ": float(course.mean[-1]), "V": float(course.variance[-1])},
        }
        for name, course in courses.items()
    ]
    return steps_of(
        f"After {len(courses['Constant'].rates)} steps",
        lines,
        answers=("Σε", "Σε²", "Σε without end", "Σε² without end"),
        note="Only by time decay both are as they should be: constant steps keep the noise, and geometric "
        "ones come to a stop before they arrive.",
    )


def _drawn(courses: Mapping[str, _Course]) -> Lines:
    curves: dict[str, Array] = {}
    for name, course in courses.items():
        curves |= {f"{name}, worked out": course.variance, f"{name}, walks": course.simulated}
    x = np.arange(len(courses["Constant"].rates) + 1.0)
    return Lines("Variance of θ", x, curves, axes=("step", "V"))

"""Series of bits beside the truth."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from handrail.evaluation.forms import Bounded, Form, Share
from handrail.evaluation.outcomes import Outcome, Statistic

_SHOWN = 12  # steps in words


@dataclass(frozen=True, eq=False)
class BitOutcome(Outcome):
    """Answers in bits, of which those that were asked for count.

    bit_error_rate = Σ wrong bits / Σ asked bits over all rows; exact_match is the share of rows without one.

    Arguments:
        answers: 0 and 1.
        truth: 0 and 1, and something else where nothing is asked.

    Source: Graves, Wayne & Danihelka 2014 (who count errors of sequences)
    """

    answers: UInt8[np.ndarray, "rows steps bits"]
    truth: UInt8[np.ndarray, "rows steps bits"]
    remark: str = ""
    task: str = "bit-sequence"

    @property
    def rows(self) -> int:
        return len(self.truth)

    @property
    def work(self) -> int:
        return 3

    @cached_property
    def asked(self) -> Bool[np.ndarray, "rows steps bits"]:
        """Which bits count."""
        return self.truth <= 1

    @cached_property
    def asked_bits(self) -> Float[np.ndarray, " rows"]:
        """How many bits of each row count."""
        return self.asked.sum(axis=(1, 2)).astype(np.float64)

    @cached_property
    def wrong_bits(self) -> Float[np.ndarray, " rows"]:
        """How many of them are wrong."""
        return ((self.answers != self.truth) & self.asked).sum(axis=(1, 2)).astype(np.float64)

    @cached_property
    def answer_steps(self) -> np.ndarray:
        """At how many steps of each row something is asked."""
        return self.asked.any(axis=2).sum(axis=1)

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        selected = set(names)

        def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
            with np.errstate(all="ignore"):
                metrics = {
                    "bit_error_rate": self.wrong_bits @ weights / (self.asked_bits @ weights),
                    "exact_match": (self.wrong_bits == 0) @ weights / weights.sum(axis=0),
                }
            return {name: values for name, values in metrics.items() if name in selected}

        return [statistic]

    def forms(self, names: Iterable[str]) -> dict[str, Form]:
        """Bits of one row are not independent, so that a share of bits has no more trials than rows."""
        forms: dict[str, Form] = {
            "bit_error_rate": Bounded(float(self.rows)),
            "exact_match": Share(self.wrong_bits == 0, np.ones(self.rows, dtype=bool)),
        }
        return {name: forms[name] for name in names}

    def same_rows(self, other: Outcome) -> bool:
        return isinstance(other, BitOutcome) and np.array_equal(self.truth, other.truth)

    def errors(self) -> np.ndarray:
        """The share of wrong bits of each row."""
        return self.wrong_bits / self.asked_bits.clip(min=1)

    def describe(self, row: int, *, truth: bool) -> str:
        steps = np.flatnonzero(self.asked[row].any(axis=1))
        bits = (self.truth if truth else self.answers)[row, steps[:_SHOWN]]
        return " ".join(write_bits(bits)) + (" …" if len(steps) > _SHOWN else "")

    def columns(self) -> dict[str, Any]:
        return {
            "truth": [self.describe(row, truth=True) for row in range(self.rows)],
            "answer": [self.describe(row, truth=False) for row in range(self.rows)],
            "steps": self.answer_steps,
            "wrong": self.wrong_bits.astype(np.int64),
            "bit_error_rate": self.errors(),
        }


def write_bits(steps: UInt8[np.ndarray, "steps bits"]) -> list[str]:
    """Each step as a word of bits."""
    return ["".join(map(str, step)) for step in steps.tolist()]

"""Recall from damaged cues: how much of the stored patterns comes back."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from handrail.evaluation.forms import Form, NoInterval, Ratio, Share
from handrail.evaluation.outcomes import Outcome, Statistic
from handrail.tools.words import only, plural

_FEWEST_WRONG, _FEWEST_ERRORS = 10, 5


@dataclass(frozen=True, eq=False)
class MemoryOutcome(Outcome):
    """A cue for each row of the part, damaged from a stored pattern, and the row itself, never stored.

    Arguments:
        places: of the patterns that the cues are of.
        right: the share of units of each recall that are right.
        moved: the share of units of each row of the part that one update changes.
        new: the rows of the part that were never stored; some may repeat what was.
    """

    places: Int[np.ndarray, " rows"]
    right: Float[np.ndarray, " rows"]
    moved: Float[np.ndarray, " rows"]
    new: Bool[np.ndarray, " rows"]
    task: str = "memory"

    @property
    def rows(self) -> int:
        return len(self.places)

    @property
    def work(self) -> int:
        return 4

    @property
    def taken(self) -> Bool[np.ndarray, " rows"]:
        """The rows of the part that are taken for stored."""
        return self.moved == 0

    @property
    def recalled(self) -> Bool[np.ndarray, " rows"]:
        """The cues from which every unit came back."""
        return self.right >= 1

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        selected = set(names)

        def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
            total, new = weights.sum(axis=0), self.new @ weights
            metrics: dict[str, np.ndarray] = {}
            if "recalled" in selected:
                metrics["recalled"] = self.recalled @ weights / total
            if "unit_accuracy" in selected:
                metrics["unit_accuracy"] = self.right @ weights / total
            if "false_recall" in selected:
                metrics["false_recall"] = (self.taken & self.new) @ weights / np.where(new > 0, new, np.nan)
            return metrics

        return [statistic]

    def forms(self, names: Iterable[str]) -> dict[str, Form]:
        everything = np.ones(self.rows, dtype=bool)
        forms: dict[str, Form] = {
            "recalled": Share(self.recalled, everything),
            "unit_accuracy": self._unit_form(),
            "false_recall": Share(self.taken & self.new, self.new)
            if self.new.any()
            else NoInterval("every row repeats a stored one"),
        }
        return {name: forms[name] for name in names}

    def _unit_form(self) -> Form:
        """A few cues that lose most of their units may hold nearly all of the error."""
        wrong = 1 - self.right
        few = int((wrong > 0).sum())
        if few == 0:
            return NoInterval("every cue came back whole")
        if few < _FEWEST_WRONG:
            return NoInterval(
                f"{only(few, 'cue')} did not come back whole; at least {_FEWEST_WRONG} are needed"
            )
        worth = int(wrong.sum() ** 2 / max(float((wrong**2).sum()), 1e-300))
        if worth < _FEWEST_ERRORS:
            most = f"nearly all wrong units are in the equivalent of {plural(worth, 'cue')}"
            return NoInterval(f"{most}; at least {_FEWEST_ERRORS} are needed")
        return Ratio(wrong, np.ones(self.rows), outer="complement")

    def same_rows(self, other: Outcome) -> bool:
        return isinstance(other, MemoryOutcome) and np.array_equal(self.places, other.places)

    def errors(self) -> np.ndarray:
        """How near a row that was never stored comes to being taken for stored: its share of kept units."""
        return np.where(self.new, 1 - self.moved, 0.0)

    def describe(self, row: int, *, truth: bool) -> str:
        if truth:
            return "never stored" if self.new[row] else "stored"
        return "taken for stored" if self.taken[row] else "new"

    def columns(self) -> dict[str, Any]:
        return {
            "pattern": self.places,
            "right": self.right,
            "recalled": self.recalled,
            "taken_for_stored": self.taken,
            "never_stored": self.new,
        }

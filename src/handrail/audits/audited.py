"""What an audit may look at: a run, the rows that it is asked about, and the answers to them."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl

from handrail.data.part import Part
from handrail.errors import DataError, SealError
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.table import TableOutcome
from handrail.run import Run
from handrail.training.seeds import derive

_log = logging.getLogger("handrail")
_SEED = 19


@dataclass(eq=False)
class Audited:
    """A run that is audited.

    Arguments:
        run: whose network it is.
        test: look at test rows, whose seal has to be open, in place of validation rows.
        source: where the data of the run is now, if it has moved.
        say: is told what an audit will cost before it begins.
    """

    run: Run
    test: bool = False
    source: Any = None
    say: Callable[[str], None] = _log.info

    def announce(self, seconds: float) -> None:
        """Say how long trainings will take."""
        self.say(f"about {max(1, round(seconds)):,} s of training, by what the fit took")

    def some(self, part: Part, most: int) -> Part:
        """At most so many rows of a part, drawn at random but always the same, in their order."""
        if len(part) <= most:
            return part
        rng = np.random.default_rng(derive(_SEED, "audits", part.name))
        return part.pick(np.sort(rng.choice(len(part), most, replace=False)))

    @cached_property
    def _parts(self) -> tuple[Part, Part, Part]:
        if self.test and self.run.tested is None:
            raise SealError(
                "test: the seal of these test rows is shut, and an audit does not open it; test the run "
                "first, or look at validation rows."
            )
        return self.run.parts(source=self.source)

    @property
    def train(self) -> Part:
        """Training rows."""
        return self._parts[0]

    @property
    def part(self) -> Part:
        """The rows that are looked at."""
        return self._parts[2 if self.test else 1]

    @property
    def part_name(self) -> str:
        """How they are called."""
        return "test rows" if self.test else "validation rows"

    @cached_property
    def outcome(self) -> Outcome:
        """The answers to these rows."""
        return self.run.pipeline.outcome(self.part)

    @property
    def quantile(self) -> float:
        """z of the intervals: 1.96 for 95 %."""
        return NormalDist().inv_cdf((1 + self.run.recipe.evaluation.confidence) / 2)

    def classes(self, audit: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        """True codes and decided codes of the rows, and the names of the classes.

        Raises: `DataError` for tasks without classes.
        """
        outcome = self.outcome
        if not isinstance(outcome, TableOutcome) or outcome.task not in ("binary", "multi-class"):
            raise self.refuse(audit, "classes to tell apart (binary or multi-class)")
        return outcome.truth, outcome.label_codes, tuple(map(str, outcome.classes))

    @property
    def frame(self) -> pl.DataFrame:
        """The columns of the rows as they were read, used by the network or not."""
        return self.part.raw

    def refuse(self, audit: str, need: str) -> DataError:
        """What is raised where an audit makes no sense."""
        return DataError(f"{audit}: needs {need}; this is a network for {self.run.pipeline.task.name}.")

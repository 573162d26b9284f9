"""The seal of one set of test rows: shut until it is opened, once; whoever opens it again is told."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from handrail.errors import SealError
from handrail.evaluation.ledger import Ledger, Opening, OpeningTicket, fingerprint
from handrail.recipe import Recipe

SAME = 0.5  # a set that shares this part of its rows with an opened one counts as opened


@dataclass(frozen=True)
class Opened:
    """An opening that stands in the ledger; `facts` go into every figure that follows from it."""

    ledger: Ledger
    ticket: OpeningTicket
    facts: dict[str, Any]

    def record(self, figures: dict[str, float | None]) -> None:
        """Note what was measured."""
        self.ledger.record(self.ticket, figures)


class Seal:
    """The seal of the test rows with these hashes.

    Arguments:
        hashes: one `uint64` a row.
        opened_here: whether the run itself holds test figures already, whatever the ledger says.
    """

    def __init__(self, hashes: np.ndarray, *, opened_here: bool = False) -> None:
        self.hashes, self.opened_here = hashes, opened_here
        self.ledger, self.key = Ledger(), fingerprint(hashes)

    def openings(self) -> list[Opening]:
        """Openings of these rows, and of other sets that hold at least half of them; oldest first."""
        others = [opening for opening, share in self.ledger.overlap(self.hashes) if share >= SAME]
        return sorted([*self.ledger.openings(self.key), *others], key=lambda opening: opening.when)

    def refuse_if_opened(self) -> None:
        """Raises: `SealError` when these rows, or at least half of them, have been opened before."""
        self.ledger.refuse_if_opened(self.key)
        for opening, share in self.ledger.overlap(self.hashes):
            if share >= SAME:
                raise SealError(
                    f"{share:.0%} of these {len(self.hashes):,} test rows have been opened before in another set, at {opening.when} "
                    f"by the recipe '{opening.recipe}' in the run '{opening.run}'. `--again` measures once more and marks the figures."
                )
        if self.opened_here:
            raise SealError(
                "this run has test figures already, though the ledger does not know of them. `--again` measures once more and "
                "marks the figures."
            )

    def open(self, *, run: str, recipe: Recipe, again: bool) -> Opened:
        """Write the opening into the ledger, before anything is measured.

        Raises: `SealError` when somebody else was quicker, or it cannot be written.
        """
        shared = self.ledger.overlap(self.hashes)
        facts = {"run": run, "recipe": recipe.name, "recipe_hash": recipe.fingerprint()}
        ticket = self.ledger.open_seal(
            self.key, **facts, rows=len(self.hashes), row_hashes=self.hashes, again=again
        )
        before = ticket.number - 1 + sum(share >= SAME for _, share in shared)
        before = max(before, int(self.opened_here))
        return Opened(
            self.ledger,
            ticket,
            {
                "opened": ticket.when,
                "opening": before + 1,
                "again": before > 0,
                "shared": [(asdict(opening), share) for opening, share in shared],
            },
        )

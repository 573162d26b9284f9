"""The seal of a set of test rows: opened once; a second opening is refused or marked."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from handrail.errors import SealError
from handrail.evaluation.ledger import Ledger, Opening, OpeningTicket, fingerprint
from handrail.recipe import Recipe

SAME = 0.5  # a set that shares this part of its rows with an opened one counts as opened


@dataclass(frozen=True)
class Opened:
    """An opening that is in the ledger; `facts` go into every result that follows from it."""

    ledger: Ledger
    ticket: OpeningTicket
    facts: dict[str, Any]

    def record(self, metrics: dict[str, float | None]) -> None:
        """Add the metrics to the opening."""
        self.ledger.record(self.ticket, metrics)


class Seal:
    """The seal of the test rows with these hashes.

    Arguments:
        hashes: one `uint64` a row.
        opened_here: whether the run itself has test metrics already, whatever the ledger says.
    """

    def __init__(self, hashes: np.ndarray, *, opened_here: bool = False) -> None:
        self.hashes, self.opened_here = hashes, opened_here
        self.ledger, self.key = Ledger(), fingerprint(hashes)

    def openings(self) -> list[Opening]:
        """Openings of these rows, and of other sets that hold at least half of them; oldest first."""
        others = [opening for opening, share in self.ledger.overlap(self.hashes) if share >= SAME]
        return sorted([*self.ledger.openings(self.key), *others], key=lambda opening: opening.when)

    def check(self) -> None:
        """Raises: `SealError` when these rows, or at least half of them, have been opened before."""
        self.ledger.check_seal(self.key)
        for opening, share in self.ledger.overlap(self.hashes):
            if share >= SAME:
                raise SealError(
                    f"{share:.0%} of these {len(self.hashes):,} test rows have been opened before in another "
                    f"set, at {opening.when} by the recipe '{opening.recipe}' in the run '{opening.run}'. "
                    "`--again` measures once more and marks the figures."
                )
        if self.opened_here:
            raise SealError(
                "this run has test figures already, although the ledger has no record of them. "
                "`--again` measures once more and marks the figures."
            )

    def open(self, *, run: str, recipe: Recipe, again: bool) -> Opened:
        """Write the opening into the ledger, before anything is measured.

        Raises: `SealError` when another process was quicker, or it cannot be written.
        """
        shared = self.ledger.overlap(self.hashes)
        ticket = self.ledger.open_seal(
            self.key,
            run=run,
            recipe=recipe.name,
            recipe_hash=recipe.fingerprint(),
            rows=len(self.hashes),
            row_hashes=self.hashes,
            again=again,
        )
        before = ticket.number - 1 + sum(share >= SAME for _, share in shared)
        before = max(before, int(self.opened_here))
        facts = {
            "opened": ticket.when,
            "opening": before + 1,
            "again": before > 0,
            "shared": [(asdict(opening), share) for opening, share in shared],
        }
        return Opened(self.ledger, ticket, facts)

"""The seal of a set of test rows: opened once; a second opening is refused or marked."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from handrail.data.split.hash_sets import fingerprint
from handrail.errors import SealError
from handrail.evaluation.ledger import SAME, Ledger, Opening, OpeningTicket, refuse_shared
from handrail.recipe import Recipe
from handrail.tools.interface import argument
from handrail.tools.words import plural

_UNKNOWN = (
    "The ledger holds {} of forecasts by a former version, which knew test rows by windows; one of another "
    "history or horizon cannot be compared, so say in your report that it may have had these rows."
)


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
        windows: of a forecast, one a window: former versions knew its rows by these.
        opened_here: whether the run itself has test metrics already, whatever the ledger says.
        whole: whether these are all rows that there can be, the training rows as well: nobody's eyes are kept
            from them, so that nothing is refused or marked.
    """

    def __init__(
        self,
        hashes: np.ndarray,
        *,
        windows: np.ndarray | None = None,
        opened_here: bool = False,
        whole: bool = False,
    ) -> None:
        self.hashes, self.windows, self.opened_here, self.whole = hashes, windows, opened_here, whole
        self.ledger, self.key = Ledger(), fingerprint(hashes)

    def openings(self) -> list[Opening]:
        """Openings of these rows, and of other sets that hold at least half of them; oldest first."""
        others = [opening for opening, share in self.ledger.overlap(self.hashes) if share >= SAME]
        return sorted([*self.ledger.openings(self.key), *others], key=lambda opening: opening.when)

    def check(self) -> None:
        """Raises: `SealError` when these rows, or at least half of them, have been opened before."""
        if self.whole:
            return
        self.ledger.check_seal(self.key)
        refuse_shared(self.ledger.overlap(self.hashes), len(self.hashes))
        if self.opened_here:
            raise SealError(
                "this run has test figures already, although the ledger has no record of them. "
                f"`{argument('again')}` measures once more and marks the figures."
            )

    def open(self, *, run: str, recipe: Recipe, again: bool) -> Opened:
        """Write the opening into the ledger, before anything is measured.

        Raises: `SealError` when another process was quicker, or it cannot be written.
        """
        ticket = self.ledger.open_seal(
            self.key,
            run=run,
            recipe=recipe.name,
            recipe_hash=recipe.fingerprint(),
            rows=len(self.hashes),
            row_hashes=self.hashes,
            window_hashes=self.windows,
            again=again or self.whole,
        )
        before = ticket.number - 1 + sum(share >= SAME for _, share in ticket.shared)
        before = max(before, int(self.opened_here))
        facts = {
            "opened": ticket.when,
            "opening": before + 1,
            "again": before > 0 and not self.whole,
            "shared": [] if self.whole else [(asdict(opening), share) for opening, share in ticket.shared],
            "remarks": [_UNKNOWN.format(plural(ticket.unknown, "opening"))] if ticket.unknown else [],
        }
        return Opened(self.ledger, ticket, facts)

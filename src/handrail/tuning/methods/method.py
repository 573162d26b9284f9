"""What a method of search promises."""

from collections.abc import Sequence
from typing import Protocol

from handrail.tuning.trial import Result, Trial


class Method(Protocol):
    """Says what to try, batch by batch.

    It depends on nothing but the space, its seed and what it is told, in order: a search that is resumed asks it again from the
    beginning, and is given the same trials.
    """

    def ask(self) -> list[Trial]:
        """The next trials; none when the search is over."""
        ...

    def tell(self, results: Sequence[Result]) -> None:
        """What came of the trials of the last `ask`, in their order; failed ones included."""
        ...

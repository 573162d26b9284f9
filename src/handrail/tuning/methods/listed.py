"""Grid and random search: all trials are known from the beginning."""

from collections.abc import Sequence

from handrail.tuning.space import Settings
from handrail.tuning.trial import Result, Trial


class Listed:
    """One batch of given settings, whatever comes of them."""

    def __init__(self, settings: Sequence[Settings]) -> None:
        self._trials = [Trial(number, one) for number, one in enumerate(settings, start=1)]

    def ask(self) -> list[Trial]:
        """All of them, once."""
        asked, self._trials = self._trials, []
        return asked

    def tell(self, results: Sequence[Result]) -> None:
        """Nothing follows from it."""

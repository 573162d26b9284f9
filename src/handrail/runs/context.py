"""What the steps of one fit share."""

from dataclasses import dataclass

from handrail.learning.team import Team
from handrail.runs.folder import Folder
from handrail.training.callbacks import Callback


@dataclass(frozen=True)
class FitContext:
    """Where a fit writes, who trains along, and who listens.

    folder: the run's. team: the processes that train the one network. progress: "auto" or "none".
    callbacks: listeners of training.
    """

    folder: Folder
    team: Team
    progress: str = "none"
    callbacks: tuple[Callback, ...] = ()

"""Choose the objective: losses over rows, penalties on the model, and the `Objective` that adds them up."""

from handrail.objectives.objective import Objective

__all__ = ["Objective"]

"""Choose the objective: losses over rows, penalties on the model, and the `Objective` that adds them up.

likelihoods, distances: of classes, values and tokens; maps: of masks; boxes: of detectors; penalties.

A new loss or penalty is a function with `@component` in a file of its own. May import `layers` and below.
"""

from handrail.objectives.objective import Objective

__all__ = ["Objective"]

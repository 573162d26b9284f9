"""Choose the objective: losses over rows, penalties on the model, and the `Objective` that adds them up.

likelihoods, distances, margins: of classes and values; maps: of masks; boxes: of detectors; tokens: of text
penalties: on weights and activity

A new loss or penalty is a function with `@component` in a file of its own. May import `layers` and below.
"""

from handrail.objectives.objective import Objective

__all__ = ["Objective"]

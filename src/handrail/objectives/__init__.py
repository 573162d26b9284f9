"""Choose the objective: losses over rows, penalties on the model, and the `Objective` that adds them up.

likelihoods, distances, margins: of classes and values; maps: of masks; boxes: of detectors; tokens: of text
penalties: on weights and activity
"""

from handrail.objectives.objective import Objective

__all__ = ["Objective"]

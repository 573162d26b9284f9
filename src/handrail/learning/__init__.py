"""Learning rules, each of which says how one step changes the parameters.

gradient       `Gradient`: back-propagation and an optimizer, with schedules and clipping
rosenblatt     `Rosenblatt`: the perceptron's own rule
least_squares  `LeastSquares`: the last layer in closed form

May import `objectives`, `layers` and rows of data. A new rule is a file in `rules/`, a new optimizer or
schedule a function or class in the file of that name; `fast/` holds quicker ways to take the same steps.
"""

from handrail.learning.rule import Batch, Measures, Rule, TrainingPlan
from handrail.learning.rules.gradient import Gradient
from handrail.learning.rules.least_squares import LeastSquares
from handrail.learning.rules.rosenblatt import Rosenblatt

__all__ = ["Batch", "Gradient", "LeastSquares", "Measures", "Rosenblatt", "Rule", "TrainingPlan"]

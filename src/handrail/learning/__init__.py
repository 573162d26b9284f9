"""Learning rules, each of which says how one step changes the parameters.

gradient       `Gradient`: back-propagation and an optimizer, with schedules and clipping
rosenblatt     `Rosenblatt`: the perceptron's own rule
delta          `Delta`: ADALINE's rule, with any activation
truth_table    `TruthTable`: threshold units set from a table
least_squares  `LeastSquares`: the last layer in closed form

May import `objectives`, `layers` and rows of data. A new rule is a file in `rules/`, a new optimizer or
schedule a function or class in the file of that name; `fast/` holds quicker ways to take the same steps.
"""

from handrail.learning.rule import Batch, Measures, Rule, TrainingPlan
from handrail.learning.rules.delta import Delta
from handrail.learning.rules.gradient import Gradient
from handrail.learning.rules.least_squares import LeastSquares
from handrail.learning.rules.rosenblatt import Rosenblatt
from handrail.learning.rules.truth_table import TruthTable

__all__ = [
    "Batch",
    "Delta",
    "Gradient",
    "LeastSquares",
    "Measures",
    "Rosenblatt",
    "Rule",
    "TrainingPlan",
    "TruthTable",
]

"""The baselines of a network that answers with classes or values.

Guessing, a linear model and boosted trees give scores, as a network does; the task makes answers of them in
the same way. Of a forecast also the last value and the last season are repeated. None is stored: the test
fits them again, on the same training rows.
"""

from handrail.tasks.baselines.affine import Baseline, BaselineAnswers, fit_baselines, fitting_rows
from handrail.tasks.baselines.forecasts import naive_errors, naive_outcomes, value_outcome
from handrail.tasks.baselines.guess import best_constant
from handrail.tasks.baselines.table import TableBaselines, fit_table_baselines
from handrail.tasks.baselines.trees import MOST_SECONDS, nominal_seconds

__all__ = [
    "MOST_SECONDS",
    "Baseline",
    "BaselineAnswers",
    "TableBaselines",
    "best_constant",
    "fit_baselines",
    "fit_table_baselines",
    "fitting_rows",
    "naive_errors",
    "naive_outcomes",
    "nominal_seconds",
    "value_outcome",
]

"""What a view gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from handrail.components.look import Look


@dataclass(frozen=True, eq=False, kw_only=True)
class ViewData(Look):
    """What was found inside a network; arguments as `Look`, and

    Arguments:
        arrays: what was worked out, by name, for whoever goes on with it.
    """

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

"""Deep learning with something to hold on to.

    run = handrail.fit("adult.csv", target="income")
    run.validation["accuracy"]
    run.test()

Names are imported when they are first used: `import handrail` is quick and loads no torch.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from handrail.tools.moved import MovedFinder

if TYPE_CHECKING:
    from handrail.components import component
    from handrail.data.writers import convert
    from handrail.errors import DataError, HandrailError, RecipeError, RunError, SealError, TrainingError
    from handrail.fitting import fit, resume
    from handrail.recipe import Recipe
    from handrail.run import Run, load
    from handrail.tuning.results import Search
    from handrail.tuning.search import resume_search, tune

__version__ = "0.1.0"

sys.meta_path.append(MovedFinder())

_HOMES = {
    "component": "handrail.components",
    "convert": "handrail.data.writers",
    "DataError": "handrail.errors",
    "HandrailError": "handrail.errors",
    "RecipeError": "handrail.errors",
    "RunError": "handrail.errors",
    "SealError": "handrail.errors",
    "TrainingError": "handrail.errors",
    "fit": "handrail.fitting",
    "resume": "handrail.fitting",
    "Recipe": "handrail.recipe",
    "Run": "handrail.run",
    "load": "handrail.run",
    "Search": "handrail.tuning.results",
    "resume_search": "handrail.tuning.search",
    "tune": "handrail.tuning.search",
}

__all__ = [
    "DataError",
    "HandrailError",
    "Recipe",
    "RecipeError",
    "Run",
    "RunError",
    "SealError",
    "Search",
    "TrainingError",
    "component",
    "convert",
    "fit",
    "load",
    "resume",
    "resume_search",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'handrail' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])

"""Deep learning with something to hold on to.

    run = handrail.fit("adult.csv", target="income")
    run.validation["accuracy"]
    run.test()

Names are imported when they are first used: `import handrail` is quick and loads no torch.
"""

import sys

# `python -m handrail` puts the current folder first, where data lies and no code of ours.
_words = zip(sys.orig_argv, sys.orig_argv[1:], strict=False)
_run_by_name = [name for flag, name in _words if flag[:1] + flag[-1:] == "-m"][:1]
if sys.argv[:1] == ["-m"] and _run_by_name == ["handrail"] and not sys.flags.safe_path:
    del sys.path[0]

import importlib  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

from handrail.tools.moved import MovedFinder  # noqa: E402

if TYPE_CHECKING:
    from handrail.audits.audit import Audit, audit
    from handrail.checking import Check, check
    from handrail.components import component
    from handrail.data.writers import convert
    from handrail.errors import DataError, HandrailError, RecipeError, RunError, SealError, TrainingError
    from handrail.fitting import fit, resume
    from handrail.recipe import Recipe
    from handrail.run import Run, load
    from handrail.traces import Trace, trace
    from handrail.tuning.results import Search
    from handrail.tuning.search import resume_search, tune

__version__ = "0.1.0"

sys.meta_path.append(MovedFinder())

_HOMES = {
    name: f"handrail.{module}"
    for module, names in {
        "audits.audit": ["Audit", "audit"],
        "checking": ["Check", "check"],
        "components": ["component"],
        "data.writers": ["convert"],
        "errors": ["DataError", "HandrailError", "RecipeError", "RunError", "SealError", "TrainingError"],
        "fitting": ["fit", "resume"],
        "recipe": ["Recipe"],
        "run": ["Run", "load"],
        "traces": ["Trace", "trace"],
        "tuning.results": ["Search"],
        "tuning.search": ["resume_search", "tune"],
    }.items()
    for name in names
}

__all__ = ["Audit", "Check", "Recipe", "Run", "Search", "Trace", "audit", "check", "component", "convert"]
__all__ += ["fit", "load", "resume", "resume_search", "trace", "tune"]
__all__ += ["DataError", "HandrailError", "RecipeError", "RunError", "SealError", "TrainingError"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'handrail' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])

"""An audit of a run, as it is shown."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from handrail.audits.audited import Audited
from handrail.audits.result import AuditData
from handrail.components import find, resolve_arguments
from handrail.report.looks import ShownLook
from handrail.run import Run


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Audit(AuditData, ShownLook):
    """What `handrail.audit` gives back: a verdict, figures, a table and pictures, which a notebook shows."""

    kind = "audit"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, of which JSON can be made."""
        figures = {name: vars(figure) for name, figure in self.figures.items()}
        return {**super().to_dict(), "verdict": self.verdict, "figures": figures}


def audit(
    run: Run,
    name: str,
    *,
    test: bool = False,
    source: Any = None,
    say: Callable[[str], None] | None = None,
    **settings: Any,
) -> Audit:
    """Measure where a trained network breaks.

    Arguments:
        run: whose network it is.
        name: of an audit (`handrail list audit`).
        test: look at test rows, whose seal has to be open, in place of validation rows.
        source: where the data of the run is now, if it has moved.
        say: is told what the audit will cost before it begins; by default the log.
        settings: those of the audit.

    Raises: `RecipeError` for an audit or a setting that there is not; `SealError` for test rows whose seal is
        shut; `DataError` where the audit makes no sense for this network, and when the rows are not what they
        were.
    """
    entry = find("audit", name)
    resolved = resolve_arguments(entry, settings, name)
    audited = Audited(run, test=test, source=source)
    if say is not None:
        audited.say = say
    found = entry.target(audited, **resolved)
    return Audit(**vars(found), run=run.path.name)

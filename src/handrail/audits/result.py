"""What an audit gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from handrail.components.look import Look


@dataclass(frozen=True)
class Figure:
    """A number with its interval.

    Arguments:
        value: None where it is not defined.
        low, high: the interval's ends; None where there is none.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class AuditData(Look):
    """What was measured; arguments as `Look`, and

    Arguments:
        verdict: what came out, in one sentence.
        figures: by name, each with its interval.
    """

    verdict: str
    figures: Mapping[str, Figure] = field(default_factory=dict)

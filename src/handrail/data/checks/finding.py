"""What the checks have to say about a table."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Finding(BaseModel):
    """One finding: what was seen, why it matters, what handrail does about it.

    Errors stop a fit, warnings stand in the report, notes are for information.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Literal["error", "warning", "note"]
    name: str
    seen: str
    why: str
    action: str
    column: str | None = None

    def __str__(self) -> str:
        return f"{self.seen} {self.why} {self.action}"

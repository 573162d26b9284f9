"""How findings name columns, shares and levels."""

from collections.abc import Sequence
from typing import Literal

from handrail.data.checks.finding import Finding
from handrail.tools.words import list_some

MOST_NAMES = 5


def make(
    level: Literal["error", "warning", "note"],
    name: str,
    columns: Sequence[str] = (),
    *,
    seen: str,
    why: str,
    action: str,
) -> Finding:
    """A finding; it carries the column where it is about a single one."""
    column = columns[0] if len(columns) == 1 else None
    return Finding(level=level, name=name, column=column, seen=seen, why=why, action=action)


def columns_with(columns: Sequence[str], details: Sequence[str]) -> str:
    """`Column 'a' (detail)`, or `7 columns: 'a' (detail), …`."""
    items = [
        f"'{column}' ({detail})" if detail else f"'{column}'"
        for column, detail in zip(columns, details, strict=True)
    ]
    return f"Column {items[0]}" if len(items) == 1 else f"{len(items):,} columns: {list_some(items)}"


def share(part: int, whole: int) -> str:
    """A percentage that says so when it is small but not nothing."""
    ratio = part / max(whole, 1)
    return "less than 0.1%" if 0 < ratio < 0.0005 else f"{ratio:.1%}"


def dropping(columns: Sequence[str]) -> str:
    """The setting that leaves columns out."""
    if len(columns) > MOST_NAMES:
        return "data.drop leaves them out."
    return f"data.drop=[{', '.join(columns)}] leaves {'it' if len(columns) == 1 else 'them'} out."

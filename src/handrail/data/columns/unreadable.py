"""What is said of values that do not fit their column."""

from collections.abc import Sequence

from handrail.data.checks.finding import Finding
from handrail.data.columns.schema import Trouble
from handrail.data.table import Table


def infinite(trouble: Trouble, places: Sequence[int], table: Table) -> str:
    """What is said of numbers that are infinite in these rows of a table."""
    return (
        f"{trouble} in {_where(places, table)}; expected a finite number. Mend the rows, or give the word as "
        "a missing marker "
        "(data.read.missing)."
    )


def unreadable(trouble: Trouble, places: Sequence[int], name: str, table: Table) -> Finding:
    """What is said of values that do not fit their column, in these rows of a table."""
    return Finding(
        level="warning",
        name="unreadable",
        column=trouble.column,
        seen=f"{trouble} in {len(places):,} {name} rows ({_where(places, table)}).",
        why="The column was understood from training rows, and these values do not fit.",
        action="They count as missing.",
    )


def _where(places: Sequence[int], table: Table) -> str:
    return f"{', '.join(table.row_name(row) for row in places[:5])}{' …' if len(places) > 5 else ''} of '{table.source}'"

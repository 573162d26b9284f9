"""A table looked over, in words."""

import textwrap
from collections.abc import Sequence

from handrail.data.checks.finding import Finding
from handrail.data.dataset import Dataset


def findings_text(data: Dataset, findings: Sequence[Finding]) -> str:
    """Columns, then findings: errors first."""
    width = max((len(column.name) for column in data.schema.columns), default=0)
    lines = [
        f"{data.source}: {data.task.name}, target {', '.join(data.task.targets)} ({data.task.why})",
        f"{len(data.train):,} training, {len(data.validation):,} validation, {data.sealed.rows:,} test rows",
        *data.notes,
        "",
        *(
            f"  {column.name.ljust(width)}  {column.kind.ljust(10)}  {column.why}"
            for column in data.schema.columns
        ),
        "",
    ]
    for level in ("error", "warning", "note"):
        for finding in findings:
            if finding.level == level:
                lines += textwrap.wrap(f"{level}: {finding}", 110, subsequent_indent="    ")
    counts = [sum(finding.level == level for finding in findings) for level in ("error", "warning", "note")]
    names = zip(counts, ("error", "warning", "note"), strict=True)
    lines.append(", ".join(f"{number} {name}{'' if number == 1 else 's'}" for number, name in names))
    return "\n".join(lines)

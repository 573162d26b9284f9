"""The columns of a table and the findings of its checks as text."""

import textwrap
from collections import Counter
from collections.abc import Sequence

from handrail.data.checks.finding import Finding
from handrail.data.dataset import Dataset
from handrail.report.wording import LEVELS
from handrail.tools.words import plural


def findings_text(data: Dataset, findings: Sequence[Finding]) -> str:
    """Columns, then findings, errors first."""
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
    for level in LEVELS:
        for finding in findings:
            if finding.level == level:
                lines += textwrap.wrap(f"{level}: {finding}", 110, subsequent_indent="    ")
    counts = Counter(finding.level for finding in findings)
    lines.append(", ".join(plural(counts[level], level) for level in LEVELS))
    return "\n".join(lines)

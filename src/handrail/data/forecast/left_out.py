"""What a forecast leaves out and does not know: columns, windows with a gap, the order of time."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import UInt8

from handrail.data.columns.schema import Column, infer
from handrail.data.finding import Finding, advise_drop, report_columns
from handrail.data.forecast.gaps import LONGEST_BRIDGE
from handrail.data.forecast.plan import WindowPlan
from handrail.data.split.draw import TEST, TRAIN, VALIDATION
from handrail.data.stores.series import WindowStore
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe
from handrail.tools.words import plural

LEFT_OUT = 3  # beside the codes of the parts
_SILENT = ("constant", "datetime")  # nothing to learn from, or known by another column


def report_no_dates(source: str) -> Finding:
    """Nothing orders the rows."""
    return Finding(
        level="note",
        name="no-dates",
        seen=f"'{source}' has no column of dates: its rows are taken in their order, the oldest first.",
        why="Sorted the other way round, the past would be predicted.",
        action="If a column holds dates, data.columns.NAME=datetime reads it and sorts by it.",
        decided=True,
    )


def report_left_out(train: pl.DataFrame, plan: WindowPlan, recipe: DataRecipe) -> list[Finding]:
    """Columns that are no numbers, by training rows."""
    if not plan.left_out:
        return []
    frame = train[list(plan.left_out)]
    kinds = {name: kind for name, kind in recipe.columns.items() if name in plan.left_out}
    columns = infer(frame, kinds=kinds).columns
    silent = [each for each in columns if each.kind in _SILENT or _counts_up(each, frame)]
    telling = [each for each in columns if each not in silent]
    return [
        *report_columns(
            "warning",
            "no-numbers",
            _kinds(telling),
            seen="no numbers, and left out of the forecast.",
            why="A forecast sees numbers, 0 and 1, and one column of dates.",
            action="As numbers (a column of 0 and 1 for each level, say) they would be seen. "
            + _advise_drop(telling),
            decided=True,
        ),
        *report_columns(
            "note",
            "no-numbers",
            _kinds(silent),
            seen="left out of the forecast.",
            why="A forecast sees numbers, 0 and 1, and one column of dates.",
            action=_advise_drop(silent),
            decided=True,
        ),
    ]


def _advise_drop(columns: Sequence[Column]) -> str:
    return advise_drop([each.name for each in columns]).removesuffix(".") + " without a word."


def _kinds(columns: Sequence[Column]) -> dict[str, str]:
    return {each.name: f"{each.kind}: {each.why}" for each in columns}


def _counts_up(column: Column, frame: pl.DataFrame) -> bool:
    """Whether it is an identifier of whole numbers, rather than of words."""
    return column.kind == "identifier" and column.why.startswith("whole numbers")


def leave_out_gaps(
    table: Table, parts: UInt8[np.ndarray, " windows"], plan: WindowPlan, source: str
) -> tuple[UInt8[np.ndarray, " windows"], list[Finding]]:
    """The parts without the windows whose targets have a gap, and what is to be said of them.

    Test windows stay: what a fit says must not depend on them. Those with a gap are not measured.

    Raises: `DataError` where no window is left for training or validation.
    """
    store = next(each for each in table.stores.values() if isinstance(each, WindowStore))
    gaps = store.asks_for_gaps() & (parts != TEST)
    if not gaps.any():
        return parts, []
    kept = np.where(gaps, np.uint8(LEFT_OUT), parts)
    known = [
        (name, int((parts == code).sum()), int((kept == code).sum()))
        for code, name in ((TRAIN, "training"), (VALIDATION, "validation"))
    ]
    names = "', '".join(plan.targets)
    shorter = "A shorter data.forecast.horizon leaves fewer out"
    empty = [name for name, _, rest in known if not rest]
    if empty:
        raise DataError(
            f"the target '{names}' of '{source}': all stretches of {plan.horizon} rows for "
            f"{' and '.join(empty)} have a gap. {shorter}; or fill the gaps of the table."
        )
    return kept, _report_gaps(store, plan, known, names, shorter)


def _report_gaps(
    store: WindowStore, plan: WindowPlan, known: Sequence[tuple[str, int, int]], names: str, shorter: str
) -> list[Finding]:
    bridged = int((np.isnan(store.observed) & ~np.isnan(store.truth)).sum())
    left = [f"{count - rest:,} of {count:,} {name} windows" for name, count, rest in known if rest < count]
    action = f"They are left out. {shorter}." if left else ""
    if bridged:
        action += f" Where a gap has at most {LONGEST_BRIDGE} rows, training takes the straight line between "
        action += (
            f"its neighbours ({plural(bridged, 'value')}); data.forecast.gaps=keep leaves these out, too."
        )
    seen = (
        f"{' and '.join(left)} would forecast a gap."
        if left
        else f"{plural(bridged, 'gap')} in training rows."
    )
    return [
        Finding(
            level="warning",
            name="gaps-in-target",
            column=plan.targets[0] if len(plan.targets) == 1 else None,
            seen=f"The target '{names}': {seen}",
            why="What is not known cannot be measured.",
            action=action.strip(),
            decided=True,
        )
    ] * bool(left or bridged)

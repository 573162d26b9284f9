"""A series without its gaps: it ends where the target ends, and no step between two rows is left out.

Only dates, and whether a target is there at all, are looked at; never a value. What is said of it stands in
the findings of the table.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Literal

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from handrail.data.finding import Finding, report_columns
from handrail.data.forecast.spacing import UNITS, Spacing, most_frequent
from handrail.data.forecast.timeline import Timeline, is_missing, show_moment
from handrail.tools.words import plural

INSERTED = -1
Gaps = Literal["auto", "fill", "keep"]
_FEWEST_WHOLE = 0.25  # of the stretches of a horizon
LONGEST_BRIDGE = 3  # rows without a target that training passes over


def keep_known(timeline: Timeline, targets: Collection[str]) -> Timeline:
    """Without the first and the last rows that have no value of any target: the series lies between them."""
    frame = timeline.table.frame
    known = np.flatnonzero(~is_missing(frame, targets))
    if not len(known):
        return timeline
    start, end = int(known[0]), int(known[-1]) + 1
    findings = [_report_start(timeline, targets, start)] if start else []
    findings += [_report_end(timeline, targets, end)] if end < len(frame) else []
    timeline = timeline.pick(np.arange(start, end), findings=findings) if findings else timeline
    return timeline.say(*_report_early_ends(timeline, targets))


def _report_start(timeline: Timeline, targets: Collection[str], start: int) -> Finding:
    table, of = timeline.table, "', '".join(targets)
    when = f" ({timeline.moment(start)})" if timeline.seconds is not None else ""
    return Finding(
        level="warning",
        name="no-start",
        column=of if len(targets) == 1 else None,
        seen=f"The first {plural(start, 'row')} of '{table.source}': no value of '{of}'.",
        why="What is filled in before the first value would be a guess.",
        action=f"They are left out; the series begins with {table.row_name(start)}{when}.",
        decided=True,
    )


def _report_end(timeline: Timeline, targets: Collection[str], end: int) -> Finding:
    table, dated = timeline.table, timeline.date is not None and timeline.date.name
    rows, of = plural(len(table.frame) - end, "row"), "', '".join(targets)
    inputs = [name for name in table.frame.columns if name not in {*targets, dated}]
    inputs = [name for name in inputs if table.frame[name].slice(end).count()]
    when = f" ({timeline.moment(end - 1)})" if timeline.seconds is not None else ""
    action = f"They are left out; the series ends with {table.row_name(end - 1)}{when}."
    if inputs:
        others = " and others" if len(inputs) > 1 else ""
        action += f" Their values of '{inputs[0]}'{others} are not used: what is known of the future "
        action += "(data.forecast.known) cannot be learned from yet."
    return Finding(
        level="warning",
        name="no-end",
        column=of if len(targets) == 1 else None,
        seen=f"The last {rows} of '{table.source}': no value of '{of}'.",
        why="A forecast starts behind the last value that is known.",
        action=action,
        decided=True,
    )


def _report_early_ends(timeline: Timeline, targets: Collection[str]) -> list[Finding]:
    """Targets that end before another does."""
    rows = len(timeline.places)
    lacking = (
        {name: rows - 1 - int(_last_known(timeline, name)) for name in targets} if len(targets) > 1 else {}
    )
    return report_columns(
        "warning",
        "early-end",
        {name: f"{plural(count, 'row')} earlier" for name, count in lacking.items() if count},
        seen="ends before the other targets do.",
        why="All targets are forecast from one row on.",
        action="Its last value stands for those behind it; forecast it in a run of its own to start there.",
        decided=True,
    )


def _last_known(timeline: Timeline, name: str) -> int:
    known = np.flatnonzero(~is_missing(timeline.table.frame, [name]))
    return int(known[-1]) if len(known) else -1


def fill_steps(timeline: Timeline, *, horizon: int = 0, gaps: Gaps = "fill") -> Timeline:
    """With a row without values for each step that is missing between two rows; findings say what was seen.

    Steps are put in where rows are evenly spaced, and no more are missing than there are rows; with `auto`,
    moreover where at least a quarter of the stretches of `horizon` steps are whole.

    Arguments:
        horizon: how many steps are forecast.
        gaps: `keep` leaves the rows as they stand, and says what is missing.
    """
    spacing = timeline.spacing
    if timeline.seconds is None or timeline.date is None or len(timeline.seconds) < 2:
        return timeline
    if spacing is None:
        return timeline.say(*_report_uneven(timeline))
    missing = np.maximum(np.rint(spacing.counts(timeline.seconds)).astype(np.int64) - 1, 0)
    total = int(missing.sum())
    if not total:
        return replace(timeline, filled=gaps != "keep")
    reason = ""
    if gaps == "keep":
        reason = "The rows are taken as they stand, as data.forecast.gaps says."
    elif total > len(timeline.places):
        reason = (
            "That is more than there are rows, which are taken as they stand: a step is a row, however long "
            "it took. Bring the table to a wider step, or to one stretch without breaks."
        )
    elif gaps == "auto" and _whole_stretches(missing, horizon) < _FEWEST_WHOLE:
        reason = (
            f"Nearly every stretch of {horizon} steps lacks one, and could not be measured: the rows are "
            "taken as they stand, and a step is a row, however long it took. data.forecast.gaps=fill puts "
            "the missing ones in; a shorter data.forecast.horizon leaves more stretches whole."
        )
    timeline = timeline.say(_report_missing_steps(timeline, spacing, missing, reason))
    return timeline if reason else replace(_insert(timeline, spacing, missing), filled=True)


def _whole_stretches(missing: Int[np.ndarray, " neighbours"], horizon: int) -> float:
    """The share of the stretches of `horizon` steps that no missing one lies in, once these are put in."""
    runs = np.diff(np.flatnonzero(np.concatenate([[1], missing, [1]]))).astype(np.int64)  # rows on end
    steps = len(missing) + 1 + int(missing.sum())
    return float(np.maximum(runs - horizon + 1, 0).sum() / max(1, steps - horizon + 1))


def _insert(timeline: Timeline, spacing: Spacing, missing: Int[np.ndarray, " neighbours"]) -> Timeline:
    assert timeline.seconds is not None
    assert timeline.date is not None
    rows, gaps = len(timeline.places), np.flatnonzero(missing)
    new = np.concatenate([spacing.after(float(timeline.seconds[gap]), int(missing[gap])) for gap in gaps])
    behind = np.repeat(gaps, missing[gaps])
    before = np.concatenate([np.arange(rows), behind])  # the row that each stands at, or behind
    inserted = np.concatenate([np.zeros(rows, dtype=bool), np.ones(len(new), dtype=bool)])
    order = np.lexsort((inserted, before))  # stable: steps of one gap stay in their order
    before, inserted = before[order], inserted[order]
    seconds = np.concatenate([timeline.seconds, new])[order]
    indices = pl.Series(np.where(inserted, 0, before))
    places = pl.select(pl.when(pl.Series(~inserted)).then(indices)).to_series()
    table = timeline.table
    moments = pl.Series(timeline.date.name, np.rint(seconds * 1e6).astype(np.int64)).cast(pl.Datetime("us"))
    columns = [moments if each.name == timeline.date.name else each.gather(places) for each in table.frame]

    def name(row: int) -> str:
        known = table.row_name(int(before[row]))
        return (
            f"the missing step {show_moment(float(seconds[row]))} behind {known}" if inserted[row] else known
        )

    filled = replace(table, frame=pl.DataFrame(columns), namer=name, parts=None)
    return replace(
        timeline,
        table=filled,
        places=np.where(inserted, INSERTED, timeline.places[before]),
        seconds=seconds,
    )


def _report_missing_steps(
    timeline: Timeline, spacing: Spacing, missing: Int[np.ndarray, " neighbours"], reason: str
) -> Finding:
    assert timeline.seconds is not None
    assert timeline.date is not None
    total, rows = int(missing.sum()), len(missing) + 1
    first = int(np.flatnonzero(missing)[0])
    when = show_moment(float(spacing.after(float(timeline.seconds[first]), 1)[0]))
    longest = spacing.name(int(missing.max()))
    of = spacing.name(rows + total).partition(" ")
    verb = "is" if total == 1 else "are"
    seen = f"Column '{timeline.date.name}': {total:,} of {of[0]} {of[2]} {verb} missing (the first is {when}"
    seen += f"; at most {longest} on end)." if missing.max() > 1 else ")."
    action = reason or (
        "Each is put in as a row without values: the network sees the last value before it, and no "
        "figure asks for it; data.forecast.gaps=keep takes the rows as they stand."
    )
    return Finding(
        level="warning",
        name="missing-steps",
        column=timeline.date.name,
        seen=seen,
        why="History, horizon and season are counted in rows.",
        action=action,
        decided=True,
    )


def _report_uneven(timeline: Timeline) -> list[Finding]:
    assert timeline.seconds is not None
    assert timeline.date is not None
    apart = np.diff(np.unique(timeline.seconds)).round(6)
    if len(apart) < 2:
        return []
    size, share = most_frequent(apart)
    middle = float(np.median(apart))
    usual, shortest, half, longest = (_length(each) for each in (size, apart.min(), middle, apart.max()))
    return [
        Finding(
            level="warning",
            name="uneven-steps",
            column=timeline.date.name,
            seen=f"Column '{timeline.date.name}': the rows are not evenly spaced. They are {shortest} to "
            f"{longest} apart, half of them at most {half}; the most frequent step, {usual}, is {share:.1%} "
            "of them.",
            why="History, horizon and season are counted in rows.",
            action="Rows are taken as they stand: a step is a row, however long it took. For steps of one "
            f"length, bring the table to one first (a mean for each {_round(middle)}, say).",
            decided=True,
        )
    ]


def _length(seconds: float) -> str:
    """A length of time in the largest unit that it fills: `6.9 minutes`."""
    unit, name = next((each for each in UNITS if seconds >= each[0]), UNITS[-1])
    number = f"{seconds / unit:.2g}" if seconds < 10 * unit else f"{seconds / unit:,.0f}"
    return f"{number} {name}{'' if number == '1' else 's'}"


def _round(seconds: float) -> str:
    """A round length of time not below this one."""
    lengths = [1, 10, 60, 600, 3600, 86400, 7 * 86400, 30 * 86400]
    size = next((each for each in lengths if each >= seconds), 365 * 86400)
    return Spacing(unit="second", size=float(size)).name(1).removeprefix("1 ")


def bridge(
    values: Float[np.ndarray, "rows targets"], *, longest: int = LONGEST_BRIDGE
) -> Float[np.ndarray, "rows targets"]:
    """With the straight line between its neighbours in every gap of at most `longest` rows."""
    bridged = values.copy()
    rows = np.arange(len(values))
    for column in bridged.T:
        known = np.flatnonzero(~np.isnan(column))
        if len(known) < 2:
            continue
        line = np.interp(rows, known, column[known])
        behind = np.searchsorted(known, rows)  # the first known row that is not before this one
        inside = np.isnan(column) & (behind > 0) & (behind < len(known))
        gaps = known[np.minimum(behind, len(known) - 1)] - known[np.maximum(behind - 1, 0)] - 1
        short = inside & (gaps <= longest)
        column[short] = line[short]
    return bridged

"""What a report says of the sealed test rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from handrail.errors import SealError
from handrail.evaluation.ledger import Opening
from handrail.report.wording import count, metric_value, moment
from handrail.runs.record import RunRecord


@dataclass(frozen=True)
class OpeningRow:
    """A line of the ledger."""

    when: str
    run: str
    recipe: str
    again: bool
    figure: str


@dataclass(frozen=True)
class SealView:
    """`state` in two or three words, `told` in sentences, `mark` on each test figure (empty where none is
    due).

    metric: whose value stands in the table of openings.
    """

    state: str
    clean: bool
    told: tuple[str, ...]
    mark: str = ""
    openings: tuple[OpeningRow, ...] = ()
    shared: tuple[str, ...] = ()
    metric: str = ""


def seal_view(run: RunRecord, summary: Mapping[str, Any], tested: Mapping[str, Any] | None) -> SealView:
    """The seal's state from `test.json` and the ledger.

    A ledger that cannot be read is told of in the report; the fit before it is none the worse for it.
    """
    trouble: tuple[str, ...] = ()
    try:
        openings = run.openings()
    except SealError as error:
        openings, trouble = [], (f"The ledger of openings could not be read: {error}",)
    metric = next(iter(summary["metrics"]))
    rows = tuple(_row(opening, metric) for opening in openings)
    if tested is None:
        view = _shut(openings, summary["rows"]["test"], trouble, rows)
    else:
        view = _opened(run, tested, openings, trouble, rows)
    return replace(view, metric=metric)


def _row(opening: Opening, metric: str) -> OpeningRow:
    found = (opening.figures or {}).get(metric)
    figure = metric_value(metric, found) if isinstance(found, int | float) else "not measured"
    name = opening.run.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return OpeningRow(
        moment(opening.when), name, f"{opening.recipe} ({opening.recipe_hash})", opening.again, figure
    )


def _shut(
    openings: Sequence[Opening], rows: int, trouble: tuple[str, ...], table: tuple[OpeningRow, ...]
) -> SealView:
    told = (
        f"Nobody has looked at the {count(rows, 'test row')}; the command “handrail test” opens them, once."
    )
    if not openings:
        return SealView("Shut", not trouble, (told, *trouble), openings=table)
    last = openings[-1]
    told = (
        f"This run has not looked at its {count(rows, 'test row')}, but they have been opened {_times(len(openings))} before, "
        f"last on {moment(last.when)} by the recipe {last.recipe} ({last.recipe_hash}). "
        "Another test of them needs --again, and its figures will be marked."
    )
    return SealView("Shut here, opened before", False, (told, *trouble), openings=table)


def _opened(
    run: RunRecord,
    tested: Mapping[str, Any],
    openings: Sequence[Opening],
    trouble: tuple[str, ...],
    table: tuple[OpeningRow, ...],
) -> SealView:
    number = tested["opening"]
    told = [
        f"Opened on {moment(tested['opened'])} by the recipe {run.recipe.name} ({run.recipe.fingerprint()}): "
        f"{count(tested['rows'], 'test row')}, opening number {number}."
    ]
    if tested["again"]:
        told.append(
            f"These rows had been opened {_times(number - 1)} before. Whatever was changed since may have been changed to suit "
            "them, so every test figure on this page is marked and is likely to flatter."
        )
    else:
        told.append(
            "Nobody had looked at these rows before: the test figures are an honest estimate for new ones."
        )
    if len(openings) > number:
        more = _times(len(openings) - number)
        told.append(
            f"Since then they have been opened {more} more; what comes after that is no longer blind."
        )
    if tested["refit"]:
        told.append(
            "The tested model was trained anew on training and validation rows, for the epochs that were best before."
        )
    shared = tuple(_shared(opening, share) for opening, share in tested["shared"])
    state = f"Opened {_times(number)}"
    return SealView(
        state, not tested["again"] and not shared, (*told, *trouble), _mark(tested), table, shared
    )


def _mark(tested: Mapping[str, Any]) -> str:
    return f"opened {_times(tested['opening'])}" if tested["again"] else ""


def _shared(opening: Mapping[str, Any], share: float) -> str:
    part = "less than 1%" if share < 0.01 else f"{share:.0%}"
    return (
        f"{part} of these rows also stand in another set of test rows, opened on {moment(opening['when'])} "
        f"by the recipe {opening['recipe']} ({opening['recipe_hash']})."
    )


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"

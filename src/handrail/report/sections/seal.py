"""What the page says about the sealed test rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from handrail.errors import SealError
from handrail.evaluation.ledger import Opening
from handrail.report.wording import metric_value, moment
from handrail.runs.record import RunRecord
from handrail.tools.words import plural


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
    """The seal in words.

    Arguments:
        state: two or three words.
        clean: whether the test figures are, or would be, those of unseen rows.
        sentences: the same at length.
        mark: stands beside each test figure of rows that were opened before.
        openings: the ledger's lines.
        shared: a sentence for each other set of test rows that holds some of these.
        metric: the one shown in the table of openings.
    """

    state: str
    clean: bool
    sentences: tuple[str, ...]
    mark: str = ""
    openings: tuple[OpeningRow, ...] = ()
    shared: tuple[str, ...] = ()
    metric: str = ""


def seal_view(run: RunRecord, summary: Mapping[str, Any], tested: Mapping[str, Any] | None) -> SealView:
    """The seal's state from `test.json` and the ledger; if the ledger cannot be read, the page says so."""
    trouble: tuple[str, ...] = ()
    try:
        openings = run.openings()
    except SealError as error:
        openings, trouble = [], (f"The ledger of openings could not be read: {error}",)
    metric = next(iter(summary["metrics"]))
    rows = tuple(_row(opening, metric) for opening in openings)
    if tested is None:
        view = _shut_view(openings, summary["rows"]["test"], trouble, rows)
    else:
        view = _open_view(run, tested, openings, trouble, rows)
    return replace(view, metric=metric)


def _row(opening: Opening, metric: str) -> OpeningRow:
    value = (opening.figures or {}).get(metric)
    figure = metric_value(metric, value) if isinstance(value, int | float) else "not measured"
    name = opening.run.replace("\\", "/").rstrip("/").rpartition("/")[2]
    recipe = f"{opening.recipe} ({opening.recipe_hash})"
    return OpeningRow(moment(opening.when), name, recipe, opening.again, figure)


def _shut_view(
    openings: Sequence[Opening], rows: int, trouble: tuple[str, ...], table: tuple[OpeningRow, ...]
) -> SealView:
    test_rows = plural(rows, "test row")
    if not openings:
        sentence = f"Nobody has looked at the {test_rows}; the command “handrail test” opens them, once."
        return SealView("Shut", not trouble, (sentence, *trouble), openings=table)
    last = openings[-1]
    sentence = (
        f"This run has not looked at its {test_rows}, but they have been opened "
        f"{_times(len(openings))} before, last on {moment(last.when)} "
        f"by the recipe {last.recipe} ({last.recipe_hash}). "
        "Another test of them needs --again, and its figures will be marked."
    )
    return SealView("Shut here, opened before", False, (sentence, *trouble), openings=table)


def _open_view(
    run: RunRecord,
    tested: Mapping[str, Any],
    openings: Sequence[Opening],
    trouble: tuple[str, ...],
    table: tuple[OpeningRow, ...],
) -> SealView:
    number = tested["opening"]
    sentences = [
        f"Opened on {moment(tested['opened'])} by the recipe {run.recipe.name} ({run.recipe.fingerprint()}): "
        f"{plural(tested['rows'], 'test row')}, opening number {number}."
    ]
    if tested["again"]:
        sentences.append(
            f"These rows had been opened {_times(number - 1)} before. Changes made since may have been tuned "
            "to them, so every test figure on this page is marked and is likely to flatter."
        )
    else:
        sentences.append(
            "Nobody had looked at these rows before: the test figures are an honest estimate for new ones."
        )
    if len(openings) > number:
        more = _times(len(openings) - number)
        sentences.append(f"Since then they have been opened {more} more; later results are no longer blind.")
    if tested["refit"]:
        sentences.append(
            "The tested model was refitted on training and validation rows, "
            "for the number of epochs that was best before."
        )
    shared = tuple(_overlap_line(opening, share) for opening, share in tested["shared"])
    clean, times = not tested["again"] and not shared, _times(number)
    mark = f"opened {times}" if tested["again"] else ""
    return SealView(f"Opened {times}", clean, (*sentences, *trouble), mark, table, shared)


def _overlap_line(opening: Mapping[str, Any], share: float) -> str:
    part = "less than 1%" if share < 0.01 else f"{share:.0%}"
    return (
        f"{part} of these rows are also in another set of test rows, opened on {moment(opening['when'])} "
        f"by the recipe {opening['recipe']} ({opening['recipe_hash']})."
    )


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"

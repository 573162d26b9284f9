"""The head of a page: the result in a sentence, the figures beside it, and what the seal says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from handrail.errors import SealError
from handrail.evaluation.ledger import Opening
from handrail.evaluation.metric_names import higher_is_better
from handrail.evaluation.metrics import rounding_of
from handrail.report.replicas import Replicas, network_name, replicas_in
from handrail.report.wording import (
    capitalise,
    difference,
    difference_interval,
    interval,
    metric_label,
    metric_value,
    moment,
    positive_class,
    row_word,
    series_of,
    value_in_prose,
)
from handrail.runs.record import RunRecord
from handrail.tools.words import list_some, plural

_WINNER = {
    "better": "The {who} wins",
    "worse": "The baseline wins",
    "even": "No clear winner",
    "unknown": "No comparison",
}
_ARTICLE_AN = (
    *("inertia", "accuracy", "r2", "rmse", "f1", "mae", "iou", "map_50", "map_50_95", "exact_match"),
    "energy_score",
)


@dataclass(frozen=True)
class Tile:
    """A figure shown large."""

    label: str
    value: str
    below: str
    look: str = ""
    marked: bool = False


@dataclass(frozen=True)
class Verdict:
    """The result in a sentence; `outcome` is better, worse, even or unknown."""

    sentence: str
    outcome: str
    tiles: tuple[Tile, ...]


def verdict(summary: Mapping[str, Any], tested: Mapping[str, Any] | None, confidence: float) -> Verdict:
    """From the test rows where the seal was opened, else from validation rows."""
    results, part = (summary, "validation") if tested is None else (tested, "test")
    rows = summary["rows"]["validation"] if tested is None else tested["rows"]
    comparison = results["comparison"]
    metric, baseline = comparison["metric"], comparison["baseline"]
    network, other = results["metrics"][metric], results["baselines"][baseline][metric]
    outcome = _outcome(comparison["verdict"], network["value"], other["value"])
    replicas, who = replicas_in(results), network_name(results)
    marked = tested is not None and tested["again"]
    label, row = (
        metric_label(metric, positive_class(summary["task"])),
        row_word(summary["task"], summary["columns"]),
    )
    article = "an" if metric in _ARTICLE_AN else "a"
    subject = f"{who} of {len(replicas.answering)} networks" if replicas and replicas.has_ensemble else who
    value, other_value = (value_in_prose(metric, figure["value"]) for figure in (network, other))
    span = _in_brackets(interval(metric, network, prose=True), confidence)
    sentence = (
        f"{_what(summary['task'], subject)} with {article} {label} of {value}{span} "
        f"on {plural(rows, f'{part} {row}')}; {_standing(results, metric, baseline)} has {other_value}, "
        f"{_ending(outcome, who, comparison)}{_alone(replicas, metric) if replicas else ''}"
    )
    gap = comparison["difference"]
    gap_texts = difference(metric, gap["value"]), difference_interval(metric, gap)
    tiles = (
        _figure(f"{label}, {part} {row}s", metric, network, look="network", marked=marked),
        _figure(
            _standing(results, metric, baseline).removeprefix("the "),
            metric,
            other,
            look="baseline",
            marked=marked,
        ),
        Tile(_WINNER[outcome].format(who=who), *gap_texts, outcome, marked),
    )
    return Verdict(sentence, outcome, tiles)


def _standing(results: Mapping[str, Any], metric: str, baseline: str) -> str:
    """The baseline compared with: the best, or another that is not clearly beaten while the best is."""
    figures = {name: {metric: measured.get(metric, {})} for name, measured in results["baselines"].items()}
    best = best_of(metric, figures) or baseline
    return f"the best baseline ({baseline})" if best == baseline else f"the baseline {baseline}"


def _outcome(comparison: str, network: float | None, other: float | None) -> str:
    if network is None or other is None or comparison == "not comparable":
        return "unknown"
    return comparison if comparison in ("better", "worse") else "even"


def _figure(label: str, metric: str, values: Mapping[str, float | None], *, look: str, marked: bool) -> Tile:
    value, below = value_in_prose(metric, values["value"]), interval(metric, values, prose=True)
    return Tile(capitalise(label), value, below, look, marked)


def _alone(replicas: Replicas, metric: str) -> str:
    spread = replicas.spread.get(metric, {})
    if spread.get("std") is None:
        return ""
    span = interval(metric, spread, prose=True)
    mean = value_in_prose(metric, spread["mean"])
    return f" Over {len(replicas.sound)} seeds, single networks have {mean} on average ({span})."


def _what(task: Mapping[str, Any], who: str) -> str:
    targets, classes = _quote(task["targets"]), task["classes"]
    if task.get("horizon"):
        series = _quote(series_of(task))
        how = ", each from its own answers before," if task.get("free_run") else ""
        return f"The {who} forecasts {series} {plural(task['horizon'], 'step')} ahead{how}"
    actions = {
        "regression": f"predicts {targets}",
        "multi-label": f"gives the labels {targets}",
        "mask": f"marks {_quote(classes[1:] if len(classes) == 2 else classes)} in images",
        "boxes": f"finds {_quote(classes)} in images",
        "bit-sequence": f"answers series of bits, {targets}",
        "next-token": f"predicts the next token of {targets}",
        "sequence": f"writes {targets}",
        "text-to-image": f"makes {targets} from a text",
        "clusters": "divides the rows into clusters",
        "map": "lays the rows out on a map",
        "memory": "recalls stored patterns from damaged cues",
        "density": "tells how likely each row is",
        "generation": "makes new rows",
        "reconstruction": "gives rows back from a code",
        "translation": "makes rows of one domain into rows of the other",
    }
    classify = f"tells the {len(classes):,} classes of {targets} apart"
    actions |= {"binary": classify, "multi-class": classify}
    return f"The {who} {actions[task['name']]}"


def _quote(names: Iterable[str]) -> str:
    return list_some((f"“{name}”" for name in names), most=4, last=" and ")


def _in_brackets(span: str, confidence: float) -> str:
    return f" ({confidence:.0%} interval {span})".replace("%", "\u202f%", 1) if span else ""


def _ending(outcome: str, who: str, comparison: Mapping[str, Any]) -> str:
    reason, by_chance = comparison.get("reason"), comparison["difference"]["low"] is not None
    return {
        "better": f"so the {who} wins{' by more than chance explains' if by_chance else ''}.",
        "worse": f"so the {who} loses to it: use the baseline, or change the recipe.",
        "even": f"so the {who} does not win{' beyond noise' if by_chance else ''}.",
        "unknown": f"and the two cannot be compared{f': {reason}' if reason else ' on these rows'}.",
    }[outcome]


def best_of(name: str, figures: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> str:
    """The model with the best value of a metric; empty where none or several are best, but for rounding."""
    known = {who: metrics.get(name, {}).get("value") for who, metrics in figures.items()}
    values = {who: value for who, value in known.items() if value is not None}
    if len(values) < 2:
        return ""
    best = (max if higher_is_better(name) else min)(values.values())
    winners = [who for who, value in values.items() if abs(value - best) <= rounding_of(value, best)]
    return winners[0] if len(winners) == 1 else ""


@dataclass(frozen=True)
class OpeningRow:
    """A line of the ledger."""

    when: str
    run: str
    recipe: str
    again: bool
    figure: str


_WHOLE = (
    "Training, validation and test rows are each the whole truth table: no row is unseen, and figures say "
    "whether the table has been learned. However often they are measured, none is marked."
)


@dataclass(frozen=True)
class SealView:
    """The seal in words.

    Arguments:
        clean: whether the test figures are, or would be, those of unseen rows.
        mark: stands beside each test figure of rows that were opened before.
        shared: a sentence for each other set of test rows that holds some of these.
        metric: shown in the table of openings.
        whole: whether there is nothing to seal, since the rows are all that there can be.
    """

    state: str
    clean: bool
    sentences: tuple[str, ...]
    mark: str = ""
    openings: tuple[OpeningRow, ...] = ()
    shared: tuple[str, ...] = ()
    metric: str = ""
    whole: bool = False


def seal_view(run: RunRecord, summary: Mapping[str, Any], tested: Mapping[str, Any] | None) -> SealView:
    """The state of the seal from `test.json` and the ledger, which may be unreadable."""
    trouble: tuple[str, ...] = ()
    if run.is_whole:
        return SealView("Nothing to seal", True, (_WHOLE,), whole=True)
    try:
        openings = run.openings()
    except SealError as error:
        openings, trouble = [], (f"The ledger of openings could not be read: {error}",)
    metric = next(iter(summary["metrics"]))
    rows = tuple(_opening_row(opening, metric) for opening in openings)
    if tested is None:
        view = _shut_view(openings, summary["rows"]["test"], trouble, rows)
    else:
        view = _open_view(run, tested, openings, trouble, rows)
    return replace(view, metric=metric)


def _opening_row(opening: Opening, metric: str) -> OpeningRow:
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
    last, times = openings[-1], _times(len(openings))
    sentence = (
        f"This run has not looked at its {test_rows}, but they have been opened {times} before, last on "
        f"{moment(last.when)} by the recipe {last.recipe} ({last.recipe_hash}). "
        "Another test of them needs --again (in Python again=True), and its figures will be marked."
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
        blind = (
            "Nobody had looked at these rows before: the test figures are an honest estimate for new ones."
        )
        sentences.append(blind)
    if len(openings) > number:
        more = _times(len(openings) - number)
        sentences.append(f"Since then they have been opened {more} more; later results are no longer blind.")
    if tested["refit"]:
        refitted = "The tested model was refitted on training and validation rows, "
        sentences.append(f"{refitted}for the number of epochs that was best before.")
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

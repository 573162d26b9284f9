"""The sentence that a page begins with, and the figures beside it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from handrail.evaluation.metric_names import higher_is_better
from handrail.report.replicas import Replicas, network_name, replicas_in
from handrail.report.wording import (
    capitalise,
    difference,
    difference_interval,
    interval,
    metric_label,
    row_word,
    value_in_prose,
)
from handrail.tools.words import list_some, plural

_WINNER = {
    "better": "The {who} wins",
    "worse": "The baseline wins",
    "even": "No clear winner",
    "unknown": "No comparison",
}
_ARTICLE_AN = ("accuracy", "r2", "rmse", "f1", "mae", "iou", "map_50", "map_50_95", "exact_match")


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
    label, row = metric_label(metric), row_word(summary["task"])
    article = "an" if metric in _ARTICLE_AN else "a"
    subject = f"{who} of {len(replicas.answering)} networks" if replicas and replicas.has_ensemble else who
    value, other_value = (value_in_prose(metric, figure["value"]) for figure in (network, other))
    span = _in_brackets(interval(metric, network, prose=True), confidence)
    sentence = (
        f"{_what(summary['task'], subject)} with {article} {label} of {value}{span} "
        f"on {plural(rows, f'{part} {row}')}; the best baseline ({baseline}) has {other_value}, "
        f"{_ending(outcome, who)}{_alone(replicas, metric) if replicas else ''}"
    )
    gap = comparison["difference"]
    tiles = (
        _figure(f"{label}, {part} {row}s", metric, network, look="network", marked=marked),
        _figure(f"best baseline, {baseline}", metric, other, look="baseline", marked=marked),
        Tile(
            _WINNER[outcome].format(who=who),
            difference(metric, gap["value"]),
            difference_interval(metric, gap),
            outcome,
            marked,
        ),
    )
    return Verdict(sentence, outcome, tiles)


def _outcome(comparison: str, network: float | None, other: float | None) -> str:
    if network is None or other is None:
        return "unknown"
    return comparison if comparison in ("better", "worse") else "even"


def _figure(label: str, metric: str, values: Mapping[str, float | None], *, look: str, marked: bool) -> Tile:
    value, below = value_in_prose(metric, values["value"]), interval(metric, values, prose=True)
    return Tile(capitalise(label), value, below, look, marked)


def _alone(replicas: Replicas, metric: str) -> str:
    """What single networks show, for comparison with the ensemble."""
    spread = replicas.spread.get(metric, {})
    if spread.get("std") is None:
        return ""
    span = interval(metric, spread, prose=True)
    mean = value_in_prose(metric, spread["mean"])
    return f" Over {len(replicas.sound)} seeds, single networks have {mean} on average ({span})."


def _what(task: Mapping[str, Any], who: str) -> str:
    targets, classes = _quote(task["targets"]), task["classes"]
    if task.get("horizon"):
        series = _quote(dict.fromkeys(name.rpartition(" +")[0] for name in task["targets"]))
        return f"The {who} forecasts {series} {plural(task['horizon'], 'step')} ahead"
    actions = {
        "regression": f"predicts {targets}",
        "multi-label": f"gives the labels {targets}",
        "mask": f"marks {_quote(classes[1:] if len(classes) == 2 else classes)} in images",
        "boxes": f"finds {_quote(classes)} in images",
        "next-token": f"predicts the next token of {targets}",
        "sequence": f"writes {targets}",
    }
    classify = f"tells the {len(classes):,} classes of {targets} apart"
    return f"The {who} {actions.get(task['name'], classify)}"


def _quote(names: Iterable[str]) -> str:
    return list_some((f"“{name}”" for name in names), most=4, last=" and ")


def _in_brackets(span: str, confidence: float) -> str:
    return f" ({confidence:.0%} interval {span})".replace("%", "\u202f%", 1) if span else ""


def _ending(outcome: str, who: str) -> str:
    return {
        "better": f"so the {who} wins by more than chance explains.",
        "worse": f"so the {who} loses to it: use the baseline, or change the recipe.",
        "even": f"so the {who} does not win beyond noise.",
        "unknown": "so the two cannot be compared on these rows.",
    }[outcome]


def best_of(name: str, figures: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> str:
    """The model with the best value of a metric; empty where none or several are best."""
    values = {
        who: value
        for who, metrics in figures.items()
        if (value := metrics.get(name, {}).get("value")) is not None
    }
    if len(values) < 2:
        return ""
    best = (max if higher_is_better(name) else min)(values.values())
    winners = [who for who, value in values.items() if value == best]
    return winners[0] if len(winners) == 1 else ""

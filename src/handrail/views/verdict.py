"""The one sentence that a report begins with, and the figures beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handrail.evaluation.names import higher_is_better
from handrail.views.wording import count, difference, difference_interval, interval, listed, metric_label, spoken_value

_WINNER = {"better": "The network wins", "worse": "The baseline wins", "even": "No clear winner", "unknown": "No comparison"}
_ARTICLE_AN = ("accuracy", "r2", "rmse", "f1", "mae")


@dataclass(frozen=True)
class Tile:
    """A figure that is shown large."""

    label: str
    value: str
    below: str
    look: str = ""
    marked: bool = False


@dataclass(frozen=True)
class Verdict:
    """`sentence` says it all; `outcome` is better, worse, even or unknown."""

    sentence: str
    outcome: str
    tiles: tuple[Tile, ...]


def verdict(summary: Mapping[str, Any], tested: Mapping[str, Any] | None, confidence: float) -> Verdict:
    """From the test rows where the seal was opened, else from validation rows."""
    found, part = (summary, "validation") if tested is None else (tested, "test")
    rows = summary["rows"]["validation"] if tested is None else tested["rows"]
    comparison = found["comparison"]
    metric, rival = comparison["metric"], comparison["baseline"]
    network, other = found["metrics"][metric], found["baselines"][rival][metric]
    outcome = _outcome(comparison["verdict"], network["value"], other["value"])
    marked = tested is not None and tested["again"]
    label = metric_label(metric)
    article = "an" if metric in _ARTICLE_AN else "a"
    sentence = (
        f"{_what(summary['task'])} with {article} {label} of {spoken_value(metric, network['value'])}"
        f"{_bracketed(interval(metric, network, spoken=True), confidence)} on {count(rows, f'{part} row')}; "
        f"the best baseline ({rival}) has {spoken_value(metric, other['value'])}, {_ending(outcome)}"
    )
    gap = comparison["difference"]
    tiles = (
        _figure(f"{label}, {part} rows", metric, network, look="network", marked=marked),
        _figure(f"best baseline, {rival}", metric, other, look="baseline", marked=marked),
        Tile(_WINNER[outcome], difference(metric, gap["value"]), difference_interval(metric, gap), outcome, marked),
    )
    return Verdict(sentence, outcome, tiles)


def _outcome(told: str, network: float | None, other: float | None) -> str:
    if network is None or other is None:
        return "unknown"
    return told if told in ("better", "worse") else "even"


def _figure(label: str, metric: str, found: Mapping[str, float | None], *, look: str, marked: bool) -> Tile:
    return Tile(label, spoken_value(metric, found["value"]), interval(metric, found, spoken=True), look, marked)


def _what(task: Mapping[str, Any]) -> str:
    targets = listed((f"“{name}”" for name in task["targets"]), 4)
    if task["name"] == "regression":
        return f"The network predicts {targets}"
    if task["name"] == "multi-label":
        return f"The network gives the labels {targets}"
    return f"The network tells the {len(task['classes']):,} classes of {targets} apart"


def _bracketed(span: str, confidence: float) -> str:
    return f" ({confidence:.0%} interval {span})".replace("%", "\u202f%", 1).replace("\u202f\u202f", "\u202f") if span else ""


def _ending(outcome: str) -> str:
    return {
        "better": "so the network wins by more than chance explains.",
        "worse": "so the network loses to it: use the baseline, or change the recipe.",
        "even": "so the network does not win beyond noise.",
        "unknown": "so the two cannot be compared on these rows.",
    }[outcome]


def best_of(name: str, figures: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> str:
    """Whose value of a metric is best; the empty text where none is, or several are."""
    values = {who: found[name]["value"] for who, found in figures.items() if name in found and found[name]["value"] is not None}
    if len(values) < 2:
        return ""
    sign = 1 if higher_is_better(name) else -1
    ordered = sorted(values, key=lambda who: -sign * values[who])  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
    return "" if values[ordered[0]] == values[ordered[1]] else ordered[0]

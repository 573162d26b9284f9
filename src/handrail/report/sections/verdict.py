"""The one sentence that a report begins with, and the figures beside it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from handrail.evaluation.metric_names import higher_is_better
from handrail.report.sections.replicas import Replicas, network_name, replicas_in
from handrail.report.wording import (
    count,
    difference,
    difference_interval,
    interval,
    listed,
    metric_label,
    row_word,
    spoken_value,
    titled,
)

_WINNER = {
    "better": "The {who} wins",
    "worse": "The baseline wins",
    "even": "No clear winner",
    "unknown": "No comparison",
}
_ARTICLE_AN = ("accuracy", "r2", "rmse", "f1", "mae", "iou", "map_50", "map_50_95", "exact_match")


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
    replicas, who = replicas_in(found), network_name(found)
    marked = tested is not None and tested["again"]
    label, row = metric_label(metric), row_word(summary["task"])
    article = "an" if metric in _ARTICLE_AN else "a"
    named = f"{who} of {len(replicas.answering)} networks" if replicas and replicas.joined else who
    sentence = (
        f"{_what(summary['task'], named)} with {article} {label} of {spoken_value(metric, network['value'])}"
        f"{_bracketed(interval(metric, network, spoken=True), confidence)} on {count(rows, f'{part} {row}')}; "
        f"the best baseline ({rival}) has {spoken_value(metric, other['value'])}, {_ending(outcome, who)}"
        f"{_alone(replicas, metric) if replicas else ''}"
    )
    gap = comparison["difference"]
    tiles = (
        _figure(f"{label}, {part} {row}s", metric, network, look="network", marked=marked),
        _figure(f"best baseline, {rival}", metric, other, look="baseline", marked=marked),
        Tile(
            _WINNER[outcome].format(who=who),
            difference(metric, gap["value"]),
            difference_interval(metric, gap),
            outcome,
            marked,
        ),
    )
    return Verdict(sentence, outcome, tiles)


def _outcome(told: str, network: float | None, other: float | None) -> str:
    if network is None or other is None:
        return "unknown"
    return told if told in ("better", "worse") else "even"


def _figure(label: str, metric: str, found: Mapping[str, float | None], *, look: str, marked: bool) -> Tile:
    return Tile(
        titled(label),
        spoken_value(metric, found["value"]),
        interval(metric, found, spoken=True),
        look,
        marked,
    )


def _alone(replicas: Replicas, metric: str) -> str:
    """What one training from one seed would have shown."""
    spread = replicas.spread.get(metric, {})
    if spread.get("std") is None:
        return ""
    span = interval(metric, spread, spoken=True)
    mean = spoken_value(metric, spread["mean"])
    return f" Over {len(replicas.sound)} seeds, single networks have {mean} on average ({span})."


def _what(task: Mapping[str, Any], who: str) -> str:
    targets, classes = _quoted(task["targets"]), task["classes"]
    if task.get("horizon"):
        series = _quoted(dict.fromkeys(name.rpartition(" +")[0] for name in task["targets"]))
        return f"The {who} forecasts {series} {count(task['horizon'], 'step')} ahead"
    done = {
        "regression": f"predicts {targets}",
        "multi-label": f"gives the labels {targets}",
        "mask": f"marks {_quoted(classes[1:] if len(classes) == 2 else classes)} in images",
        "boxes": f"finds {_quoted(classes)} in images",
        "next-token": f"foretells each next token of {targets}",
        "sequence": f"writes {targets}",
    }
    return f"The {who} {done.get(task['name'], f'tells the {len(classes):,} classes of {targets} apart')}"


def _quoted(names: Iterable[str]) -> str:
    return listed((f"“{name}”" for name in names), 4)


def _bracketed(span: str, confidence: float) -> str:
    return (
        f" ({confidence:.0%} interval {span})".replace("%", "\u202f%", 1).replace("\u202f\u202f", "\u202f")
        if span
        else ""
    )


def _ending(outcome: str, who: str) -> str:
    return {
        "better": f"so the {who} wins by more than chance explains.",
        "worse": f"so the {who} loses to it: use the baseline, or change the recipe.",
        "even": f"so the {who} does not win beyond noise.",
        "unknown": "so the two cannot be compared on these rows.",
    }[outcome]


def best_of(name: str, figures: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> str:
    """Whose value of a metric is best; the empty text where none is, or several are."""
    values = {
        who: found[name]["value"]
        for who, found in figures.items()
        if name in found and found[name]["value"] is not None
    }
    if len(values) < 2:
        return ""
    sign = 1 if higher_is_better(name) else -1
    ordered = sorted(values, key=lambda who: -sign * values[who])  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
    return "" if values[ordered[0]] == values[ordered[1]] else ordered[0]

"""The section on replicas: a picture and a table of figures for each part, and a table of the networks."""

from collections.abc import Mapping
from typing import Any

from handrail.report.figures.intervals import replica_plot
from handrail.report.figures.style import FigureView
from handrail.report.replicas import Replicas, Results, replicas_in
from handrail.report.wording import capitalise, interval, metric_label, metric_value
from handrail.tools.words import list_some

_SPREADS = (
    "The dots show the spread of training: the same rows, other seeds. "
    "The bar shows the spread of the sample of rows: the same network, other rows."
)


def replica_view(parts: Mapping[str, Results], positive: str | None = None) -> dict[str, Any] | None:
    """What the template shows of the replicas in each part's file; None for a single network."""
    replicas = replicas_in(parts["validation"])
    if replicas is None:
        return None
    pairs = {part: (results, own) for part, results in parts.items() if (own := replicas_in(results))}
    comparison, answering = parts["validation"]["comparison"], replicas.answering
    which = f"one of {len(answering)} that answer together" if replicas.has_ensemble else "which answers"
    decisions = parts["validation"]["decisions"]
    names = list_some(decisions, most=6, last=" and ")
    note = f"All figures use the {names} chosen for {replicas.predictor}."
    return {
        "sentence": _introduction(replicas),
        "chosen": not replicas.has_ensemble,
        "spreads": _SPREADS,
        "decisions": note if decisions else "",
        "inside": f"A look into replica {answering[0]}, {which}.",
        "refit": bool(parts.get("test", {}).get("refit")),
        "figures": [view for part, pair in pairs.items() for view in _plot(part, *pair)],
        "best": f"replica {replicas.best}",
        "joins": "ensemble" in replicas.figures,
        "parts": list(pairs),
        "rows": [
            {
                "label": capitalise(metric_label(metric, positive)),
                "parts": [_spread(metric, own) for _, own in pairs.values()],
            }
            for metric in replicas.spread
        ],
        "metric": capitalise(metric_label(comparison["metric"], positive)),
        "members": [_member(number, pairs) for number in range(len(replicas.members))],
    }


def _plot(part: str, results: Results, replicas: Replicas) -> list[FigureView]:
    metric = results["comparison"]["metric"]
    return replica_plot(results, replicas, metric, part, marked=bool(results.get("again")))


def _introduction(replicas: Replicas) -> str:
    count, failed = len(replicas.members), len(replicas.members) - len(replicas.sound)
    are = "is" if failed == 1 else "are"
    without = f" {failed} of them failed, and {are} left out of all figures." if failed else ""
    if replicas.has_ensemble:
        size = len(replicas.answering)
        how = f"Their mean answers: “network” on this page is the ensemble of {size} replicas."
    else:
        alone = len(replicas.sound) == 1
        why = "the only one that did not fail" if alone else "the one with the lowest validation loss"
        how = f"Replica {replicas.answering[0]} answers, {why}: “network” on this page is that one."
    return f"The recipe was trained {count} times; nothing but the seed differs.{without} {how}"


def _spread(metric: str, replicas: Replicas) -> dict[str, str]:
    spread = replicas.spread.get(metric, dict.fromkeys(("mean", "std", "low", "high")))
    return {
        "mean": metric_value(metric, spread["mean"]),
        "range": interval(metric, spread),
        "std": metric_value(metric, spread["std"]),
        **{key: metric_value(metric, figures.get(metric)) for key, figures in replicas.figures.items()},
    }


def _member(number: int, pairs: Mapping[str, tuple[Results, Replicas]]) -> dict[str, Any]:
    """How a replica was trained, and its main metric on each part."""
    first = next(iter(pairs.values()))[1]
    member = first.members[number]
    values = []
    for results, own in pairs.values():
        metric = results["comparison"]["metric"]
        values.append(metric_value(metric, own.members[number]["metrics"].get(metric)))
    return {
        "replica": member["replica"],
        "answers": member["replica"] in first.answering,
        "seed": str(member["seed"]),
        "epochs": f"{member['best_epoch']} of {member['epochs']}" if member["epochs"] else "–",
        "loss": metric_value("loss", member["best_loss"]),
        "values": values,
        "ended": member["failure"] or member["stopped"],
        "failed": bool(member["failure"]),
    }

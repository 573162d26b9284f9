"""The report's section on replicas: a picture and a table of figures for each part, and a table of the
networks.
"""

from collections.abc import Mapping
from typing import Any

from handrail.report.figures.figure import FigureView
from handrail.report.figures.replica_plot import replica_plot
from handrail.report.sections.replicas import Found, Replicas, replicas_in
from handrail.report.wording import listed, metric_label, metric_value, titled

_SPREADS = "The dots show the spread of training: the same rows, other seeds. The bar shows the spread of the sample of rows: the same network, other rows."


def replica_view(parts: Mapping[str, Found]) -> dict[str, Any] | None:
    """All of it; nothing where one network was trained.

    Arguments:
        parts: `validation.json`, and `test.json` once the seal was opened.
    """
    replicas = replicas_in(parts["validation"])
    if replicas is None:
        return None
    found = {part: (one, own) for part, one in parts.items() if (own := replicas_in(one))}
    return {
        "told": _told(replicas),
        "chosen": not replicas.joined,
        "spreads": _SPREADS,
        "settled": _settled(parts["validation"]["decisions"], replicas),
        "inside": f"A look into replica {replicas.answering[0]}, one of {len(replicas.answering)} that answer together."
        if replicas.joined
        else f"A look into replica {replicas.answering[0]}, which answers.",
        "refit": bool(parts.get("test", {}).get("refit")),
        "figures": [view for part, (one, own) in found.items() for view in _plot(part, one, own)],
        "best": f"replica {replicas.best}",
        "joins": "ensemble" in replicas.figures,
        "parts": list(found),
        "rows": [_row(metric, found) for metric in replicas.spread],
        "metric": titled(metric_label(parts["validation"]["comparison"]["metric"])),
        "members": [_member(number, found) for number in range(len(replicas.members))],
    }


def _plot(part: str, found: Found, replicas: Replicas) -> list[FigureView]:
    return replica_plot(found, replicas, found["comparison"]["metric"], part, marked=bool(found.get("again")))


def _told(replicas: Replicas) -> str:
    count, failed = len(replicas.members), len(replicas.members) - len(replicas.sound)
    lost = (
        f" {failed} of them failed, and {'is' if failed == 1 else 'are'} left out of all figures."
        if failed
        else ""
    )
    how = (
        f"Their mean answers: “network” on this page is the ensemble of {len(replicas.answering)} replicas."
        if replicas.joined
        else f"Replica {replicas.answering[0]} answers, {'the only one that did not fail' if len(replicas.sound) == 1 else 'the one with the lowest validation loss'}: “network” on this page is that one."
    )
    return f"The recipe was trained {count} times; nothing but the seed differs.{lost} {how}"


def _settled(decisions: Mapping[str, float], replicas: Replicas) -> str:
    names = listed(decisions)
    return f"All are measured with the {names} that {replicas.answers} was given." if decisions else ""


def _row(metric: str, found: Mapping[str, tuple[Found, Replicas]]) -> dict[str, Any]:
    return {
        "label": titled(metric_label(metric)),
        "parts": [_spread(metric, own) for _, own in found.values()],
    }


def _spread(metric: str, replicas: Replicas) -> dict[str, str]:
    spread = replicas.spread.get(metric, dict.fromkeys(("mean", "std", "low", "high")))
    known = spread["low"] is not None
    return {
        "mean": metric_value(metric, spread["mean"]),
        "range": f"{metric_value(metric, spread['low'])} to {metric_value(metric, spread['high'])}"
        if known
        else "",
        "std": metric_value(metric, spread["std"]),
        **{key: metric_value(metric, figures.get(metric)) for key, figures in replicas.figures.items()},
    }


def _member(number: int, found: Mapping[str, tuple[Found, Replicas]]) -> dict[str, Any]:
    """How it was trained, from the fit; its main figure on each part."""
    first = next(iter(found.values()))[1]
    member = first.members[number]
    values = [
        metric_value(metric, own.members[number]["metrics"].get(metric))
        for one, own in found.values()
        for metric in [one["comparison"]["metric"]]
    ]
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

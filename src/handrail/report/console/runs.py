"""What the command line prints about a run: a few plain lines."""

from typing import Any

from handrail.evaluation.ledger import Opening
from handrail.report import wording
from handrail.report.replicas import (
    best_epochs,
    failure_lines,
    network_name,
    replicas_in,
    spread_line,
    stop_reasons,
)
from handrail.runs.record import RunRecord
from handrail.tools.words import list_some

_SHOWN = {
    "binary": ("accuracy", "balanced_accuracy", "f1", "roc_auc", "log_loss"),
    "multi-class": ("accuracy", "balanced_accuracy", "f1", "log_loss"),
    "multi-label": ("accuracy", "f1", "roc_auc", "log_loss"),
    "regression": ("mase", "r2", "rmse", "mae"),
    "mask": ("dice", "iou", "pixel_accuracy"),
    "boxes": ("map_50", "map_50_95", "recall_50"),
    "next-token": ("nats", "perplexity", "bits", "token_accuracy"),
    "sequence": ("exact_match", "token_accuracy", "character_error_rate", "bleu"),
}
_FIRST = ("accuracy", "mase", "r2", "dice", "map_50", "nats", "exact_match")


def run_summary(run: RunRecord) -> str:
    """What was learned from what, the figures beside the baselines, where the report is."""
    summary = run.summary
    task, rows, training = summary["task"], summary["rows"], summary["training"]
    lines = [
        f"{run.recipe.name}: {task['name']}, target {list_some(task['targets'], most=6, last=' and ')} ({task['why']})",
        f"{rows['train']:,} training rows, {rows['validation']:,} validation rows, {rows['test']:,} sealed test rows; "
        f"{wording.inputs(training['inputs'])}, {training['parameters']:,} parameters{_times(summary)}",
        f"{best_epochs(summary)} ({stop_reasons(summary)}), {training['seconds']:.1f} s",
    ]
    lines += failure_lines(replicas) if (replicas := replicas_in(summary)) else []
    lines += [f"chosen: {reason}" for reason in training["why"]]
    notes = [finding for finding in summary["findings"] if finding["level"] != "note"]
    lines += [f"{finding['level']}: {finding['seen']} {finding['action']}" for finding in notes]
    lines += ["", *figures_table("validation", task["name"], summary), *_spread(summary), comparison(summary)]
    return "\n".join(lines)


def test_summary(run: RunRecord, found: dict[str, Any]) -> str:
    """The figures on test rows, and how often they were opened."""
    task = run.summary["task"]["name"]
    opened = (
        "for the first time"
        if found["opening"] == 1
        else f"for the {_ordinal(found['opening'])} time: these figures flatter"
    )
    lines = ["", *figures_table("test", task, found), *_spread(found), comparison(found)]
    lines.append(f"The seal of the {found['rows']:,} test rows was opened {opened}.")
    lines += [
        f"{share:.0%} of these rows were opened before in another set, on {opening['when']} by recipe '{opening['recipe']}'."
        for opening, share in found["shared"]
    ]
    lines += found["remarks"]
    if found["refit"]:
        lines.append(
            f"Measured is the {network_name(found)} trained on training and validation rows together; the run answers with it from "
            "now on."
        )
    return "\n".join(lines)


def _times(summary: dict[str, Any]) -> str:
    replicas = replicas_in(summary)
    return f" in each of {len(replicas.members)} replicas" if replicas else ""


def _spread(found: dict[str, Any]) -> list[str]:
    """How far the main figure moves with the seed."""
    replicas, metric = replicas_in(found), found["comparison"]["metric"]
    return [spread_line(replicas, metric, metric.replace("_", " "), _number)] if replicas else []


def _number(value: float | None) -> str:
    return "–" if value is None else number(value)


def figures_table(part: str, task: str, found: dict[str, Any]) -> list[str]:
    """Metrics as rows, the network and the baselines as columns."""
    names = [network_name(found), *found["baselines"]]
    columns = [found["metrics"], *found["baselines"].values()]
    shown = [name for name in _SHOWN[task] if name in found["metrics"]]
    body = [[name.replace("_", " "), *(interval(column.get(name)) for column in columns)] for name in shown]
    table = [[part, *names], *body]
    widths = [max(len(row[index]) for row in table) for index in range(len(names) + 1)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def interval(found: dict[str, float | None] | None) -> str:
    """A value and its interval in one cell."""
    if not found or found["value"] is None:
        return "–"
    if found["low"] is None or found["high"] is None:
        return number(found["value"])
    return f"{number(found['value'])} ({number(found['low'])} to {number(found['high'])})"


def number(value: float) -> str:
    """Four digits that matter."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}" if abs(value) >= 1 else f"{value:.4f}"


def comparison(found: dict[str, Any]) -> str:
    """Whether the network wins."""
    compared = found["comparison"]
    gap, who = compared["difference"], network_name(found)
    verdicts = {
        "better": f"The {who} is better than the {compared['baseline']} baseline",
        "worse": f"The {who} is WORSE than the {compared['baseline']} baseline",
        "no clear difference": f"The {who} is not clearly better than the {compared['baseline']} baseline",
    }
    return (
        f"{verdicts[compared['verdict']]}: {compared['metric'].replace('_', ' ')} differs by {interval(gap)}."
    )


def openings_text(openings: "list[Opening]") -> str:
    """When and by which recipe the seal was opened before, and what was found."""
    last = openings[-1]
    figures = last.figures or {}
    main = next((f", {name} {figures[name]:.4f}" for name in _FIRST if figures.get(name) is not None), "")
    times = "once" if len(openings) == 1 else f"{len(openings)} times"
    return f"The seal of these {last.rows:,} test rows was opened before, {times}; last on {last.when} by recipe '{last.recipe}' (run {last.run}){main}."


def _ordinal(count: int) -> str:
    return {2: "second", 3: "third"}.get(count, f"{count}th")

"""A run in a few plain lines for the terminal."""

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
    """Task, rows, network and training, then metrics beside the baselines'."""
    summary = run.summary
    task, rows, training = summary["task"], summary["rows"], summary["training"]
    targets = list_some(task["targets"], most=6, last=" and ")
    lines = [
        f"{run.recipe.name}: {task['name']}, target {targets} ({task['why']})",
        f"{rows['train']:,} training rows, {rows['validation']:,} validation rows, "
        f"{rows['test']:,} sealed test rows; {wording.inputs(training['inputs'])}, "
        f"{training['parameters']:,} parameters{_times(summary)}",
        f"{best_epochs(summary)} ({stop_reasons(summary)}), {training['seconds']:.1f} s",
    ]
    lines += failure_lines(replicas) if (replicas := replicas_in(summary)) else []
    lines += [f"chosen: {reason}" for reason in training["why"]]
    notes = [finding for finding in summary["findings"] if finding["level"] != "note"]
    lines += [f"{finding['level']}: {finding['seen']} {finding['action']}" for finding in notes]
    lines += ["", *metrics_table("validation", task["name"], summary), *_spread(summary), comparison(summary)]
    return "\n".join(lines)


def test_summary(run: RunRecord, tested: dict[str, Any]) -> str:
    """Metrics on test rows, and how often these were opened.

    Arguments:
        tested: what `test.json` holds.
    """
    task, number = run.summary["task"]["name"], tested["opening"]
    opened = (
        "for the first time" if number == 1 else f"for the {_ordinal(number)} time: these figures flatter"
    )
    lines = ["", *metrics_table("test", task, tested), *_spread(tested), comparison(tested)]
    lines.append(f"The seal of the {tested['rows']:,} test rows was opened {opened}.")
    lines += [
        f"{share:.0%} of these rows were opened before in another set, on {opening['when']} "
        f"by recipe '{opening['recipe']}'."
        for opening, share in tested["shared"]
    ]
    lines += tested["remarks"]
    if tested["refit"]:
        lines.append(
            f"These figures are for the {network_name(tested)} refitted on training and validation rows; "
            "the run predicts with it from now on."
        )
    return "\n".join(lines)


def _times(summary: dict[str, Any]) -> str:
    replicas = replicas_in(summary)
    return f" in each of {len(replicas.members)} replicas" if replicas else ""


def _spread(results: dict[str, Any]) -> list[str]:
    """How far the main metric moves with the seed."""
    replicas, metric = replicas_in(results), results["comparison"]["metric"]
    return [spread_line(replicas, metric, metric.replace("_", " "), _number)] if replicas else []


def _number(value: float | None) -> str:
    return "–" if value is None else number(value)


def metrics_table(part: str, task: str, results: dict[str, Any]) -> list[str]:
    """Metrics as rows, the network and the baselines as columns."""
    names = [network_name(results), *results["baselines"]]
    columns = [results["metrics"], *results["baselines"].values()]
    shown = [name for name in _SHOWN[task] if name in results["metrics"]]
    body = [[name.replace("_", " "), *(interval(column.get(name)) for column in columns)] for name in shown]
    table = [[part, *names], *body]
    widths = [max(len(row[index]) for row in table) for index in range(len(names) + 1)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def interval(values: dict[str, float | None] | None) -> str:
    """A value with its interval: `0.9741 (0.9704 to 0.9815)`."""
    if not values or values["value"] is None:
        return "–"
    if values["low"] is None or values["high"] is None:
        return number(values["value"])
    return f"{number(values['value'])} ({number(values['low'])} to {number(values['high'])})"


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}" if abs(value) >= 1 else f"{value:.4f}"


def comparison(results: dict[str, Any]) -> str:
    """Whether the network beats the best baseline."""
    outcome = results["comparison"]
    verdicts = {"better": "better", "worse": "WORSE", "no clear difference": "not clearly better"}
    verdict, metric = verdicts[outcome["verdict"]], outcome["metric"].replace("_", " ")
    sentence = f"The {network_name(results)} is {verdict} than the {outcome['baseline']} baseline"
    return f"{sentence}: {metric} differs by {interval(outcome['difference'])}."


def openings_text(openings: list[Opening]) -> str:
    """When and by which recipe the seal was opened before, and the main metric then."""
    last = openings[-1]
    figures = last.figures or {}
    main = next((f", {name} {figures[name]:.4f}" for name in _FIRST if figures.get(name) is not None), "")
    times = "once" if len(openings) == 1 else f"{len(openings)} times"
    return (
        f"The seal of these {last.rows:,} test rows was opened before, {times}; last on {last.when} "
        f"by recipe '{last.recipe}' (run {last.run}){main}."
    )


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")

"""What the command line prints: runs and findings."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from handrail.data.columns.schema import Column
from handrail.data.dataset import Dataset
from handrail.data.finding import Finding
from handrail.evaluation.ledger import Opening
from handrail.report import wording
from handrail.report.folding import fold, fold_all, table
from handrail.report.replicas import (
    best_epochs,
    failure_lines,
    network_name,
    replicas_in,
    spread_line,
    stop_reasons,
)
from handrail.report.told import findings_of_a_fit, setting_hint
from handrail.runs.record import RunRecord
from handrail.tools.interface import call
from handrail.tools.words import list_some, plural

_SHOWN = {
    "binary": ("accuracy", "balanced_accuracy", "f1", "roc_auc", "log_loss"),
    "multi-class": ("accuracy", "balanced_accuracy", "f1", "log_loss"),
    "multi-label": ("accuracy", "f1", "roc_auc", "log_loss"),
    "regression": ("mase", "nrmse", "r2", "rmse", "mae"),
    "mask": ("dice", "iou", "pixel_accuracy"),
    "boxes": ("map_50", "map_50_95", "recall_50"),
    "bit-sequence": ("bit_error_rate", "exact_match"),
    "next-token": ("nats", "perplexity", "bits", "token_accuracy"),
    "sequence": ("exact_match", "token_accuracy", "character_error_rate", "bleu"),
    "text-to-image": (
        *("bits_per_dim", "bits_per_token"),
        *("right_all", "right_colour", "right_shape", "right_size", "right_place"),
    ),
    "clusters": ("inertia", "silhouette", "stability", "label_information"),
    "map": (
        *("map_error", "quantisation_error", "topographic_error"),
        *("linear_probe", "neighbour_probe"),
    ),
    "memory": ("recalled", "unit_accuracy", "false_recall"),
    "density": ("log_likelihood", "linear_probe", "neighbour_probe", "mutual_information_gap"),
    "generation": ("energy_score", "sample_precision", "sample_recall", "frechet_distance", "copying"),
    "reconstruction": (
        *("reconstruction_error", "explained_variance"),
        *("linear_probe", "neighbour_probe", "mutual_information_gap"),
    ),
    "translation": ("energy_score", "translation_error", "cycle_error"),
}
_MOST_COLUMNS = 100
_FIRST = (
    *("accuracy", "mase", "r2", "dice", "map_50", "bit_error_rate", "nats", "exact_match", "inertia"),
    *("recalled", "log_likelihood", "reconstruction_error", "map_error", "energy_score", "bits_per_dim"),
)


def run_text(run: RunRecord) -> str:
    """The summary of a run with its test, if it was tested; one line while its fit has not ended."""
    if not run.folder.validation.exists():
        return f"{run!r}: the fit has not ended; continue it with: {call('resume', run.path)}"
    return run_summary(run) + (f"\n{test_summary(run, run.tested)}" if run.tested else "")


def run_summary(run: RunRecord) -> str:
    """Task, rows, network and training, then metrics beside the baselines'."""
    summary = run.summary
    task, rows, training = summary["task"], summary["rows"], summary["training"]
    replicas = replicas_in(summary)
    times = f" in each of {len(replicas.members)} replicas" if replicas else ""
    lines = [
        f"{run.recipe.name}: {_task_line(task)}",
        f"{rows['train']:,} training rows, {rows['validation']:,} validation rows, {rows['test']:,} "
        f"{'' if run.is_whole else 'sealed '}test rows; {wording.inputs(training['inputs'])}, "
        f"{training['parameters']:,} parameters{times}",
        f"{best_epochs(summary)} ({stop_reasons(summary)}), {training['seconds']:.1f} s",
    ]
    lines += failure_lines(replicas) if replicas else []
    lines += [f"chosen: {reason}" for reason in training["why"]]
    said = findings_of_a_fit(summary)
    beginning = [*fold_all(lines), *([""] if said else []), *said, ""]
    return "\n".join([*beginning, *_figures("validation", task, summary)])


def _task_line(task: Mapping[str, Any]) -> str:
    if task.get("horizon"):
        return f"{wording.forecast_of(task)}, {plural(task['horizon'], 'row')} ahead"
    names = list_some(task["targets"], most=6, last=" and ")
    return f"{task['name']}{', target ' if names else ''}{names} ({task['why']})"


def test_summary(run: RunRecord, tested: dict[str, Any]) -> str:
    """Metrics on test rows and how often these were opened, from `test.json`."""
    task, number = run.summary["task"], tested["opening"]
    tested = {**{"decisions": run.summary["decisions"]}, **tested}
    ordinal = {2: "second", 3: "third"}.get(number, f"{number}th")
    opened = "for the first time" if number == 1 else f"for the {ordinal} time: these figures flatter"
    lines = [f"The seal of the {tested['rows']:,} test rows was opened {opened}."]
    if run.is_whole:
        lines = [
            "The test rows are the truth table that was learned: nothing was sealed, and nothing is unseen."
        ]
    lines += [
        f"{share:.0%} of these rows were opened before in another set, on {opening['when']} "
        f"by recipe '{opening['recipe']}'."
        for opening, share in tested["shared"]
    ]
    lines += tested["remarks"]
    if tested["refit"]:
        refitted = (
            f"These figures are for the {network_name(tested)} refitted on training and validation rows; "
        )
        lines.append(f"{refitted}the run predicts with it from now on.")
    return "\n".join(["", *_figures("test", task, tested), *fold_all(lines)])


def _figures(part: str, task: dict[str, Any], results: dict[str, Any]) -> list[str]:
    """The metrics of a part, how its rows were decided, and whether the network beats the baselines."""
    positive, decided = wording.positive_class(task), wording.decision(task, results)
    told = "Decided: " if results.get("decisions") else ""
    lines = [f"{told}{decided}."] if decided else []
    lines += [*remarks(results), *_spread(results, positive), comparison(results, positive)]
    return [*metrics_table(part, task["name"], results, positive), *fold_all(lines)]


def _spread(results: dict[str, Any], positive: str | None) -> list[str]:
    replicas, metric = replicas_in(results), results["comparison"]["metric"]
    return [spread_line(replicas, metric, _label(metric, positive), number)] if replicas else []


def _label(metric: str, positive: str | None) -> str:
    return wording.of_positive(metric, metric.replace("_", " "), positive)


def metrics_table(part: str, task: str, results: dict[str, Any], positive: str | None = None) -> list[str]:
    """Metrics as rows, the network and the baselines as columns."""
    names = [network_name(results), *results["baselines"]]
    columns = [results["metrics"], *results["baselines"].values()]
    shown = [name for name in _SHOWN[task] if name in results["metrics"]]
    body = [[_label(name, positive), *(interval(column.get(name)) for column in columns)] for name in shown]
    return [*table([[part, *names], *body]), *fold_all(_without_interval(shown, results["metrics"]))]


def _without_interval(names: Sequence[str], metrics: dict[str, Any]) -> list[str]:
    """A line for each reason that metrics of the network have no interval for."""
    reasons: dict[str, list[str]] = {}
    for name in names:
        if text := wording.no_interval(metrics[name]):
            reasons.setdefault(text, []).append(name.replace("_", " "))
    return [f"{list_some(which, most=6, last=' and ')}: {text}" for text, which in reasons.items()]


def interval(values: dict[str, Any] | None) -> str:
    """A value with its interval: `0.9741 (0.9704 to 0.9815)`."""
    if not values or values["value"] is None:
        return "–"
    if values["low"] is None or values["high"] is None:
        return number(values["value"])
    return f"{number(values['value'])} ({number(values['low'])} to {number(values['high'])})"


def number(value: float | None) -> str:
    """Four significant digits."""
    if value is None:
        return "–"
    if 1e4 <= abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= 1 else f"{value:.4f}"


def remarks(results: dict[str, Any]) -> list[str]:
    """What the model says of the rows; and of baselines, that one was fitted on a sample, or left out."""
    said = results.get("baseline_remarks", {})  # nothing in runs of earlier versions
    own = [results["remark"]] if results.get("remark") else []
    return [*own, *(f"The {name} baseline was {remark}." for name, remark in said.items())]


def comparison(results: dict[str, Any], positive: str | None = None) -> str:
    """Whether the network beats the baselines; the one named is the best, or one not clearly beaten."""
    outcome = results["comparison"]
    if outcome["verdict"] == "not comparable":
        pair = f"The {network_name(results)} and the {outcome['baseline']} baseline cannot be compared"
        return f"{pair}: {outcome['reason']}."
    verdicts = {"better": "better", "worse": "WORSE", "no clear difference": "not clearly better"}
    verdict, metric = verdicts[outcome["verdict"]], _label(outcome["metric"], positive)
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


def findings_text(data: Dataset, findings: Sequence[Finding]) -> str:
    """Columns, then findings, errors first."""
    columns = data.schema.columns[:_MOST_COLUMNS]
    width = max((len(column.name) for column in columns), default=0)
    listed = [f"  {each.name.ljust(width)}  {each.kind.ljust(10)}  {each.why}" for each in columns]
    lines = [
        *fold(f"{data.source}: {_task_line(data.task.model_dump())}"),
        f"{len(data.train):,} training, {len(data.validation):,} validation, {data.sealed.rows:,} test rows",
        *fold_all(data.notes),
        "",
        *fold_all(listed),
        *_describe_rest(data.schema.columns[_MOST_COLUMNS:]),
        "",
    ]
    for level in wording.LEVELS:
        for finding in findings:
            if finding.level == level:
                lines += fold(f"{level}: {finding}")
    lines += setting_hint(lines)
    counts = Counter(finding.level for finding in findings)
    lines.append(", ".join(plural(counts[level], level) for level in wording.LEVELS))
    return "\n".join(lines)


def _describe_rest(columns: Sequence[Column]) -> list[str]:
    """How many columns of each kind are not listed."""
    kinds = [f"{count:,} {kind}" for kind, count in Counter(column.kind for column in columns).items()]
    return [f"  and {len(columns):,} more: {', '.join(kinds)}; --json lists all"] if columns else []

"""report.html: everything about a run on one page that needs no network.

The same run folder and ledger give the same page, byte for byte.
"""

import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from handrail.evaluation.metric_names import DESCRIPTIONS, higher_is_better
from handrail.report import wording
from handrail.report.figures.curves import learning_curves
from handrail.report.figures.figure import FigureView
from handrail.report.figures.intervals import interval_plots
from handrail.report.figures.replicas import replica_curves
from handrail.report.replicas import replicas_in
from handrail.report.samples import read_samples
from handrail.report.sections.details import part_view
from handrail.report.sections.facts import augmentation, facts
from handrail.report.sections.pictures import inside_pictures, training_pictures
from handrail.report.sections.replicas import replica_view
from handrail.report.sections.seal import seal_view
from handrail.report.sections.verdict import best_of, verdict
from handrail.report.template import load_template
from handrail.runs.folder import read_json
from handrail.runs.record import RunRecord
from handrail.tools.files import write_text
from handrail.tools.words import plural
from handrail.tools.yaml import read_yaml
from handrail.training.callbacks.records import read_records

_UNUSED = ("identifier", "constant")


def write_report(run: RunRecord) -> Path:
    """Write `report.html`, whole or not at all.

    Raises: `RunError` when files of the run are missing or damaged; `HandrailError` when the page cannot be
    written.
    """
    write_text(run.folder.report, render(run))
    return run.folder.report


def render(run: RunRecord) -> str:
    """The page as HTML text."""
    summary, tested = run.summary, run.tested
    resolved = read_yaml(run.folder.resolved_recipe)
    samples = read_samples(run.folder, "validation")
    parts = {"validation": summary} if tested is None else {"validation": summary, "test": tested}
    return load_template("report.html.j2").render(
        name=run.recipe.name,
        folder_argument=shlex.quote(run.path.resolve().name),
        folder_text=repr(run.path.resolve().name),
        verdict=verdict(summary, tested, run.recipe.evaluation.confidence),
        seal=seal_view(run, summary, tested),
        facts=facts(run, summary, resolved),
        recipe=run.folder.recipe.read_text(encoding="utf-8"),
        resolved=yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True, width=100),
        summary=summary,
        tested=tested,
        columns=_columns(summary),
        findings=sorted(summary["findings"], key=lambda finding: wording.LEVELS.index(finding["level"])),
        training=training_pictures(samples, augmentation(resolved)),
        inside=inside_pictures(samples),
        curves=_curves(run, summary),
        replicas=replica_view(parts),
        metrics=_metric_table(parts),
        intervals=_intervals(parts),
        parts=[part_view(run, name, summary, results) for name, results in parts.items()],
        environment=_environment(read_json(run.folder.environment)),
        confidence=f"{run.recipe.evaluation.confidence:.0%}",
    )


def _columns(summary: Mapping[str, Any]) -> dict[str, Any]:
    kinds = Counter(column["kind"] for column in summary["columns"])
    counts = [
        f"{count:,} {kind}{' (set aside)' if kind in _UNUSED else ''}" for kind, count in kinds.most_common()
    ]
    rows = [{**column, "used": column["kind"] not in _UNUSED} for column in summary["columns"]]
    return {"sentence": f"{plural(len(rows), 'column')}: {', '.join(counts)}.", "rows": rows}


def _curves(run: RunRecord, summary: Mapping[str, Any]) -> list[FigureView]:
    records = read_records(run.folder.metrics)
    if len({line["epoch"] for line in records}) < 2:
        return []
    replicas = replicas_in(summary)
    if replicas:
        return replica_curves(records, replicas)
    return learning_curves(records, summary["training"]["best_epoch"])


def _by_model(results: Mapping[str, Any]) -> dict[str, Any]:
    return {"network": results["metrics"], **results["baselines"]}


def _intervals(parts: Mapping[str, Mapping[str, Any]]) -> list[FigureView]:
    marked = bool(parts.get("test", {}).get("again"))
    baseline = parts["validation"]["comparison"]["baseline"]
    figures = {part: _by_model(results) for part, results in parts.items()}
    return interval_plots(figures, baseline=baseline, marked=marked)


def _metric_table(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One row per metric, with a cell per part for the network and each baseline."""
    figures = {part: _by_model(results) for part, results in parts.items()}
    rows = [
        {
            "label": wording.capitalise(wording.metric_label(name)),
            "description": DESCRIPTIONS.get(name, ""),
            "better": "higher is better" if higher_is_better(name) else "lower is better",
            "arrow": "↑" if higher_is_better(name) else "↓",
            "parts": [_cells(name, figures[part]) for part in figures],
        }
        for name in figures["validation"]["network"]
    ]
    return {"models": {part: list(models) for part, models in figures.items()}, "rows": rows}


def _cells(name: str, figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    best = best_of(name, figures)
    missing = {"value": None, "low": None, "high": None}
    return [
        {
            "value": wording.metric_value(name, metrics.get(name, missing)["value"]),
            "interval": wording.interval(name, metrics.get(name, missing)),
            "best": model == best,
        }
        for model, metrics in figures.items()
    ]


def _environment(values: Mapping[str, Any]) -> dict[str, str]:
    """`environment.json` as one level of names and values."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {str(key): str(item) for key, item in value.items()}
        else:
            flat["data fingerprint" if name == "data" else name] = str(value)
    return flat

"""report.html: everything about a run on one page that needs no network.

The page is a function of the run folder's files and the ledger: the same files give the same page, byte for
byte.
"""

import functools
import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import yaml

from handrail.evaluation.metric_names import DESCRIPTIONS, higher_is_better
from handrail.report import wording
from handrail.report.figures.curves import learning_curves
from handrail.report.figures.figure import FigureView
from handrail.report.figures.intervals import colour_of, interval_plots
from handrail.report.figures.replica_curves import replica_curves
from handrail.report.figures.style import variable
from handrail.report.samples import read_showcase
from handrail.report.sections.details import part_view
from handrail.report.sections.facts import augmentation, facts
from handrail.report.sections.pictures import inside_pictures, training_pictures
from handrail.report.sections.replica_section import replica_view
from handrail.report.sections.replicas import replicas_in
from handrail.report.sections.seal import seal_view
from handrail.report.sections.verdict import best_of, verdict
from handrail.runs.folder import read_json
from handrail.runs.record import RunRecord
from handrail.tools.files import write_text
from handrail.tools.yaml import read_yaml
from handrail.training.callbacks.records import read_records

_UNUSED = ("identifier", "constant")
_LEVELS = ("error", "warning", "note")


def write_report(run: RunRecord) -> Path:
    """Write `report.html`, whole or not at all.

    Raises: `RunError` when files of the run are missing or damaged; `HandrailError` when the page cannot be
    written.
    """
    write_text(run.folder.report, render(run))
    return run.folder.report


def render(run: RunRecord) -> str:
    """The page's text."""
    summary, tested = run.summary, run.tested
    resolved = read_yaml(run.folder.resolved_recipe)
    kept = read_showcase(run.folder, "validation")
    parts = {"validation": summary} if tested is None else {"validation": summary, "test": tested}
    return _template().render(
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
        findings=sorted(summary["findings"], key=lambda finding: _LEVELS.index(finding["level"])),
        training=training_pictures(kept, augmentation(resolved)),
        inside=inside_pictures(kept),
        curves=_curves(run, summary),
        replicas=replica_view(parts),
        measured=_measured(parts),
        dots=_dots(parts),
        parts=[part_view(run, name, summary, found) for name, found in parts.items()],
        environment=_environment(read_json(run.folder.environment)),
        confidence=f"{run.recipe.evaluation.confidence:.0%}",
    )


@functools.cache
def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {"words": wording, "variable": variable, "colour_of": colour_of}
    return environment.get_template("report.html.j2")


def _columns(summary: Mapping[str, Any]) -> dict[str, Any]:
    kinds = Counter(column["kind"] for column in summary["columns"])
    told = [
        f"{amount:,} {kind}{' (set aside)' if kind in _UNUSED else ''}"
        for kind, amount in kinds.most_common()
    ]
    rows = [{**column, "used": column["kind"] not in _UNUSED} for column in summary["columns"]]
    return {"told": f"{wording.count(len(rows), 'column')}: {', '.join(told)}.", "rows": rows}


def _curves(run: RunRecord, summary: Mapping[str, Any]) -> list[FigureView]:
    records = read_records(run.folder.metrics)
    if len({line["epoch"] for line in records}) < 2:
        return []
    replicas = replicas_in(summary)
    return (
        replica_curves(records, replicas)
        if replicas
        else learning_curves(records, summary["training"]["best_epoch"])
    )


def _who(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"network": found["metrics"], **found["baselines"]}


def _dots(parts: Mapping[str, Mapping[str, Any]]) -> list[FigureView]:
    marked = bool(parts.get("test", {}).get("again"))
    rival = parts["validation"]["comparison"]["baseline"]
    return interval_plots({name: _who(found) for name, found in parts.items()}, rival=rival, marked=marked)


def _measured(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The table of metrics: a row a metric, and for each part a cell for the network and each baseline."""
    figures = {part: _who(found) for part, found in parts.items()}
    rows = [
        {
            "label": wording.titled(wording.metric_label(name)),
            "description": DESCRIPTIONS.get(name, ""),
            "better": "higher is better" if higher_is_better(name) else "lower is better",
            "arrow": "↑" if higher_is_better(name) else "↓",
            "parts": [_cells(name, part, figures[part]) for part in figures],
        }
        for name in figures["validation"]["network"]
    ]
    return {"who": {part: list(found) for part, found in figures.items()}, "rows": rows}


def _cells(name: str, part: str, figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    best = best_of(name, figures)
    missing = {"value": None, "low": None, "high": None}
    return [
        {
            "who": who,
            "part": part,
            "value": wording.metric_value(name, found.get(name, missing)["value"]),
            "interval": wording.interval(name, found.get(name, missing)),
            "best": who == best,
        }
        for who, found in figures.items()
    ]


def _environment(found: Mapping[str, Any]) -> dict[str, str]:
    """One level of names and values."""
    flat: dict[str, str] = {}
    for name, value in found.items():
        if isinstance(value, Mapping):
            flat |= {str(key): str(item) for key, item in value.items()}
        else:
            flat["data fingerprint" if name == "data" else name] = str(value)
    return flat

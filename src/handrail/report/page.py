"""report.html: everything about a run on one page that needs no network.

The same run folder and ledger give the same page, byte for byte.
"""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import yaml

from handrail.components import find, parse
from handrail.components.pictures import Picture
from handrail.errors import RecipeError, visible
from handrail.evaluation.metric_names import DESCRIPTIONS, higher_is_better
from handrail.report import wording
from handrail.report.console import remarks
from handrail.report.figures.curves import learning_curves, mean_records, replica_curves, stage_curves
from handrail.report.figures.intervals import colour_of, interval_plots
from handrail.report.figures.named import named_picture
from handrail.report.figures.style import FigureView, variable
from handrail.report.replicas import best_epochs, replicas_in, span, stop_reasons
from handrail.report.samples import read_samples
from handrail.report.sections.details import part_view
from handrail.report.sections.pictures import inside_pictures, training_pictures
from handrail.report.sections.replicas import replica_view
from handrail.report.sections.verdict import best_of, seal_view, verdict
from handrail.runs.folder import read_json
from handrail.runs.record import RunRecord
from handrail.tools.files import write_text
from handrail.tools.words import list_some, plural
from handrail.tools.yaml import read_yaml
from handrail.training.callbacks import read_records

_UNUSED = ("identifier", "constant")
_MOST_COLUMNS = 500  # in the table of columns
_MODEL, _AUGMENTATION = "model ", "Augmentation: "  # how the reasons for automatic choices begin
# What was chosen by measuring, in `environment.json`: what it is called here, and where the choice stands.
_CHOICES = {"compile": ("steps compiled", "compiled"), "together": ("trained as one program", "together")}


def write_report(run: RunRecord) -> Path:
    """Write `report.html`, whole or not at all.

    Raises: `RunError` for missing or damaged files of the run, `HandrailError` if the page cannot be written.
    """
    write_text(run.folder.report, render(run))
    return run.folder.report


def render(run: RunRecord) -> str:
    """The page as HTML text."""
    summary, tested = run.summary, run.tested
    resolved = read_yaml(run.folder.resolved_recipe)
    samples = read_samples(run.folder, "validation")
    parts = {"validation": summary} if tested is None else {"validation": summary, "test": tested}
    return fill_template(
        "report.html.j2",
        name=run.recipe.name,
        folder_argument=shlex.quote(run.path.resolve().name),
        folder_text=repr(run.path.resolve().name),
        verdict=verdict(summary, tested, run.recipe.evaluation.confidence),
        seal=seal_view(run, summary, tested),
        facts=_facts(run, summary, resolved),
        recipe=run.folder.recipe.read_text(encoding="utf-8"),
        resolved=yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True, width=100),
        summary=summary,
        tested=tested,
        columns=_columns(summary),
        findings=sorted(summary["findings"], key=_weight),
        training=training_pictures(samples, _augmentation(resolved)),
        inside=inside_pictures(samples),
        curves=[
            *stage_curves(summary["training"].get("stages", [])),
            *_curves(run, summary, resolved["learning"]),
        ],
        replicas=replica_view(parts, wording.positive_class(summary["task"])),
        metrics=_metric_table(parts, wording.positive_class(summary["task"])),
        remarks={part: remarks(results) for part, results in parts.items() if remarks(results)},
        intervals=_intervals(parts, wording.positive_class(summary["task"])),
        parts=[part_view(run, name, summary, results) for name, results in parts.items()],
        environment=_environment(read_json(run.folder.environment)),
        confidence=f"{run.recipe.evaluation.confidence:.0%}",
    )


def fill_template(template: str, **values: Any) -> str:
    """A page from a template of this folder; text from data is escaped, and shown without control characters.

    An undefined variable in it is an error.
    """
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    helpers = (plural, list_some, variable, colour_of)
    environment.globals |= {"words": wording} | {helper.__name__: helper for helper in helpers}
    return visible(environment.get_template(template).render(**values))


def _weight(finding: Mapping[str, Any]) -> tuple[int, bool]:
    """Errors first; among those of a level, what handrail decided."""
    return wording.LEVELS.index(finding["level"]), not finding.get("decided")


def _columns(summary: Mapping[str, Any]) -> dict[str, Any]:
    kinds = Counter(column["kind"] for column in summary["columns"]).most_common()
    counts = [f"{count:,} {kind}{' (set aside)' if kind in _UNUSED else ''}" for kind, count in kinds]
    listed, number = summary["columns"][:_MOST_COLUMNS], len(summary["columns"])
    rows = [{**column, "used": column["kind"] not in _UNUSED} for column in listed]
    sentence = f"{plural(number, 'column')}: {', '.join(counts)}."
    return {"sentence": sentence, "rows": rows, "more": number - len(rows)}


def _curves(run: RunRecord, summary: Mapping[str, Any], rule: Any) -> list[FigureView]:
    """What the rule draws of the training, and learning curves."""
    records = read_records(run.folder.metrics)
    if len({line["epoch"] for line in records}) < 2:
        return []
    if replicas := replicas_in(summary):
        views, records = replica_curves(records, replicas), mean_records(records, replicas)
    else:
        views = learning_curves(records, summary["training"]["best_epoch"])
    own = enumerate(_rule_pictures(rule, records))
    return [*(named_picture(each, f"rule-{place}") for place, each in own), *views]


def _rule_pictures(rule: Any, records: Sequence[Mapping[str, Any]]) -> list[Picture]:
    """Of a rule that was given as an object, or that is no longer to be found, there are none."""
    try:
        target: Any = find("rule", parse(rule, "rule")[0]).target
    except RecipeError:
        return []
    return target.pictures(records) if hasattr(target, "pictures") else []


def _by_model(results: Mapping[str, Any]) -> dict[str, Any]:
    return {"network": results["metrics"], **results["baselines"]}


def _intervals(parts: Mapping[str, Mapping[str, Any]], positive: str | None) -> list[FigureView]:
    marked = bool(parts.get("test", {}).get("again"))
    baseline = parts["validation"]["comparison"]["baseline"]
    figures = {part: _by_model(results) for part, results in parts.items()}
    return interval_plots(figures, baseline=baseline, marked=marked, positive=positive)


def _metric_table(parts: Mapping[str, Mapping[str, Any]], positive: str | None) -> dict[str, Any]:
    """One row per metric, with a cell per part for the network and each baseline."""
    figures = {part: _by_model(results) for part, results in parts.items()}
    rows = [
        {
            "label": wording.capitalise(wording.metric_label(name, positive)),
            "description": DESCRIPTIONS.get(name, ""),
            "better": "higher is better" if higher_is_better(name) else "lower is better",
            "arrow": "↑" if higher_is_better(name) else "↓",
            "parts": [_cells(name, figures[part]) for part in figures],
        }
        for name in figures["validation"]["network"]
    ]
    models = {part: list(models) for part, models in figures.items()}
    return {"models": models, "rows": rows, "without": _without_interval(figures)}


def _without_interval(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line for each reason that metrics of the network have no interval for."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for part, models in figures.items():
        for name, values in models["network"].items():
            if text := wording.no_interval(values):
                reasons.setdefault((part, text), []).append(wording.metric_label(name))
    return [
        f"{wording.capitalise(list_some(names, most=12, last=' and '))}, {part} rows: {text}."
        for (part, text), names in reasons.items()
    ]


def _cells(name: str, figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    best = best_of(name, figures)
    missing = {"value": None, "low": None, "high": None}
    cells = []
    for model, metrics in figures.items():
        values = metrics.get(name, missing)
        text, span = wording.metric_value(name, values["value"]), wording.interval(name, values)
        cells.append(
            {"value": text, "interval": span, "without": wording.no_interval(values), "best": model == best}
        )
    return cells


def _environment(values: Mapping[str, Any]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {str(key): str(item) for key, item in value.items()}
        elif name in _CHOICES:
            label, key = _CHOICES[name]
            told = [f"{'yes' if choice[key] else 'no'}: {choice['why']}" for choice in value]
            flat |= {label: "; ".join(dict.fromkeys(told))} if told else {}
        else:
            flat["data fingerprint" if name == "data" else name] = str(value)
    return flat


def _facts(run: RunRecord, summary: Mapping[str, Any], resolved: Mapping[str, Any]) -> dict[str, str]:
    """Facts in the order in which readers ask for them; those that do not apply are left out."""
    task, rows, training = summary["task"], summary["rows"], summary["training"]
    encoder = read_json(run.folder.model / "pipeline.json")["encoder"]
    reasons, replicas = training.get("why", []), replicas_in(summary)
    decisions = summary["decisions"].items()
    parameters = plural(training["parameters"], "parameter") + (" in each replica" if replicas else "")
    lines = {
        "Source": summary["source"],
        "Target": list_some(task["targets"], most=6 if task.get("horizon") else 12, last=" and "),
        "Task": _task(task),
        "Rows": f"{rows['train']:,} to train, {rows['validation']:,} to validate, {rows['test']:,} to test",
        "Inputs": _inputs_line(encoder, training["inputs"]),
        "Model": f"{_model(resolved)}; {parameters}",
        "Replicas": f"{len(replicas.members)}, of which answers: {replicas.predictor}" if replicas else "",
        "Why this model": _sentence(_because(reasons, _MODEL).partition(": ")[2]),
        "Augmentation": ". ".join(filter(None, (_augmentation(resolved), _because(reasons, _AUGMENTATION)))),
        "Objective": _objective(resolved["objective"]),
        "Learning rule": wording.component(resolved["learning"]),
        "Training": _training(summary, resolved),
        "Time": f"{training['seconds']:.3g} s of training" + (", all replicas together" if replicas else ""),
        "Precision": str(resolved["training"].get("precision", "float32")),
        "Seed": f"{run.recipe.seed}{', and one derived from it for each other replica' if replicas else ''}",
        "Recipe": run.recipe.fingerprint(),
        "Positive class": wording.positive_class(task) or "",
        "Decision": _sentence(wording.decision(task, summary)),
        "Chosen on validation rows": ", ".join(f"{name} {value:.3g}" for name, value in decisions),
    }
    return {term: value for term, value in lines.items() if value}


def _model(resolved: Mapping[str, Any]) -> str:
    """The model, behind its stages where there are some."""
    stages = [wording.component(stage["model"]) for stage in resolved.get("stages", [])]
    if not stages:
        return wording.component(resolved["model"])
    on_top = [] if resolved["model"] == "auto" else [wording.component(resolved["model"])]
    return " → ".join([*stages, *on_top])


def _training(summary: Mapping[str, Any], resolved: Mapping[str, Any]) -> str:
    training, replicas = summary["training"], replicas_in(summary)
    epochs = plural(training["epochs"], "epoch")
    if replicas:
        epochs = f"{span([member['epochs'] for member in replicas.sound])} epochs"
    best = best_epochs(summary).partition(" of ")[0]
    most, size = resolved["training"]["epochs"], resolved["training"]["batch_size"]
    line = f"{epochs} of at most {most:,}, batches of {size:,}; {best}"
    return line + (f"; ended: {why}" if (why := stop_reasons(summary)) else "")


def _task(task: Mapping[str, Any]) -> str:
    if task.get("horizon"):
        steps, season = plural(task["horizon"], "step"), plural(task["season"], "step")
        line = f"{wording.forecast_kind(task)} of {steps}, season of {season}"
    else:
        classes = list_some(task["classes"], most=12, last=" and ")
        line = f"{task['name']}: {classes}" if classes else task["name"]
    return line + (f" ({task['why']})" if task["why"] else "")


def _augmentation(resolved: Mapping[str, Any]) -> str:
    """The random changes of training rows; empty where there are none."""
    steps = resolved["data"].get("augment") or []
    return ", ".join(wording.component(step) for step in steps) if isinstance(steps, list) else ""


def _because(reasons: Sequence[str], begin: str) -> str:
    return _sentence("; ".join(reason.removeprefix(begin) for reason in reasons if reason.startswith(begin)))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith('.') else '.'}" if text else ""


def _inputs_line(encoder: Mapping[str, Any], shape: Any) -> str:
    kind, column = encoder["kind"], encoder.get("column", {})
    if kind == "image":
        channels, height, width = shape
        colours = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
        return f"images, {width} × {height} pixels, {colours}. {_sentence(column['why'])}"
    if kind == "audio":
        seconds = column["samples"] / column["rate"]
        size = f"{shape[1]} mel bands × {shape[2]} steps"
        return f"sounds of {seconds:.3g} s, {column['rate']:,} samples a second, as {size}"
    if kind == "series":
        size = f"{plural(shape[1], 'step')}, {plural(shape[0], 'channel')}"
        return f"series of {size}; scaling: {column['scaling']}"
    if kind in ("text", "stream", "symbols"):
        tokens = str(column["tokenizer"]["kind"]).replace("_", " ")
        vocabulary = f"a vocabulary of {shape[1]:,}, learned from training rows"
        return f"{shape[0]:,} tokens at once ({tokens}); {vocabulary}"
    return wording.inputs(shape)


def _objective(objective: Mapping[str, Any]) -> str:
    penalties = "".join(f" + {wording.component(penalty)}" for penalty in objective["penalties"])
    return f"{wording.component(objective['loss'])}{penalties}"

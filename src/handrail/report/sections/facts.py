"""The settings and the data of a run as pairs of a term and a line."""

from collections.abc import Mapping, Sequence
from typing import Any

from handrail.report import wording
from handrail.report.replicas import best_epochs, replicas_in, span, stop_reasons
from handrail.runs.folder import read_json
from handrail.runs.record import RunRecord
from handrail.tools.words import list_some, plural

_MODEL, _AUGMENTATION = "model ", "Augmentation: "  # how the reasons for automatic choices begin


def facts(run: RunRecord, summary: Mapping[str, Any], resolved: Mapping[str, Any]) -> dict[str, str]:
    """Facts in the order in which readers ask for them; those that do not apply are left out."""
    task, rows, training = summary["task"], summary["rows"], summary["training"]
    encoder = read_json(run.folder.model / "pipeline.json")["encoder"]
    reasons, replicas = training.get("why", []), replicas_in(summary)
    parameters = plural(training["parameters"], "parameter") + (" in each replica" if replicas else "")
    lines = {
        "Source": summary["source"],
        "Target": list_some(task["targets"], most=6 if task.get("horizon") else 12, last=" and "),
        "Task": _task(task),
        "Rows": f"{rows['train']:,} to train, {rows['validation']:,} to validate, {rows['test']:,} to test",
        "Inputs": _inputs(encoder, training["inputs"]),
        "Model": f"{wording.component(resolved['model'])}; {parameters}",
        "Replicas": f"{len(replicas.members)}, of which answers: {replicas.predictor}" if replicas else "",
        "Why this model": _sentence(_because(reasons, _MODEL).partition(": ")[2]),
        "Augmentation": ". ".join(filter(None, (augmentation(resolved), _because(reasons, _AUGMENTATION)))),
        "Objective": _objective(resolved["objective"]),
        "Learning rule": wording.component(resolved["learning"]),
        "Training": _training(summary, resolved),
        "Time": f"{training['seconds']:.3g} s of training" + (", all replicas together" if replicas else ""),
        "Precision": str(resolved["training"].get("precision", "float32")),
        "Seed": str(run.recipe.seed)
        + (", and one derived from it for each other replica" if replicas else ""),
        "Recipe": run.recipe.fingerprint(),
        "Chosen on validation rows": ", ".join(
            f"{name} {value:.3g}" for name, value in summary["decisions"].items()
        ),
    }
    return {term: value for term, value in lines.items() if value}


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
        line = f"forecast of {plural(task['horizon'], 'step')}, season of {plural(task['season'], 'step')}"
    else:
        line = task["name"] + (
            f": {list_some(task['classes'], most=12, last=' and ')}" if task["classes"] else ""
        )
    return line + (f" ({task['why']})" if task["why"] else "")


def augmentation(resolved: Mapping[str, Any]) -> str:
    """The random changes of training rows; empty where there are none."""
    steps = resolved["data"].get("augment") or []
    return ", ".join(wording.component(step) for step in steps) if isinstance(steps, list) else ""


def _because(reasons: Sequence[str], begin: str) -> str:
    return _sentence("; ".join(reason.removeprefix(begin) for reason in reasons if reason.startswith(begin)))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith('.') else '.'}" if text else ""


def _inputs(encoder: Mapping[str, Any], shape: Any) -> str:
    """What the network gets as input, and why."""
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
    if kind in ("text", "stream"):
        tokens = str(column["tokenizer"]["kind"]).replace("_", " ")
        vocabulary = f"a vocabulary of {shape[1]:,}, learned from training rows"
        return f"{shape[0]:,} tokens at once ({tokens}); {vocabulary}"
    return wording.inputs(shape)


def _objective(objective: Mapping[str, Any]) -> str:
    penalties = "".join(f" + {wording.component(penalty)}" for penalty in objective["penalties"])
    return f"{wording.component(objective['loss'])}{penalties}"

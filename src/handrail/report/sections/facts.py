"""What was asked and what came of it, as pairs of a term and a line."""

from collections.abc import Mapping, Sequence
from typing import Any

from handrail.report import wording
from handrail.report.sections.replicas import best_epochs, ends, replicas_in, spanned
from handrail.runs.folder import read_json
from handrail.runs.record import RunRecord

_MODEL, _AUGMENTATION = "model ", "Augmentation: "  # how the reasons of automatic choices begin


def facts(run: RunRecord, summary: Mapping[str, Any], resolved: Mapping[str, Any]) -> dict[str, str]:
    """In the order in which one asks; what does not apply is left out."""
    task, rows, training = summary["task"], summary["rows"], summary["training"]
    encoder = read_json(run.folder.model / "pipeline.json")["encoder"]
    reasons, replicas = training.get("why", []), replicas_in(summary)
    found = {
        "Source": summary["source"],
        "Target": wording.listed(task["targets"], 6 if task.get("horizon") else 12),
        "Task": _task(task),
        "Rows": f"{rows['train']:,} to train, {rows['validation']:,} to validate, {rows['test']:,} to test",
        "Inputs": _inputs(encoder, training["inputs"]),
        "Model": f"{wording.component(resolved['model'])}; {wording.count(training['parameters'], 'parameter')}"
        + (" in each replica" if replicas else ""),
        "Replicas": f"{len(replicas.members)}, of which answers: {replicas.answers}" if replicas else "",
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
    return {term: value for term, value in found.items() if value}


def _training(summary: Mapping[str, Any], resolved: Mapping[str, Any]) -> str:
    training, replicas = summary["training"], replicas_in(summary)
    if replicas:
        epochs, best = (
            f"{spanned([member['epochs'] for member in replicas.sound])} epochs",
            best_epochs(summary).partition(" of ")[0],
        )
    else:
        epochs, best = wording.count(training["epochs"], "epoch"), f"best epoch {training['best_epoch']}"
    told = f"{epochs} of at most {resolved['training']['epochs']:,}, batches of {resolved['training']['batch_size']:,}; {best}"
    return told + (f"; ended: {why}" if (why := ends(summary)) else "")


def _task(task: Mapping[str, Any]) -> str:
    if task.get("horizon"):
        told = f"forecast of {wording.count(task['horizon'], 'step')}, season of {wording.count(task['season'], 'step')}"
    else:
        told = task["name"] + (f": {wording.listed(task['classes'], 12)}" if task["classes"] else "")
    return told + (f" ({task['why']})" if task["why"] else "")


def augmentation(resolved: Mapping[str, Any]) -> str:
    """What is done to training rows at random; empty where nothing is."""
    given = resolved["data"].get("augment") or []
    return ", ".join(wording.component(item) for item in given) if isinstance(given, list) else ""


def _because(reasons: Sequence[str], begin: str) -> str:
    return _sentence("; ".join(reason.removeprefix(begin) for reason in reasons if reason.startswith(begin)))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith('.') else '.'}" if text else ""


def _inputs(encoder: Mapping[str, Any], shape: Any) -> str:
    """What the network gets, and how that was settled."""
    kind, column = encoder["kind"], encoder.get("column", {})
    if kind == "image":
        channels, height, width = shape
        colours = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
        return f"images, {width} × {height} pixels, {colours}. {_sentence(column['why'])}"
    if kind == "audio":
        seconds = column["samples"] / column["rate"]
        return f"sounds of {seconds:.3g} s, {column['rate']:,} samples a second, as {shape[1]} mel bands × {shape[2]} steps"
    if kind == "series":
        return f"series of {wording.count(shape[1], 'step')}, {wording.count(shape[0], 'channel')}; scaling: {column['scaling']}"
    if kind in ("text", "stream"):
        tokens = str(column["tokenizer"]["kind"]).replace("_", " ")
        return f"{shape[0]:,} tokens at once ({tokens}); a vocabulary of {shape[1]:,}, learned from training rows"
    return wording.inputs(shape)


def _objective(objective: Mapping[str, Any]) -> str:
    penalties = "".join(f" + {wording.component(penalty)}" for penalty in objective["penalties"])
    return f"{wording.component(objective['loss'])}{penalties}"

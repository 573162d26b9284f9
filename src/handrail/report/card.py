"""The model card: what the model is, from what, how good, and what to mind."""

import re
from collections.abc import Mapping
from typing import Any

from handrail.errors import visible
from handrail.report.replicas import Replicas, best_epochs, replicas_in
from handrail.report.wording import decision, inputs, no_interval, of_positive, positive_class
from handrail.runs.record import RunRecord

_SPREADS = (
    " The interval says how far a figure moves with other rows; the last column, how far it moves from one "
    "seed to another, for a single network."
)


def model_card(run: RunRecord) -> str:
    """Markdown for people who get the model without the run.

    Source: Mitchell et al. 2019, Model Cards for Model Reporting.
    """
    summary, recipe = run.summary, run.recipe
    task, training, rows = summary["task"], summary["training"], summary["rows"]
    replicas = replicas_in(summary)
    targets = ", ".join(code(name) for name in task["targets"])
    size = f"{training['parameters']:,} parameters{' in each network' if replicas else ''}"
    sizes = f"trained on {rows['train']:,} rows, validated on {rows['validation']:,}"
    sizes += "; all of them the whole table" if run.is_whole else f"; {rows['test']:,} test rows were sealed"
    column = " replicas: mean ± standard deviation |" if replicas else ""
    positive = positive_class(task)
    metrics = "\n".join(
        f"| {plain(of_positive(name, name, positive))} | {_interval(values)} |{_spread(replicas, name)}"
        for name, values in summary["metrics"].items()
    )
    warnings = [finding for finding in summary["findings"] if finding["level"] == "warning"]
    caveats = "\n".join(f"- {plain(finding['seen'])} {plain(finding['why'])}" for finding in warnings)
    caveats = caveats or "- The checks of the data found nothing to warn of."
    return f"""# {recipe.name}

{_aim(task, targets)} {len(summary["columns"])} columns of {code(str(summary["source"]))}.

- {sizes}
- {size}, {plain(inputs(training["inputs"]))}, {plain(best_epochs(summary))}
- recipe {recipe.fingerprint()}, seed {recipe.seed}{_replicas_line(replicas)}{_decision_line(summary)}

## Figures on validation rows

Chosen with the help of these rows: expect slightly less on new ones.{_SPREADS if replicas else ""}

| metric | value and {recipe.evaluation.confidence:.0%} interval |{column}
|---|---|{"---|" if replicas else ""}
{metrics}

## What to mind

{caveats}

## Use

```python
import handrail

answers = handrail.load("RUN").predict("new.csv")
```
"""


def _decision_line(summary: dict[str, Any]) -> str:
    decided = decision(summary["task"], summary)
    return f"\n- decided: {plain(decided)}" if decided else ""


def plain(text: str) -> str:
    """A text on one line that all viewers of Markdown show as it is: nothing in it is markup, HTML or a link.

    What could be is written as a character reference, which CommonMark never takes for markup.
    """
    line = visible(text).replace("\n", "\\n").replace("\t", " ")
    line = re.sub(r"[&<>`*\[\]|\\~$]|(?<!\w)_|_(?!\w)|:(?=//)|!(?=\[)|^[#+=\-]", _reference, line)
    return re.sub(r"(?i)\b(www|javascript|data|vbscript)([.:])", lambda m: m[1] + _reference(m[2]), line)


def code(text: str) -> str:
    """A name or a path as code; as plain text where it holds what could end the code, or a table's cell."""
    return plain(text) if re.search(r"[&<>`|\[\]\\]|[^ -~\w]", text) else f"`{text}`"


def _reference(found: re.Match[str] | str) -> str:
    return f"&#{ord(found if isinstance(found, str) else found[0])};"


def _aim(task: Mapping[str, Any], targets: str) -> str:
    """`Predicts y (binary) from`; without a target `Learns clusters, without a target, from`."""
    return (
        f"Predicts {targets} ({task['name']}) from"
        if targets
        else f"Learns {task['name']}, without a target, from"
    )


def _replicas_line(replicas: Replicas | None) -> str:
    if replicas is None:
        return ""
    how = f"their {'mean' if replicas.has_ensemble else 'best'} answers ({replicas.predictor})"
    return f"\n- {replicas.seeds}; {how}"


def _spread(replicas: Replicas | None, name: str) -> str:
    if replicas is None:
        return ""
    spread = replicas.spread.get(name, {})
    if spread.get("mean") is None:
        return " not defined |"
    deviation = "" if spread["std"] is None else f" ± {spread['std']:.2g}"
    return f" {spread['mean']:.4g}{deviation} |"


def _interval(values: dict[str, Any]) -> str:
    if values["value"] is None:
        return "not defined"
    known = values["low"] is not None
    ends = f" ({values['low']:.4g} to {values['high']:.4g})" if known else f" ({no_interval(values)})"
    return f"{values['value']:.4g}{ends}"

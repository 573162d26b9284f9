"""The model card: what the model is, from what, how good, and what to mind."""


from handrail.report.sections.replicas import Replicas, best_epochs, replicas_in
from handrail.report.wording import inputs
from handrail.runs.record import RunRecord

_SPREADS = (
    " The interval says how far a figure moves with other rows; the last column, how far it moves from one seed to another, for a "
    "network alone."
)


def model_card(run: RunRecord) -> str:
    """Markdown for people who get the model without the run.

    Source: Mitchell et al. 2019, Model Cards for Model Reporting.
    """
    summary, recipe = run.summary, run.recipe
    task, training, rows = summary["task"], summary["training"], summary["rows"]
    replicas = replicas_in(summary)
    metrics = "\n".join(
        f"| {name} | {_interval(found)} |{_spread(replicas, name)}"
        for name, found in summary["metrics"].items()
    )
    warnings = [finding for finding in summary["findings"] if finding["level"] == "warning"]
    caveats = (
        "\n".join(f"- {finding['seen']} {finding['why']}" for finding in warnings)
        or "- The checks of the data found nothing to warn of."
    )
    return f"""# {recipe.name}

Predicts {", ".join(f"`{name}`" for name in task["targets"])} ({task["name"]}) from {len(summary["columns"])} columns of `{summary["source"]}`.

- trained on {rows["train"]:,} rows, validated on {rows["validation"]:,}; {rows["test"]:,} test rows were sealed
- {training["parameters"]:,} parameters{" in each network" if replicas else ""}, {inputs(training["inputs"])}, {best_epochs(summary)}
- recipe {recipe.fingerprint()}, seed {recipe.seed}{_told(replicas)}

## Figures on validation rows

Chosen with the help of these rows: expect slightly less on new ones.{_SPREADS if replicas else ""}

| metric | value and {recipe.evaluation.confidence:.0%} interval |{" replicas: mean ± standard deviation |" if replicas else ""}
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


def _told(replicas: Replicas | None) -> str:
    if replicas is None:
        return ""
    how = f"their {'mean' if replicas.joined else 'best'} answers ({replicas.answers})"
    return f"\n- {replicas.seeds}; {how}"


def _spread(replicas: Replicas | None, name: str) -> str:
    if replicas is None:
        return ""
    spread = replicas.spread.get(name, {})
    if spread.get("mean") is None:
        return " not defined |"
    deviation = "" if spread["std"] is None else f" ± {spread['std']:.2g}"
    return f" {spread['mean']:.4g}{deviation} |"


def _interval(found: dict[str, float | None]) -> str:
    if found["value"] is None:
        return "not defined"
    ends = "" if found["low"] is None else f" ({found['low']:.4g} to {found['high']:.4g})"
    return f"{found['value']:.4g}{ends}"

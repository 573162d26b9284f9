"""The model card: what the model is, from what, how good, and what to mind."""

from typing import TYPE_CHECKING

from handrail.views.wording import inputs

if TYPE_CHECKING:
    from handrail.run import Run


def model_card(run: "Run") -> str:
    """Markdown for people who get the model without the run.

    Source: Mitchell et al. 2019, Model Cards for Model Reporting.
    """
    summary, recipe = run.summary, run.recipe
    task, training, rows = summary["task"], summary["training"], summary["rows"]
    metrics = "\n".join(f"| {name} | {_interval(found)} |" for name, found in summary["metrics"].items())
    warnings = [finding for finding in summary["findings"] if finding["level"] == "warning"]
    caveats = (
        "\n".join(f"- {finding['seen']} {finding['why']}" for finding in warnings)
        or "- The checks of the data found nothing to warn of."
    )
    return f"""# {recipe.name}

Predicts {", ".join(f"`{name}`" for name in task["targets"])} ({task["name"]}) from {len(summary["columns"])} columns of `{summary["source"]}`.

- trained on {rows["train"]:,} rows, validated on {rows["validation"]:,}; {rows["test"]:,} test rows were sealed
- {training["parameters"]:,} parameters, {inputs(training["inputs"])}, best epoch {training["best_epoch"]} of {training["epochs"]}
- recipe {recipe.fingerprint()}, seed {recipe.seed}

## Figures on validation rows

Chosen with the help of these rows: expect slightly less on new ones.

| metric | value and {recipe.evaluation.confidence:.0%} interval |
|---|---|
{metrics}

## What to mind

{caveats}

## Use

```python
import handrail

answers = handrail.load("RUN").predict("new.csv")
```
"""


def _interval(found: dict[str, float | None]) -> str:
    if found["value"] is None:
        return "not defined"
    ends = "" if found["low"] is None else f" ({found['low']:.4g} to {found['high']:.4g})"
    return f"{found['value']:.4g}{ends}"

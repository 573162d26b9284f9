"""Whether training ended while the validation loss was still falling, and how to go on."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from handrail.data.finding import Finding
from handrail.pipeline import Pipeline
from handrail.recipe import Recipe
from handrail.runs.defaults import choose, choose_alone, usual_patience
from handrail.runs.replicas import Replica

_LAST = 0.1  # the end of a training: this share of its epochs
_LEAST = 0.005  # of the whole fall; less than that is not worth more epochs
_FEW = 5  # epochs of which no noise can be told


def find_unfinished(
    records: Sequence[Mapping[str, Any]],
    replicas: Sequence[Replica],
    pipeline: Pipeline,
    *,
    asked: Recipe,
    recipe: Recipe,
    rows: int,
) -> list[Finding]:
    """A finding where all epochs were done and the loss fell by more than noise to the end.

    A schedule that brings the learning rate down to nothing, or a rule that changes less and less by a plan,
    is best at its end by design: then it is said only of fewer epochs than handrail would have taken.

    Arguments:
        records: the lines of `metrics.jsonl`.
        asked, recipe: as given, and without any `auto`.
        rows: of training.
    """
    epochs = recipe.training.epochs
    assert epochs != "auto", "a recipe is settled before training"
    trained = [each for each in replicas if not each.failure]
    if not trained or any(each.epochs < epochs for each in trained):
        return []
    task, outputs = pipeline.task, pipeline.decoder.outputs
    alone = choose_alone(recipe.model, task=task)
    usual = (alone or choose(pipeline.encoder.shape, outputs, task=task, rows=rows)).epochs
    by_design = usual_patience(recipe, rows) is None
    if by_design and (asked.training.epochs == "auto" or epochs >= usual):
        return []
    if not all(_is_falling(_losses(records, each, len(replicas))) for each in trained):
        return []
    more = max(2 * epochs, usual)
    return [
        Finding(
            level="note",
            name="still-improving",
            seen=f"The validation loss was still falling when {_all(epochs)} done "
            f"(best epoch {', '.join(str(each.best_epoch) for each in trained[:5])}).",
            why="A training that is cut short has not learned what it could.",
            action=f"training.epochs={more} trains longer.",
            decided=True,
        )
    ]


def _all(epochs: int) -> str:
    return "the only epoch was" if epochs == 1 else f"all {epochs:,} epochs were"


def _losses(records: Sequence[Mapping[str, Any]], replica: Replica, replicas: int) -> list[float]:
    """The validation losses of a training, in order."""
    own = [line for line in records if replicas == 1 or line.get("replica") == replica.replica]
    return [line["val_loss"] for line in own if isinstance(line.get("val_loss"), int | float)]


def _is_falling(losses: Sequence[float]) -> bool:
    """Whether the last epochs brought the lowest loss, by more than it goes up and down, and not by nothing.

    The noise is the median distance of a loss from the mean of its neighbours, over the second half.
    """
    last = max(1, round(_LAST * len(losses)))
    before, after = losses[:-last], losses[-last:]
    if not before:
        return False
    gain = min(before) - min(after)
    half = losses[len(losses) // 2 :]
    bends = [abs(b - (a + c) / 2) for a, b, c in zip(half, half[1:], half[2:], strict=False)]
    noise = statistics.median(bends) if len(losses) >= _FEW and bends else 0.0
    return gain > max(noise, _LEAST * (losses[0] - min(losses)))

"""Threshold units set from a truth table, without learning."""

from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from handrail.components import component
from handrail.errors import RecipeError
from handrail.layers.threshold import ThresholdLayer
from handrail.learning.rule import Batch, Measures, Rule, TrainingPlan, refuse_penalties
from handrail.learning.separability import widest_separation

_HERE = "learning.truth_table"
_TASKS = ("binary", "multi-class", "multi-label")
_MOST = 4096  # different rows


class Units(NamedTuple):
    """Threshold units: weights `[units, inputs]`, thresholds `[units]`; fires: what one of them means."""

    weights: np.ndarray
    thresholds: np.ndarray
    fires: bool = True


@component("rule")
class TruthTable(Rule):
    """Weights and thresholds from the table of all different rows: one epoch to gather it, no gradient step.

    An output whose rows a hyperplane separates is one threshold unit, with the widest margin. Any other is a
    layer of hidden units, one for each row where the output fires (a minterm) and an output unit that asks
    for any of them; or for each row where it does not fire, where these are fewer, and for none of them.
    The table is a logical one: each input has two values, and equal inputs have equal answers.

    Raises: `RecipeError` for models without threshold units or with too few of them, tasks without classes,
    inputs of more than two values, rows that contradict each other, penalties and weights of rows.

    Source: McCulloch & Pitts 1943; separable ones: Minsky & Papert 1969
    """

    models: ClassVar[tuple[str, ...]] = ("mcculloch_pitts",)
    begins_anew: ClassVar[bool] = True

    def __init__(self) -> None:
        self.words = ""

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Find the layers of threshold units, and begin with an empty table."""
        if plan.task not in _TASKS:
            expected = f"expected classes ({', '.join(_TASKS)})"
            raise RecipeError(f"{_HERE}: found the task '{plan.task}', {expected}.")
        refuse_penalties(plan, "truth_table")
        self.task, self.layers = plan.task, _threshold_layers(model)
        inputs, outputs = self.layers[0].weight.shape[1], self.layers[-1].weight.shape[0]
        self.table = torch.zeros(0, inputs + outputs, dtype=torch.float64)

    @torch.no_grad()
    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """Add the rows of the batch to the table."""
        if batch.weights is not None:
            raise RecipeError(f"{_HERE}: weights of rows have no effect on a table; leave data.balance out.")
        targets = self._targets(batch.targets)
        rows = torch.cat([batch.inputs.flatten(1), targets], dim=1).double().cpu()
        self.table = torch.cat([self.table, rows]).unique(dim=0)
        if len(self.table) > _MOST:
            text = f"found more than {_MOST:,} different rows, expected a truth table"
            raise RecipeError(f"{_HERE}: {text}. Learn by another rule, with another model.")
        return {"loss": ((model(batch.inputs) > 0) != (targets > 0)).float().mean()}

    def _targets(self, targets: Tensor) -> Tensor:
        if self.task == "multi-class":
            return nn.functional.one_hot(targets, self.layers[-1].weight.shape[0])
        return targets.unsqueeze(1) if self.task == "binary" else targets

    @torch.no_grad()
    def end_epoch(self, model: nn.Module) -> None:
        """Set the units."""
        width = self.layers[0].weight.shape[1]
        inputs, answers = self.table[:, :width].numpy(), self.table[:, width:].numpy() > 0
        _check(inputs)
        groups = [_units_for(inputs, fires) for fires in answers.T]
        count, last = sum(len(group.thresholds) for group in groups), self.layers[-1]
        if len(self.layers) > 1:
            self._set_hidden(groups, count)
        elif any(len(group.thresholds) != 1 for group in groups):
            text = f"found an output that no hyperplane separates; it needs {count:,} hidden units"
            raise RecipeError(f"{_HERE}: {text}: model.mcculloch_pitts.hidden={count}")
        else:
            _fill(last, groups)
        self.words = _words(inputs, groups, count)

    def _set_hidden(self, groups: list[Units], count: int) -> None:
        hidden, last = self.layers
        if count > len(hidden.threshold):
            text = f"the table needs {count:,} hidden units, the model has {len(hidden.threshold):,}"
            raise RecipeError(f"{_HERE}: {text}: model.mcculloch_pitts.hidden={count}")
        _fill(hidden, groups)
        last.weight.zero_()
        begin = 0
        for output, group in enumerate(groups):
            end = begin + len(group.thresholds)
            last.weight[output, begin:end] = 1.0 if group.fires else -1.0
            last.threshold[output] = 1.0 if group.fires else 0.0
            begin = end

    @property
    def finished(self) -> bool:
        return bool(self.words)

    @property
    def ending(self) -> str:
        return self.words

    def state_dict(self) -> dict[str, Any]:
        return {"table": self.table, "words": self.words}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.table, self.words = state["table"].double().cpu(), state["words"]


def _threshold_layers(model: nn.Module) -> list[ThresholdLayer]:
    idle = (nn.Identity, nn.Sequential)
    leaves = [part for part in model.modules() if not list(part.children()) and type(part) not in idle]
    layers = [part for part in leaves if isinstance(part, ThresholdLayer)]
    if len(layers) != len(leaves) or len(layers) not in (1, 2):
        names = ", ".join(type(part).__name__ for part in leaves) or "nothing"
        text = f"found a model of {names}; expected one or two layers of threshold units"
        raise RecipeError(f"{_HERE}: {text} (model: mcculloch_pitts).")
    return layers


def _check(inputs: Float[np.ndarray, "rows inputs"]) -> None:
    """Raises: `RecipeError` where these are not the inputs of a truth table."""
    for column, values in enumerate(inputs.T):
        if (count := len(np.unique(values))) > 2:
            text = f"found {count:,} different values in input {column + 1}, expected two in each"
            raise RecipeError(f"{_HERE}: {text}. Learn by another rule, with another model.")
    different, counts = np.unique(inputs, axis=0, return_counts=True)
    if (counts > 1).any():
        example = ", ".join(f"{value:g}" for value in different[counts > 1][0])
        text = f"rows with equal inputs have different answers, such as those with ({example})"
        raise RecipeError(f"{_HERE}: {text}; expected one answer. Learn by another rule, with another model.")


def _units_for(inputs: Float[np.ndarray, "rows inputs"], fires: Bool[np.ndarray, " rows"]) -> Units:
    """The units that an output needs: itself alone, or one for each row where it fires, or does not fire."""
    if fires.all() or not fires.any():
        return Units(np.zeros((1, inputs.shape[1])), np.array([0.0 if fires.all() else 1.0]))
    found = widest_separation(inputs, fires.astype(np.int64))
    if found is not None:
        return Units(found.weights[:, :-1], -found.weights[:, -1])
    rare = fires.sum() <= len(fires) / 2
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    varies = high > low
    # +1 and −1 for the two values of an input: the sum of a row with itself is `varies.sum()`, with others
    # lower by 2 or more.
    scale = np.where(varies, 2 / np.where(varies, high - low, 1), 0)
    weights = (inputs[fires == rare] - (low + high) / 2) * scale**2
    return Units(weights, weights @ ((low + high) / 2) + varies.sum() - 1, bool(rare))


def _fill(layer: ThresholdLayer, groups: list[Units]) -> None:
    """Set the first units of a layer; those that are not needed never fire."""
    weights = torch.from_numpy(np.concatenate([group.weights for group in groups]))
    layer.weight.zero_()
    layer.threshold.fill_(1.0)
    layer.weight[: len(weights)] = weights.to(layer.weight)
    thresholds = torch.from_numpy(np.concatenate([group.thresholds for group in groups]))
    layer.threshold[: len(weights)] = thresholds.to(layer.threshold)


def _words(inputs: np.ndarray, groups: list[Units], count: int) -> str:
    if all(len(group.thresholds) == 1 for group in groups):
        units = "one threshold unit" + (" for each output" if len(groups) > 1 else "")
    else:
        units = f"a layer of {count:,} hidden threshold units"
    possible = 2 ** int((inputs.max(axis=0) > inputs.min(axis=0)).sum())
    seen = "" if len(inputs) == possible else f" of {possible:,} that are possible"
    return f"set from a truth table of {len(inputs):,} rows{seen}: {units}"

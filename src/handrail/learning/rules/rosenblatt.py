"""The perceptron's own rule."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from handrail.components import component
from handrail.components.arguments import Positive
from handrail.errors import RecipeError
from handrail.learning.rule import Batch, Measures, Rule, TrainingPlan, refuse_penalties
from handrail.learning.separability import are_separable

_FEW = 200_000  # numbers in the rows of an epoch
_LOSS = {"hinge": {"margin": 0.0}}


@component("rule")
class Rosenblatt(Rule):
    """Δw = η·x·(t − y) with y = 1 if w·x + b > 0, else 0, one row after another; Δb likewise with x = 1.

    With several classes there is one unit a class and the largest score wins: where it is the wrong one, the
    unit of the true class gains η·x and the unit that won loses it. A row's weight multiplies its η.

    From w = 0, classes that a hyperplane separates by the margin γ (‖w‖ = 1, rows no longer than R, both with
    the 1 of the bias) cost at most (R/γ)² changes, and training ends after an epoch without an error. On
    other classes that never happens, and the weights that were best on validation rows are kept.

    Arguments:
        learning_rate: η. From w = 0 it changes the weights' size alone, not what they answer.

    Raises: `RecipeError` for tasks without classes, models of more than a single layer, and penalties, which
    it does not follow.

    Source: Rosenblatt 1958; the bound: Novikoff 1962; classes: Duda & Hart 1973 (Kesler's construction)
    """

    losses: ClassVar[Mapping[str, Any]] = {"binary": _LOSS, "multi-class": _LOSS}

    def __init__(self, *, learning_rate: Positive = 1.0) -> None:
        self.rate = learning_rate
        self.errors = 0
        self.separated = False
        self._epoch: list[tuple[np.ndarray, list[int]]] = []
        self._whole = True  # the rows above are those of an epoch from its beginning
        self._few = True
        self._rows: tuple[np.ndarray, np.ndarray] | None = None

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Check that there are classes and a single layer of units."""
        if plan.task not in ("binary", "multi-class"):
            text = f"found the task '{plan.task}', expected classes (binary or multi-class)."
            raise RecipeError(f"learning.rosenblatt: {text}")
        refuse_penalties(plan, "rosenblatt")
        self.layer = single_layer(model)

    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """One pass over the rows of the batch, each of which may change the weights."""
        # In the layer's own precision, so that batches of any size give the same bits.
        parameters = (self.layer.weight, self.layer.bias)
        weights, bias = (parameter.detach().cpu().numpy().copy() for parameter in parameters)
        rows, targets = batch.inputs.cpu().numpy(), batch.targets.cpu().tolist()
        rates = [self.rate] * len(rows) if batch.weights is None else (self.rate * batch.weights).tolist()
        self._note(rows, targets)
        change = _one_unit if len(bias) == 1 else _several_units
        examples = zip(rows, targets, rates, strict=True)
        errors = sum(change(weights, bias, x, target, rate) for x, target, rate in examples)
        with torch.no_grad():
            self.layer.weight.copy_(torch.from_numpy(weights))
            self.layer.bias.copy_(torch.from_numpy(bias))
        self.errors += errors
        share = torch.tensor(errors / max(len(batch), 1))
        return {"loss": share, "errors": share}

    def end_epoch(self, model: nn.Module) -> None:
        """Note whether the epoch passed without an error."""
        self.separated = self.errors == 0
        self.errors = 0
        if self._epoch and self._few:
            rows, targets = zip(*self._epoch, strict=True)
            self._rows = np.concatenate(rows), np.concatenate([np.array(codes) for codes in targets])
        self._epoch, self._whole = [], True

    def _note(self, rows: np.ndarray, targets: list[int]) -> None:
        """Keep the rows of one epoch, if they are few, for a proof that no hyperplane separates them."""
        if self._rows is None and self._whole and self._few:
            self._epoch.append((rows.copy(), targets))
            self._few = sum(part.size for part, _ in self._epoch) <= _FEW

    @property
    def finished(self) -> bool:
        """After an epoch without an error nothing changes any more."""
        return self.separated

    def remark(self) -> str:
        """Rosenblatt's rule stops by itself only where a hyperplane separates the classes.

        Of few rows a linear programme tells whether one does.
        """
        separable = None if self._rows is None else are_separable(*self._rows)
        if separable is None:
            return "; the classes were not separated: perhaps they are not linearly separable"
        if separable:
            return "; the classes are linearly separable, but were not separated yet: train longer"
        return "; the classes are not linearly separable (proven by a linear programme)"

    @property
    def learning_rate(self) -> float | None:
        return self.rate

    def state_dict(self) -> dict[str, Any]:
        return {"errors": self.errors, "separated": self.separated}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.errors, self.separated = state["errors"], state["separated"]
        self._whole = False  # until the next epoch begins


def single_layer(model: nn.Module) -> nn.Linear:
    """The one linear layer of a network that consists of it alone; it has a bias.

    Raises: `RecipeError` for any other network.
    """
    idle = (nn.Identity, nn.Sequential)
    leaves = [part for part in model.modules() if not list(part.children()) and type(part) not in idle]
    layers = [module for module in leaves if type(module) is nn.Linear and module.bias is not None]
    if len(layers) != 1 or len(leaves) != 1:
        names = ", ".join(type(module).__name__ for module in leaves) or "nothing"
        text = f"found a model of {names}; expected one linear layer with a bias (model: linear)."
        raise RecipeError(f"learning.rosenblatt: {text}")
    return layers[0]


def _one_unit(weights: np.ndarray, bias: np.ndarray, x: np.ndarray, target: int, rate: float) -> int:
    error = target - int(weights[0] @ x + bias[0] > 0)
    if error:
        weights[0] += rate * error * x
        bias[0] += rate * error
    return abs(error)


def _several_units(weights: np.ndarray, bias: np.ndarray, x: np.ndarray, target: int, rate: float) -> int:
    winner = int(np.argmax(weights @ x + bias))
    if winner == target:
        return 0
    weights[target] += rate * x
    bias[target] += rate
    weights[winner] -= rate * x
    bias[winner] -= rate
    return 1

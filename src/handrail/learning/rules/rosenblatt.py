"""The perceptron's own rule."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from handrail.components import component
from handrail.components.arguments import Positive
from handrail.errors import RecipeError
from handrail.learning.rule import Batch, Measures, Rule, TrainingPlan, refuse_penalties
from handrail.learning.separability import are_separable, widest_separation
from handrail.learning.single_layer import single_layer

_FEW = 200_000  # numbers in the rows of an epoch
_PASSES = 1000  # whose weights are remembered
_LOSS = {"hinge": {"margin": 0.0}}


@component("rule")
class Rosenblatt(Rule):
    """Δw = η·x·(t − y) with y = 1 if w·x + b > 0, else 0, one row after another; Δb likewise with x = 1.

    With several classes there is one unit a class and the largest score wins: where it is the wrong one, the
    unit of the true class gains η·x and the unit that won loses it. A row's weight multiplies its η.

    From w = 0, classes that a hyperplane separates by the margin γ (‖w‖ = 1, rows no longer than R, both with
    the 1 of the bias) cost at most (R/γ)² changes, and training ends after a pass without an error. For other
    classes no end comes by itself. But where hyperplanes separate the classes, every change turns the weights
    further towards them: weights that come back, in whatever order the rows came, prove that there are none.
    Then training ends, too. It is taken for a proof only where no change was rounded since, as with truth
    tables. The weights that were best on validation rows are kept.

    Arguments:
        learning_rate: η. From w = 0 it changes the weights' size alone, not what they answer.

    Raises: `RecipeError` for tasks without classes, models of more than a single layer, and penalties, which
    it does not follow.

    Source: Rosenblatt 1958; the bound: Novikoff 1962; weights that come back: Minsky & Papert 1969; classes:
    Duda & Hart 1973 (Kesler's construction)
    """

    losses: Mapping[str, Any] = {"binary": _LOSS, "multi-class": _LOSS}

    def __init__(self, *, learning_rate: Positive = 1.0) -> None:
        self.rate = learning_rate
        self.errors = self.passes = 0
        self.separated = self.came_back = False
        self._before: list[str] = []  # digests of the weights at the ends of passes
        self._exact = True  # no change was rounded in this pass
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
        self.layer = single_layer(model, "rosenblatt")
        self._before = [self._digest()]

    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """One pass over the rows of the batch, each of which may change the weights."""
        # In the layer's own precision, so that batches of any size give the same bits.
        weights, bias = self._weights()
        rows, targets = batch.inputs.flatten(1).cpu().numpy(), batch.targets.cpu().tolist()
        rates = [self.rate] * len(rows) if batch.weights is None else (self.rate * batch.weights).tolist()
        self._note(rows, targets)
        errors = 0
        for x, target, rate in zip(rows, targets, rates, strict=True):
            turns = _turns(weights, bias, x, target) if rate > 0 else ()
            for unit, sign in turns:
                exact = _turn(weights, bias, x, unit=unit, by=sign * rate, check=self._exact)
                self._exact = self._exact and exact
            errors += bool(turns)
        with torch.no_grad():
            self.layer.weight.copy_(torch.from_numpy(weights))
            self.layer.bias.copy_(torch.from_numpy(bias))
        self.errors += errors
        share = torch.tensor(errors / max(len(batch), 1))
        return {"loss": share, "errors": share}

    def _weights(self) -> tuple[np.ndarray, np.ndarray]:
        parameters = (self.layer.weight, self.layer.bias)
        weights, bias = (parameter.detach().cpu().numpy().copy() for parameter in parameters)
        return weights, bias

    def end_epoch(self, model: nn.Module) -> None:
        """Note whether the pass had no error, or brought back weights that an earlier one ended with."""
        self.passes += 1
        self.separated = self.errors == 0
        digest = self._digest()
        earlier = self._before if self._exact else []
        self.came_back = not self.separated and digest in earlier
        self._before = [*earlier, digest][-_PASSES:]
        self.errors, self._exact = 0, True
        if self._epoch and self._few:
            rows, targets = zip(*self._epoch, strict=True)
            self._rows = np.concatenate(rows), np.concatenate([np.array(codes) for codes in targets])
        self._epoch, self._whole = [], True

    def _digest(self) -> str:
        return hashlib.blake2b(
            b"".join(part.tobytes() for part in self._weights()), digest_size=16
        ).hexdigest()

    def _note(self, rows: np.ndarray, targets: list[int]) -> None:
        """Keep the rows of one epoch, if they are few, for a proof that no hyperplane separates them."""
        if self._rows is None and self._whole and self._few:
            self._epoch.append((rows.copy(), targets))
            self._few = sum(part.size for part, _ in self._epoch) <= _FEW

    @property
    def finished(self) -> bool:
        """After a pass without an error, or one that brought back weights."""
        return self.separated or self.came_back

    @property
    def ending(self) -> str:
        if self.came_back:
            proof = f"pass {self.passes:,} brought back weights that an earlier one had"
            return f"the classes are not linearly separable (proven: {proof})"
        return super().ending

    def remark(self) -> str:
        """Rosenblatt's rule stops by itself only where a hyperplane separates the classes.

        Of few rows a linear programme tells whether one does.
        """
        passes = f"{self.passes:,} pass{'es' if self.passes != 1 else ''}"
        separable = None if self._rows is None else are_separable(*self._rows)
        if separable is False:
            proof = "the classes are not linearly separable (proven by a linear programme)"
            return f"; not separated after {passes}: {proof}"
        if separable is None:
            return f"; not separated after {passes}: perhaps the classes are not linearly separable"
        separated = f"the classes are linearly separable{self._margin()}"
        return f"; {separated}, but not yet separated after {passes}: train longer"

    def _margin(self) -> str:
        found = None if self._rows is None else widest_separation(*self._rows)
        if found is None:
            return ""
        return f" (margin γ = {found.margin:.3g}; from w = 0 at most {found.changes:,} changes are needed)"

    @property
    def learning_rate(self) -> float | None:
        return self.rate

    def state_dict(self) -> dict[str, Any]:
        flags = {"separated": self.separated, "came_back": self.came_back, "exact": self._exact}
        return {"errors": self.errors, "passes": self.passes, "before": list(self._before), **flags}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.errors, self.separated = state["errors"], state["separated"]
        self.passes, self.came_back = state.get("passes", 0), state.get("came_back", False)
        self._before, self._exact = list(state.get("before", [])), state.get("exact", True)
        self._whole = False  # until the next epoch begins


def _turns(weights: np.ndarray, bias: np.ndarray, x: np.ndarray, target: int) -> tuple[tuple[int, int], ...]:
    """The units that a row turns, towards it (+1) or away (−1); none where it is answered rightly."""
    if len(bias) == 1:
        error = target - int(weights[0] @ x + bias[0] > 0)
        return ((0, error),) if error else ()
    winner = int(np.argmax(weights @ x + bias))
    return () if winner == target else ((target, 1), (winner, -1))


def _turn(weights: np.ndarray, bias: np.ndarray, x: np.ndarray, *, unit: int, by: float, check: bool) -> bool:
    """Add `by`·(x, 1) to a unit's weights; whether nothing was rounded, if that is to be checked."""
    before = (weights[unit].astype(np.float64), float(bias[unit])) if check else None
    weights[unit] += by * x
    bias[unit] += by
    if before is None:
        return False
    rate = float(weights.dtype.type(by))
    same = np.array_equal(weights[unit] - before[0], rate * x.astype(np.float64))
    return same and float(bias[unit]) - before[1] == rate

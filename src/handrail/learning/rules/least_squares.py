"""The last layer in closed form."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from handrail.components import component
from handrail.components.arguments import NonNegative
from handrail.components.pictures import Lines, Picture
from handrail.errors import RecipeError
from handrail.layers.noise import GaussianNoise, NoisyLinear
from handrail.learning.placing import Placing, layers_to_place
from handrail.learning.rule import (
    Batch,
    Measures,
    Records,
    Rule,
    TrainingPlan,
    refuse_penalties,
    sign_targets,
)

_IDLE = (_DropoutNd, _BatchNorm, GaussianNoise, NoisyLinear)
# Of the largest eigenvalue, what counts as none: features are alike to 10⁻⁶ or 10⁻¹⁵ of their size.
_NOTHING = {torch.float32: 1e-12, torch.float64: 1e-15}
_RIDGES = tuple(10.0**-power for power in range(13))  # that `auto` tries, the strongest first
_NAME = "ridge/exponent"
_SUMS = ("gram", "moment", "squares", "total")


@component("rule")
class LeastSquares(Rule):
    """W = (ΦᵀΦ + λI)⁻¹ΦᵀT: the weights of the last layer that minimise the squared error, in one pass.

    Φ `[rows, units + 1]` is what the last layer is given, with a column of ones for the bias, which λ leaves
    alone; T holds the values, or −1 and +1 for classes. Layers before the last keep their first weights. Each
    step adds its rows to ΦᵀΦ and ΦᵀT in double precision; the end of the epoch solves.

    With `ridge: auto`, λ goes down from 1 to 10⁻¹² by tenths, an epoch each, without another pass over the
    features; as always the weights of the best epoch on validation rows are kept.

    Rows count by their weights where they have some. Directions in which the features do not vary get no
    weight, so that columns which depend on each other do no harm.

    Units that stand at places among the rows (`rbf`) are placed first, by k-means on what their layer is
    given: one epoch more for each such layer, after which the last layer answers 0 until it is solved for.

    Arguments:
        ridge: λ ≥ 0, as a share of the mean diagonal of ΦᵀΦ: scikit-learn's alpha is ridge · mean(diag(ΦᵀΦ));
            or `auto`.

    Raises: `RecipeError` when the model does not end in a linear layer, or holds what acts in training by
    gradient alone (dropout, noise, batch normalisation); for penalties, which it does not follow; for
        fewer epochs than it takes, or fewer different rows than there are units to place.

    Source: Gauss 1809; ridge: Hoerl & Kennard 1970; random first layers: Huang 2006; placed units: Moody &
    Darken 1989
    """

    losses: Mapping[str, Any] = dict.fromkeys(("binary", "multi-class", "regression"), "mse")
    solves: ClassVar[bool] = True

    def __init__(self, *, ridge: NonNegative | Literal["auto"] = 1e-6) -> None:
        self.ridges = _RIDGES if ridge == "auto" else (ridge,)
        self.tried = 0

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Find the last layer and begin the sums at zero."""
        refuse_penalties(plan, "least_squares")
        _refuse_idle_layers(model)
        self.task = plan.task
        self.head = last_layer(model)
        self.placing = [Placing(layer, plan.seed) for layer in layers_to_place(model)]
        passes = len(self.placing) + 1
        if plan.epochs < passes:
            why = "least_squares first places the model's units, then solves for its last layer"
            raise RecipeError(f"training.epochs: found {plan.epochs}, expected {passes} or more: {why}.")
        units = self.head.in_features + 1
        device = self.head.weight.device
        self.gram = torch.zeros(units, units, dtype=torch.float64, device=device)
        self.moment = torch.zeros(units, self.head.out_features, dtype=torch.float64, device=device)
        self.squares = torch.zeros((), dtype=torch.float64, device=device)  # of the targets, summed
        self.total = torch.zeros((), dtype=torch.float64, device=device)  # how many they are
        self.nothing = _NOTHING[torch.float32]

    @torch.no_grad()
    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """Add the rows of the batch to the sums; before that, to those among which units are placed."""
        if self.placing:
            return {"loss": self._watch(model, batch)}
        if self.tried:
            return self._measures(self._loss())
        features, outputs = _features(model, self.head, batch.inputs)
        targets = sign_targets(batch.targets, self.head.out_features, self.task).double()
        self._add(features.double(), targets, batch.weights)
        self.nothing = _NOTHING.get(features.dtype, _NOTHING[torch.float32])
        return self._measures((outputs.double() - targets).square().mean())

    def _add(
        self,
        phi: Float[Tensor, "rows features"],
        targets: Float[Tensor, "rows outputs"],
        weights: Float[Tensor, " rows"] | None,
    ) -> None:
        """Add rows to the sums; the column of ones, the last, is not written out."""
        ones = phi.new_ones(len(phi), 1)
        if weights is not None:
            ones = weights.double().sqrt().unsqueeze(1)
            phi, targets = ones * phi, ones * targets
        self.gram[:-1, :-1] += _symmetric_product(phi)
        across = phi.T @ ones
        self.gram[:-1, -1:] += across
        self.gram[-1:, :-1] += across.T
        number = ones.square().sum()
        self.gram[-1, -1] += number
        self.moment[:-1] += phi.T @ targets
        self.moment[-1:] += ones.T @ targets
        self.squares += targets.square().sum()
        self.total += number * targets.shape[1]

    def _measures(self, loss: Tensor) -> Measures:
        if len(self.ridges) == 1:
            return {"loss": loss}
        ridge = self.ridges[min(self.tried, len(self.ridges) - 1)]  # the last one, once all were tried
        return {"loss": loss, _NAME: loss.new_tensor(math.log10(ridge))}

    def _loss(self) -> Tensor:
        """Of the training rows by the present weights: Σt² − 2·Wᵀm + WᵀΦᵀΦW, over their number."""
        solution = torch.zeros_like(self.moment)
        solution[:-1] = self.head.weight.T
        if self.head.bias is not None:
            solution[-1] = self.head.bias
        error = self.squares - 2 * (solution * self.moment).sum() + (solution * (self.gram @ solution)).sum()
        return error.clamp_min(0) / self.total

    def _watch(self, model: nn.Module, batch: Batch) -> Tensor:
        placing = self.placing[0]
        [(rows, _)], outputs = _pass(model, placing.layer, batch.inputs)
        placing.add(rows)
        targets = sign_targets(batch.targets, self.head.out_features, self.task).double()
        return (outputs.double() - targets).square().mean()

    @torch.no_grad()
    def end_epoch(self, model: nn.Module) -> None:
        """Place units where some are not; else solve for the last layer's weights and bias."""
        if self.placing:
            self.placing.pop(0).finish()
            self.head.weight.zero_()
            if self.head.bias is not None:
                self.head.bias.zero_()
            return
        if not self.finished:
            self._solve()

    def _solve(self) -> None:
        system, moment = self.gram.cpu().clone(), self.moment.cpu()
        system.diagonal()[:-1] += self.ridges[self.tried] * system.diagonal().mean()
        # To a diagonal of ones, so that columns in different units differ from columns that say nothing.
        size = system.diagonal().sqrt().unsqueeze(1)
        size = torch.where(size > 0, size, torch.ones_like(size))
        solution = _solution(system / (size * size.T), moment / size, self.nothing) / size
        self.head.weight.copy_(solution[:-1].T)
        if self.head.bias is not None:
            self.head.bias.copy_(solution[-1])
        self.tried += 1

    @property
    def finished(self) -> bool:
        return self.tried == len(self.ridges)

    @property
    def changing(self) -> nn.Linear | None:
        return self.head if len(self.ridges) > 1 and not self.placing else None

    @classmethod
    def pictures(cls, records: Records) -> list[Picture]:
        """The losses by ridge, where several were tried."""
        name = f"train_{_NAME}"
        if not any(name in line for line in records):
            return []
        exponents = np.array([line[name] for line in records])
        validation = np.array([line.get("val_loss", np.nan) for line in records])
        # An epoch measures the training rows before it solves.
        training = np.array([*(line["train_loss"] for line in records[1:]), np.nan])
        with np.errstate(divide="ignore"):
            curves = {"training rows": np.log10(training), "validation rows": np.log10(validation)}
        note = ""
        if np.isfinite(validation).any():
            note = f"The loss on validation rows is lowest at 10^{exponents[np.nanargmin(validation)]:.0f}."
        axes = ("exponent of the ridge", "exponent of the loss")
        return [Lines("Loss by the strength of the ridge", exponents, curves, note=note, axes=axes)]

    def state_dict(self) -> dict[str, Any]:
        sums = {name: getattr(self, name) for name in _SUMS}
        placing = [placing.state_dict() for placing in self.placing]
        return {**sums, "tried": self.tried, "nothing": self.nothing, "placing": placing}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        states = state["placing"]
        self.placing = self.placing[len(self.placing) - len(states) :]
        for placing, own in zip(self.placing, states, strict=True):
            placing.load_state_dict(own)
        for name in _SUMS:
            setattr(self, name, state[name].to(getattr(self, name)))
        self.tried, self.nothing = state["tried"], state["nothing"]


def _symmetric_product(phi: Float[Tensor, "rows units"]) -> Float[Tensor, "units units"]:
    """ΦᵀΦ; on the CPU by NumPy, which computes one half of it."""
    if phi.device.type != "cpu":
        return phi.T @ phi
    array = phi.numpy()
    return torch.from_numpy(array.T @ array)


def _solution(system: Tensor, moment: Tensor, nothing: float) -> Tensor:
    """The least squares of a symmetric system; directions in which it is as good as 0 get no weight."""
    factor, failed = torch.linalg.cholesky_ex(system)
    if not failed and bool(factor.diagonal().square().min() > 1e3 * nothing):
        return torch.cholesky_solve(moment, factor)
    values, vectors = torch.linalg.eigh(system)
    kept = values > nothing * values[-1]
    inverse = torch.where(kept, 1 / torch.where(kept, values, 1.0), 0.0)
    return vectors @ (inverse.unsqueeze(1) * (vectors.T @ moment))


def last_layer(model: nn.Module) -> nn.Linear:
    """The last linear layer of the model.

    Raises: `RecipeError` when there is none.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not layers:
        raise RecipeError("learning.least_squares: the model has no linear layer; expected one at its end.")
    return layers[-1]


def _refuse_idle_layers(model: nn.Module) -> None:
    idle = sorted({type(module).__name__ for module in model.modules() if isinstance(module, _IDLE)})
    if idle:
        text = f"{', '.join(idle)} would have no effect without gradients; leave it out."
        raise RecipeError(f"learning.least_squares: {text}")


def _features(model: nn.Module, head: nn.Linear, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs and outputs of the last layer, without dropout or noise.

    Raises: `RecipeError` when something follows the last linear layer.
    """
    caught, outputs = _pass(model, head, inputs)
    same = len(caught) == 1 and caught[0][1].shape == outputs.shape
    if not same or not torch.allclose(caught[0][1].to(outputs), outputs, rtol=0, atol=0, equal_nan=True):
        text = "the model's answer is not its last linear layer's; expected it to end there."
        raise RecipeError(f"learning.least_squares: {text}")
    return caught[0]


def _pass(model: nn.Module, layer: nn.Module, inputs: Tensor) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
    """What the layer is given and gives, each time that it is used, and the model's outputs."""
    caught: list[tuple[Tensor, Tensor]] = []

    def catch(_module: nn.Module, layer_inputs: tuple[Tensor, ...], output: Tensor) -> None:
        caught.append((layer_inputs[0], output))

    handle = layer.register_forward_hook(catch)
    training = model.training
    try:
        model.eval()
        outputs = model(inputs)
    finally:
        handle.remove()
        model.train(training)
    return caught, outputs

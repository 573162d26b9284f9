"""The last layer in closed form."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from handrail.components import component
from handrail.errors import RecipeError
from handrail.learning.rule import Batch, Measures, Rule, TrainingPlan, signed_targets


@component("rule")
class LeastSquares(Rule):
    """W = (ΦᵀΦ + λI)⁻¹ΦᵀT: the weights of the last layer that minimise the squared error, in one pass.

    Φ `[rows, units + 1]` is what the last layer is given, with a column of ones for the bias, which λ leaves alone;
    T holds the values, or −1 and +1 for classes. Layers before the last keep their first weights. Each step adds its
    rows to ΦᵀΦ and ΦᵀT in double precision; the end of the epoch solves.

    Arguments:
        ridge: λ ≥ 0, as a share of the mean diagonal of ΦᵀΦ.

    Raises: `RecipeError` when the model does not end in a linear layer.

    Source: Gauss 1809; ridge: Hoerl & Kennard 1970; random first layers: Huang 2006.
    """

    losses: ClassVar[Mapping[str, Any]] = dict.fromkeys(("binary", "multi-class", "regression"), "mse")

    def __init__(self, *, ridge: Annotated[float, Field(ge=0)] = 1e-6) -> None:
        self.ridge = ridge
        self.solved = False

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Find the last layer and begin the sums at zero."""
        self.task = plan.task
        self.head = last_layer(model)
        units = self.head.in_features + 1
        device = self.head.weight.device
        self.gram = torch.zeros(units, units, dtype=torch.float64, device=device)
        self.moment = torch.zeros(units, self.head.out_features, dtype=torch.float64, device=device)

    @torch.no_grad()
    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """Add the rows of the batch to the sums."""
        features, outputs = _features(model, self.head, batch.inputs)
        ones = torch.ones(len(batch), 1, dtype=torch.float64, device=features.device)
        phi = torch.cat([features.double(), ones], dim=1)
        targets = signed_targets(batch.targets, self.head.out_features, self.task).double()
        weighted = phi if batch.weights is None else phi * batch.weights.double().unsqueeze(1)
        self.gram += weighted.T @ phi
        self.moment += weighted.T @ targets
        return {"loss": (outputs.double() - targets).square().mean()}

    @torch.no_grad()
    def end_epoch(self, model: nn.Module) -> None:
        """Solve for the last layer's weights and bias."""
        penalty = torch.full((len(self.gram),), self.ridge, dtype=torch.float64) * self.gram.diagonal().mean().cpu()
        penalty[-1] = 0
        system = self.gram + torch.diag(penalty).to(self.gram)
        solution = torch.linalg.lstsq(system.cpu(), self.moment.cpu(), driver="gelsd").solution
        self.head.weight.copy_(solution[:-1].T)
        if self.head.bias is not None:
            self.head.bias.copy_(solution[-1])
        self.solved = True

    @property
    def finished(self) -> bool:
        """One pass is all."""
        return self.solved

    def state_dict(self) -> dict[str, Any]:
        """The sums so far."""
        return {"gram": self.gram, "moment": self.moment, "solved": self.solved}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the sums."""
        self.gram = state["gram"].to(self.gram)
        self.moment = state["moment"].to(self.moment)
        self.solved = state["solved"]


def last_layer(model: nn.Module) -> nn.Linear:
    """The last linear layer of the model.

    Raises: `RecipeError` when there is none.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not layers:
        raise RecipeError("learning.least_squares: the model has no linear layer; expected one at its end.")
    return layers[-1]


def _features(model: nn.Module, head: nn.Linear, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """What the last layer is given, and what it answers; without dropout or noise.

    Raises: `RecipeError` when something follows the last linear layer.
    """
    caught: list[tuple[Tensor, Tensor]] = []
    handle = head.register_forward_hook(lambda _, given, answer: caught.append((given[0], answer)))
    training = model.training
    try:
        model.eval()
        outputs = model(inputs)
    finally:
        handle.remove()
        model.train(training)
    if len(caught) != 1 or not torch.equal(caught[0][1], outputs):
        raise RecipeError("learning.least_squares: the model's answer is not that of its last linear layer; expected it to end there.")
    return caught[0]

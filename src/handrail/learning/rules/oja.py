"""Oja's rule: Hebb's, with a forgetting that keeps the weights at length 1."""

from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import Slot, component
from handrail.components.arguments import Positive
from handrail.learning.directed import DirectedRule
from handrail.learning.rule import Batch, Measures, TrainingPlan, refuse_penalties
from handrail.models.linear_code import LinearCode
from handrail.network import model_in, model_inputs

_AT_ONCE = 8192  # rows


class HebbianRule(DirectedRule):
    """ΔW = η·⟨x·cᵀ − W·F(c·cᵀ)⟩ for the codes c = Wᵀ·x of centred rows x; F says what is forgotten.

    η is `learning_rate` divided by the variance of the rows, that of all numbers together, so that no scale
    of the rows makes the weights run away. Rows count by their weights where they have some.

    Raises: `RecipeError` for penalties, which it does not follow.
    """

    models: ClassVar[tuple[str, ...]] = ("linear_code",)

    def __init__(self, where: str, *, learning_rate: float, schedule: Any) -> None:
        super().__init__(where, optimizer={"sgd": {"learning_rate": learning_rate}}, schedule=schedule)

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Set the model's mean to that of the training rows."""
        refuse_penalties(plan, self.where.partition(".")[2])
        inner = model_in(model)
        assert isinstance(inner, LinearCode)
        assert plan.rows is not None, "the engine gives a rule its rows"
        self.net, self.objective = inner, plan.objective
        mean, self.variance = _moments(model, plan.rows)
        inner.mean.copy_(mean)
        self.begin([inner.weight], plan)

    @torch.no_grad()
    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """One change by the mean over the batch."""
        rows = model_inputs(model, batch.inputs).flatten(1)
        loss = self.objective.mean(self.net(rows), rows, batch.weights)
        centred, codes = rows - self.net.mean, self.net.encode(rows)
        counted = codes * batch.shares(codes)
        weight = self.net.weight
        hebb, forgotten = centred.T @ counted, weight @ self.forget(codes.T @ counted)
        weight.grad = (forgotten - hebb) / self.variance
        self.change()
        return {"loss": loss}

    def forget(self, products: Float[Tensor, "code code"]) -> Float[Tensor, "code code"]:
        """F of the mean products of the codes; Oja's is all of them."""
        return products


@component("rule")
class Oja(HebbianRule):
    """Δw = η·c·(x − c·w) for the code c = w·x: Hebb's rule with a forgetting that keeps w at length 1.

    Of one unit w becomes the first main component of the rows. Of several, ΔW = η·(x − W·c)·cᵀ, W comes to
    span the first ones together; which of them a unit stands for is not settled, as it is by `sanger`.

    Arguments:
        learning_rate: η times the variance of the rows, all their numbers together.
        schedule: how η changes over the steps; as it goes to 0 the weights come to rest.

    Raises: `RecipeError` for penalties, which it does not follow.

    Source: Oja 1982; several units: Oja 1989
    """

    def __init__(
        self,
        *,
        learning_rate: Positive = 1.0,
        schedule: Annotated[Any, Slot("schedule")] = "cosine",
    ) -> None:
        super().__init__("learning.oja", learning_rate=learning_rate, schedule=schedule)


@torch.no_grad()
def _moments(network: nn.Module, rows: Batch) -> tuple[Float[Tensor, " width"], float]:
    """Mean and variance, all numbers together, of the rows as the model is given them."""
    training = network.training
    network.eval()  # as they are, not augmented
    total = squares = None
    for start in range(0, len(rows), _AT_ONCE):
        batch = rows.cut(start, start + _AT_ONCE)
        values = model_inputs(network, batch.inputs).flatten(1).double()
        share = batch.shares(values) * (batch.weight / max(rows.weight, 1e-300))
        first, second = (values * share).sum(dim=0), (values.square() * share).sum()
        total, squares = (
            (first, second) if total is None or squares is None else (total + first, squares + second)
        )
    network.train(training)
    assert total is not None
    assert squares is not None
    return total.float(), max(float(squares - total.square().sum()), 1e-12)

"""Learning from rows that differ in one thing at a time."""

import math
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from handrail.components import Slot, component
from handrail.errors import RecipeError
from handrail.learning.directed import DirectedRule
from handrail.learning.fast.fused_adam import Stepping
from handrail.learning.rule import Batch, Measures, TrainingPlan, refuse_idle
from handrail.network import model_in, model_inputs

_HERE = "learning.factor_pairs"
_MOST = 2**62  # combinations of the factors' values

Factors = Int64[Tensor, "rows factors"]


class Partners:
    """For each training row those that differ from it in one factor alone, itself among them.

    Arguments:
        factors: codes of each row's values; 0 is unknown, and such rows have no partners.

    Raises: `RecipeError` for a factor in which alone no two rows differ.
    """

    def __init__(self, factors: Factors) -> None:
        sizes = [int(size) + 1 for size in factors.amax(dim=0)]
        if math.prod(sizes) > _MOST:
            raise RecipeError("data.factors: have too many combinations of values; name fewer columns.")
        steps = [math.prod(sizes[:place]) for place in range(len(sizes))]
        self.steps = torch.tensor(steps, dtype=torch.int64)
        self.rows: list[Int64[Tensor, " known"]] = []
        self.keys: list[Int64[Tensor, " known"]] = []
        known = (factors > 0).all(dim=1).nonzero()[:, 0]
        for factor in range(len(sizes)):
            keys, order = self.key(factors[known], factor).sort(stable=True)
            self.rows.append(known[order])
            self.keys.append(keys)
        unlike = factors[known].unique(dim=0)
        lonely = [
            place + 1 for place in range(len(sizes)) if len(self.key(unlike, place).unique()) == len(unlike)
        ]
        if lonely:
            raise RecipeError(
                f"data.factors: no two training rows differ in factor number {lonely[0]} alone; expected "
                "rows on a grid of the factors' values; name coarser columns, or leave this one out."
            )

    def key(self, factors: Factors, factor: int) -> Int64[Tensor, " rows"]:
        """The same for rows that are alike in all factors but one."""
        steps = self.steps.clone()
        steps[factor] = 0
        return factors @ steps

    def draw(self, factors: Factors, factor: int, generator: torch.Generator) -> Int64[Tensor, " rows"]:
        """The place of one of each row's partners; −1 of a row without any."""
        keys = self.key(factors, factor)
        first = torch.searchsorted(self.keys[factor], keys)
        last = torch.searchsorted(self.keys[factor], keys, right=True)
        drawn = first + (torch.rand(len(keys), generator=generator) * (last - first)).long()
        partners = self.rows[factor][drawn.clamp_max(len(self.rows[factor]) - 1)]
        return torch.where((last > first) & (factors > 0).all(dim=1), partners, -1)


@component("rule")
class FactorPairs(DirectedRule):
    """At each step one factor is drawn, and each row of the batch meets another that differs from it in this
    factor alone; the gradient is that of the bound of such pairs (`InverseGraphics.pairs`).

    The factors are the columns that `data.factors` names. Rows that differ from no other in the drawn factor
    alone stand beside themselves.

    Arguments:
        optimizer: how the gradient changes the parameters.
        schedule: how the learning rate changes over the steps.

    Raises: `RecipeError` without factors, for a code with fewer numbers than there are factors, for a factor
    in which alone no two rows differ, and for penalties.

    Source: Kulkarni et al. 2015, section 3.1
    """

    models: ClassVar[tuple[str, ...]] = ("inverse_graphics",)

    def __init__(
        self,
        *,
        optimizer: Annotated[Any, Slot("optimizer")] = "adamw",
        schedule: Annotated[Any, Slot("schedule")] = "constant",
    ) -> None:
        super().__init__(_HERE, optimizer=optimizer, schedule=schedule)

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Find the partners, and make optimizer and schedule."""
        refuse_idle(model, plan, "factor_pairs")
        assert plan.rows is not None, "the engine gives a rule its rows"
        factors = plan.rows.targets
        if factors.ndim < 2:
            raise RecipeError(
                f"{_HERE}: needs to know what varies from row to row; name the columns that say it as "
                "data.factors."
            )
        self.model: Any = model_in(model)
        self.count = factors.shape[1]
        if self.model.code < self.count:
            raise RecipeError(
                f"model.inverse_graphics.code: found {self.model.code} for {self.count} factors; expected at "
                f"least {self.count}."
            )
        self.rows, self.partners = plan.rows, Partners(factors.cpu())
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.begin(list(self.parameters), plan)
        self.stepping = Stepping(self.optimizer)
        self.rng = torch.Generator().manual_seed(plan.seed)

    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """One factor, one pass forward and back, one change."""
        factor = int(torch.randint(self.count, (), generator=self.rng))
        places = self.partners.draw(batch.targets.cpu(), factor, self.rng)
        met = (places >= 0).nonzero()[:, 0]
        x = model_inputs(model, batch.inputs)
        others = x.clone()
        others[met] = model_inputs(model, self.rows.take(places[met]).inputs).to(x)
        loss = -self.model.pairs(x, others, factor, generator=self.rng).mean()
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()
        self.stepping.step()
        if self.steps_schedule:
            self.schedule.step()
        return {"loss": loss.detach()}

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "rng": self.rng.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.stepping.forget()
        self.rng.set_state(state["rng"].cpu())

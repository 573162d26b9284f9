"""Storing patterns: by keeping them, and what all rules of memories share."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.layers.memory import Memory
from handrail.learning.rule import Batch, Measures, Rule, TrainingPlan, refuse_penalties
from handrail.network import model_in, model_inputs


class StoringRule(Rule):
    """One pass over the rows, each of which is a pattern; `add` says what is learned of them.

    Rows have no weights here, and the order in which they come is the engine's.
    """

    begins_anew: ClassVar[bool] = True

    def __init__(self) -> None:
        self.epochs = 0

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Forget everything."""
        refuse_penalties(plan, type(self).__name__.lower())
        self.memory = _memory(model)
        self.memory.forget()
        for parameter in self.memory.parameters():
            nn.init.zeros_(parameter)

    @torch.no_grad()
    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """Store the rows of the batch."""
        states = self.memory.states(model_inputs(model, batch.inputs))
        if not self.epochs:
            self.add(states)
        return {"loss": self.memory.state_energy(states).mean()}

    def add(self, states: Float[Tensor, "rows units"]) -> None:
        """Keep the patterns of a batch, as they are or in the weights: the memory says which."""
        self.memory.store(states)

    def end_epoch(self, model: nn.Module) -> None:
        self.epochs += 1

    @property
    def finished(self) -> bool:
        return self.epochs > 0

    def state_dict(self) -> dict[str, int]:
        return {"epochs": self.epochs}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.epochs = state["epochs"]


@component("rule")
class Store(StoringRule):
    """Keeps every training row as a pattern.

    Raises: `RecipeError` for penalties, which it does not follow.

    Source: Ramsauer et al. 2020
    """

    models: ClassVar[tuple[str, ...]] = ("modern_hopfield",)


def _memory(model: nn.Module) -> Memory:
    inner = model_in(model)
    assert isinstance(inner, Memory)
    return inner

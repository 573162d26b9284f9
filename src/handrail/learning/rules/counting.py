"""Counting what follows what."""

from typing import ClassVar

import torch
from torch import nn

from handrail.components import component
from handrail.learning.rule import Batch, Measures, Rule, TrainingPlan, refuse_penalties
from handrail.models.markov_chain import MarkovChain
from handrail.network import model_in, model_inputs


@component("rule")
class Counting(Rule):
    """n(c, b) += 1 for every token b after its context c, once through the training rows.

    The loss of a batch is that before it is counted: by the counts of the batches before it.

    Raises: `RecipeError` for penalties, which it does not follow.

    Source: Markov 1913
    """

    models: ClassVar[tuple[str, ...]] = ("markov_chain",)
    begins_anew: ClassVar[bool] = True
    solves: ClassVar[bool] = True

    def __init__(self) -> None:
        self.counted = False

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Forget everything."""
        refuse_penalties(plan, "counting")
        self.chain(model).forget()

    def chain(self, model: nn.Module) -> MarkovChain:
        inner = model_in(model)
        assert isinstance(inner, MarkovChain)
        return inner

    @torch.no_grad()
    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """Count the rows of the batch."""
        chain, x = self.chain(model), model_inputs(model, batch.inputs)
        following = batch.targets.long()
        loss = -chain(x).gather(2, following.unsqueeze(2)).mean()
        if not self.counted:
            chain.count(x, following)
        return {"loss": loss}

    def end_epoch(self, model: nn.Module) -> None:
        self.counted = True

    @property
    def finished(self) -> bool:
        return self.counted

    def state_dict(self) -> dict[str, bool]:
        return {"counted": self.counted}

    def load_state_dict(self, state: dict[str, bool]) -> None:
        self.counted = state["counted"]

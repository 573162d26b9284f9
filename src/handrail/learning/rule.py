"""What a learning rule is: the one thing that the engine repeats."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from handrail.errors import RecipeError
from handrail.learning.batch import Batch
from handrail.learning.team import Team
from handrail.objectives.objective import Objective

Measures = Mapping[str, Tensor]


@dataclass(frozen=True)
class TrainingPlan:
    """What a rule may want to know before the first step.

    task: its name, such as "binary" or "regression". steps: how many there are in an epoch. credit: quick
    figures of a batch of scores and targets, each as (sum, weight). team: who else takes the same steps.
    """

    task: str
    objective: Objective
    epochs: int
    steps: int
    seed: int
    credit: Callable[[Any, Any], Mapping[str, tuple[float, float]]] = lambda _scores, _targets: {}
    team: Team = field(default_factory=Team)


class Rule(Protocol):
    """How one step changes the parameters.

    Only `start` and `step` have to be written; the rest has a default that suits rules without state.
    A rule whose configuration makes sense for some losses only says so in `losses`, by task.
    """

    losses: ClassVar[Mapping[str, Any]] = {}
    "The loss that `objective.loss: auto` means under this rule, by task; the task's usual one where it says nothing."
    divides: ClassVar[bool] = False
    "Whether several processes, each given a share of the batch, come to the same step with the help of `plan.team`."

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Prepare: optimizer state, sums, centres … Raises: `RecipeError` when the model or task does not
        suit.
        """
        ...

    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """Change the parameters once; return what was measured, each a mean over the batch, `loss` among
        them.
        """
        ...

    def end_epoch(self, model: nn.Module) -> None:
        """Called after the last batch of each epoch."""

    def observe(self, loss: float) -> None:
        """Called after each validation with the validation loss."""

    @property
    def finished(self) -> bool:
        """Whether more epochs would change nothing."""
        return False

    def remark(self) -> str:
        """What is to be said when all epochs are over and the rule has not `finished`; begins with a
        separator.
        """
        return ""

    @property
    def learning_rate(self) -> float | None:
        """The current step size, where there is one."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on exactly: tensors, numbers, texts, lists and mappings of
        them.
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`'s answer; `start` was called before."""


def refuse_penalties(plan: TrainingPlan, rule: str) -> None:
    """For rules that do not follow the objective. Raises: `RecipeError` where it has penalties."""
    if plan.objective.penalties:
        raise RecipeError(
            f"objective.penalties: have no effect under learning.{rule}; leave them out, or learn by "
            "gradient."
        )


def sign_targets(targets: Tensor, outputs: int, task: str) -> Tensor:
    """Classes as −1 and +1 `[rows, outputs]`; values as they are."""
    if task == "regression":
        return targets
    if task == "binary":
        return (2 * targets - 1).to(torch.float32).unsqueeze(1)
    if task == "multi-class":
        return 2 * nn.functional.one_hot(targets, outputs).float() - 1
    return 2 * targets - 1

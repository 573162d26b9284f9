"""What a learning rule is, the one thing that the engine repeats, and what it gets: batch, plan, team."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components.pictures import Picture
from handrail.data.rows import Values, count, cut, take, to_device
from handrail.errors import RecipeError
from handrail.layers.precision import Lowered
from handrail.objectives.objective import Objective
from handrail.tools.moved import forward

__getattr__ = forward(__name__)

Measures = Mapping[str, Tensor]
"""What a step measured, by name; the mean over the steps that measured it is recorded as `train_NAME`. A name
with a slash, such as `angle/layer 1`, is drawn by the rule's `pictures`; any other as a learning curve."""
Records = Sequence[Mapping[str, Any]]
"The figures of each epoch, from the first."
BatchMetrics = Callable[[Any, Any], Mapping[str, tuple[float, float]]]
"Quick figures of a batch of scores and targets, each as (sum, weight); see `Task.batch_metrics`."
RngState = list[Tensor]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Batch:
    """Rows: inputs `[rows, …]`, targets, and a weight a row where the recipe asks for weights.

    A whole part may lie elsewhere (see `handrail.data.rows`); `take` and `cut` return tensors on `device`.
    """

    inputs: Any
    targets: Any
    weights: Tensor | None = None
    device: torch.device | None = None

    def __len__(self) -> int:
        return count(self.inputs)

    @property
    def weight(self) -> float:
        """The sum of the rows' weights; without weights, their number."""
        return float(len(self) if self.weights is None else self.weights.double().sum())

    def mean(self, values: Tensor) -> Tensor:
        """The mean of a value a row, by the rows' weights where they have some; 0 where all weights are 0."""
        if self.weights is None:
            return values.mean()
        weights = self.weights.to(values)
        return torch.dot(weights, values) / weights.sum().clamp_min(torch.finfo(values.dtype).tiny)

    def shares(self, like: Tensor) -> Float[Tensor, "rows 1"]:
        """What each row counts, all together 1, on the device and in the type of `like`."""
        if self.weights is None:
            return like.new_full((len(self), 1), 1 / len(self))
        weights = self.weights.to(like).unsqueeze(1)
        return weights / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)

    def take(self, rows: Tensor) -> "Batch":
        """The rows of these positions."""
        weights = None if self.weights is None else self.weights.index_select(0, rows.to(self.weights.device))
        inputs = take(self.inputs, rows)
        return self._to_device(inputs, self._targets(inputs, lambda: take(self.targets, rows)), weights)

    def cut(self, start: int, stop: int) -> "Batch":
        """Neighbouring rows, of tensors without a copy."""
        weights = None if self.weights is None else self.weights[start:stop]
        inputs = cut(self.inputs, start, stop)
        return self._to_device(inputs, self._targets(inputs, lambda: cut(self.targets, start, stop)), weights)

    def _targets(self, inputs: Values, read: Callable[[], Values]) -> Values:
        """Those of some rows; where rows are their own targets, nothing is read twice."""
        return inputs if self.targets is self.inputs else read()

    def _to_device(self, inputs: Values, targets: Values, weights: Tensor | None) -> "Batch":
        if self.device is None:
            return Batch(inputs, targets, weights)
        weights = None if weights is None else weights.to(self.device)
        return Batch(to_device(inputs, self.device), to_device(targets, self.device), weights, self.device)


class Team:
    """Who trains one network together: one process here, several in `training.distributed.processes`.

    Engine and rules ask their team wherever a step concerns all rows of a batch, or all must come to the same
    decision; else they know nothing of other processes. Every process has to ask the same questions in the
    same order.

    rank: this process among them, from 0. size: how many there are.
    """

    rank = 0
    size = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes files and prints."""
        return self.rank == 0

    @property
    def names(self) -> tuple[str | int, ...]:
        """Added to a seed's name where each process needs its own random numbers; empty for the first."""
        return ("process", self.rank) if self.rank else ()

    def check(
        self, rule: str, *, divides: bool, penalties: Sequence[Callable[..., Any]], batch_size: int
    ) -> None:
        """Raises: `RecipeError` for what cannot be divided among processes."""

    def begin(self, model: nn.Module) -> AbstractContextManager[None]:
        """While open, the processes have the same model, and layers that look at a whole batch see it all."""
        return nullcontext()

    def batches(self, rows: Batch, order: Tensor, size: int) -> Iterator[Batch]:
        """The rows of this order in batches of `size`; of each, the share of this process."""
        gathered = rows.take(order)
        for start in range(0, len(gathered), size):
            yield gathered.cut(start, start + size)

    def backward(self, loss: Tensor, parameters: Sequence[Tensor], model: nn.Module, batch: Batch) -> Tensor:
        """Put the gradient of the whole batch's mean loss in the parameters' `grad`; return that loss."""
        loss.backward()
        return loss

    def stops(self, signal: int) -> bool:
        """Whether to stop within a block of steps, `signal` being the number of the signal received, or 0."""
        return signal != 0

    def agree(self, signal: int, due: bool) -> tuple[int, bool]:
        """The signal, and whether a checkpoint is due, as soon as one of the processes says so."""
        return signal, due

    def from_first(self, work: Callable[[], Answer]) -> Answer:
        """What the first process works out; the others receive it."""
        return work()

    def same_buffers(self, model: nn.Module) -> None:
        """Give all processes the first one's buffers: layers may have counted by themselves."""

    def other_rng_states(self, state: RngState) -> list[RngState]:
        """The random states of all processes but the first, for a checkpoint."""
        return []

    def own_rng_state(self, first: RngState, others: list[RngState]) -> RngState | None:
        """The random state to go on from; None where a checkpoint has none for this process."""
        return first

    def disband(self) -> None:
        """The first process goes on alone; for the others the work ends here."""


@dataclass(frozen=True)
class TrainingPlan:
    """What a rule may want to know before the first step.

    task: its name, such as "binary" or "regression". steps: how many there are in an epoch. team: the
    processes that take the same steps. rows: those to be trained on, for a rule that begins with a look at
    them (centres, sums); on resume it looks again, and then takes its state. begun: whether the network
    begins with weights of another, which a rule that else chooses a beginning leaves as they are.
    """

    task: str
    objective: Objective
    epochs: int
    steps: int
    seed: int
    batch_metrics: BatchMetrics = lambda _scores, _targets: {}
    team: Team = field(default_factory=Team)
    rows: Batch | None = None
    begun: bool = False


class Rule(Protocol):
    """How one step changes the parameters.

    Only `start` and `step` have to be written; the rest has a default that suits rules without state.
    A rule whose configuration makes sense for some losses only says so in `losses`, by task, once it is made.
    """

    losses: Mapping[str, Any] = {}
    "The loss that `objective.loss: auto` means under this rule, by task; else the task's usual one."
    models: ClassVar[tuple[str, ...]] = ()
    "The models that it can teach, by name; any where there are none."
    begins_anew: ClassVar[bool] = False
    "Whether what it teaches hangs on the rows alone, so that no weights can be begun with."
    anneals: ClassVar[bool] = False
    "Whether it changes less and less by a plan that ends with the training, so that it is at its best there."
    solves: ClassVar[bool] = False
    "Whether it solves for weights from sums over all rows: half the bits would cost more than they save, and"
    " rows are taken as they stand, since their order is nothing to it."
    divides: ClassVar[bool] = False
    "Whether several processes, each given a share of the batch, can take the same step through `plan.team`."

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Prepare optimizer state, sums and the like.

        Raises: `RecipeError` when the model or task does not suit.
        """
        ...

    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """Change the parameters once; return means over the batch of what was measured, with `loss`."""
        ...

    def end_epoch(self, model: nn.Module) -> None:
        """Called after the last batch of each epoch."""

    def observe(self, loss: float) -> None:
        """Called after each validation with the validation loss."""

    @property
    def finished(self) -> bool:
        """Whether more epochs would change nothing."""
        return False

    @property
    def ending(self) -> str:
        """Why the rule has `finished`, for the record."""
        return "the rule has nothing left to change"

    @property
    def changing(self) -> nn.Linear | None:
        """The last layer, where it alone changes from now on: what it is given can be computed once."""
        return None

    def remark(self) -> str:
        """What to say when all epochs are over and the rule has not `finished`; begins with a separator."""
        return ""

    def fault(self) -> str:
        """What the rule knows of a loss of its last step that is not a number: which of its players', say."""
        return ""

    @property
    def learning_rate(self) -> float | None:
        """The current step size, where there is one."""
        return None

    @classmethod
    def pictures(cls, records: Records) -> list[Picture]:
        """What the report draws of a training besides its learning curves; of replicas, of their means."""
        return []

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on exactly: tensors, numbers, texts, lists, mappings."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a `state_dict`; `start` was called before."""


def step_operations(network: nn.Module, rows: int) -> int:
    """An estimate of a step's work: six operations a parameter and row, in layers that use each once."""
    return 6 * sum(parameter.numel() for parameter in network.parameters()) * rows


def refuse_penalties(plan: TrainingPlan, rule: str) -> None:
    """For rules that do not follow the objective. Raises: `RecipeError` where it has penalties."""
    if plan.objective.penalties:
        text = f"have no effect under learning.{rule}; leave them out, or learn by gradient."
        raise RecipeError(f"objective.penalties: {text}")


def refuse_idle(model: nn.Module, plan: TrainingPlan, rule: str) -> None:
    """For rules that call parts of a model. Raises: `RecipeError` for penalties and for lower precision."""
    refuse_penalties(plan, rule)
    if any(isinstance(module, Lowered) for module in model.modules()):
        text = f"bfloat16 has no effect under learning.{rule}, which calls parts of the model"
        raise RecipeError(f"training.precision: {text}; leave it out.")


def sign_targets(targets: Tensor, outputs: int, task: str) -> Tensor:
    """Classes as −1 and +1 `[rows, outputs]`; values as they are. Raises: `RecipeError` for other tasks."""
    if task == "regression":
        return targets
    if task == "binary":
        return (2 * targets - 1).to(torch.float32).unsqueeze(1)
    if task == "multi-class":
        return 2 * nn.functional.one_hot(targets, outputs).float() - 1
    if task == "multi-label":
        return 2 * targets - 1
    raise RecipeError(f"learning: this rule cannot learn the task {task}; choose another.")

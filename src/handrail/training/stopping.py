"""The progress of a training, and when it validates, saves and stops."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

BLOCK = 64  # steps between two looks at the loss: reading it waits for the device
GATHERED = 64_000_000  # bytes of inputs taken at once
_EXPLODED = 1e4  # times the loss of the first step
_ALL = "all"  # the first word of `done` where no epoch is left


def rows_to_gather(batch_size: int, row_bytes: int) -> int:
    """Rows of whole batches to gather at once: many where rows are small, so that little is held."""
    return max(1, min(BLOCK, GATHERED // max(1, batch_size * row_bytes))) * batch_size


def weighted_mean(pairs: list[tuple[float, float]]) -> float:
    """Of (sum, weight) pairs; not a number where there is no weight."""
    total = math.fsum(weight for _, weight in pairs)
    return math.fsum(value for value, _ in pairs) / total if total else math.nan


@dataclass(frozen=True)
class Limits:
    """When training validates, saves and stops; see `TrainingRecipe`."""

    epochs: int
    batch_size: int
    validate_every: int = 1
    patience: int | None = None
    min_delta: float = 0.0
    checkpoint_seconds: float = 5.0

    def validates(self, epoch: int) -> bool:
        """Whether the validation rows are looked at after this epoch."""
        return epoch % self.validate_every == 0 or epoch >= self.epochs


@dataclass
class Progress:
    """How far a training has come."""

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    spent: float = 0.0
    first_loss: float = math.nan
    best_loss: float = math.inf
    best_epoch: int = 0
    stale: int = 0
    done: str = ""
    measured: dict[str, list[float]] = field(default_factory=dict)

    def first_fault(self, losses: list[float]) -> int | None:
        """The first of these losses that is not a number or has exploded, compared with the first step's."""
        if math.isnan(self.first_loss):
            self.first_loss = losses[0]
        limit = _EXPLODED * max(abs(self.first_loss), 1.0)
        return next((index for index, loss in enumerate(losses) if not abs(loss) <= limit), None)

    def improves(self, epoch: int, loss: float, min_delta: float) -> bool:
        """Note a validation loss; whether it is the best so far."""
        if loss < self.best_loss - min_delta:
            self.best_loss, self.best_epoch, self.stale = loss, epoch, 0
            return True
        self.stale += 1
        return False

    def figures(self) -> dict[str, float]:
        """Means over the steps of this epoch."""
        return {f"train_{name}": math.fsum(values) / len(values) for name, values in self.measured.items()}

    def close(
        self,
        epoch: int,
        seconds: float,
        limits: Limits,
        *,
        finished: str = "",
        remark: Callable[[], str] = str,
    ) -> None:
        """End an epoch; `done` says why it was the last: rule finished, no improvement, or no epochs left.

        Arguments:
            remark: what the rule has to say about an end that is not its own; asked only then.
        """
        self.epoch, self.step, self.seconds, self.measured = epoch, 0, 0.0, {}
        self.spent += seconds
        if finished:
            self.done = finished
        elif limits.patience is not None and self.stale >= limits.patience:
            self.done = f"no improvement in {limits.patience} validations{remark()}"
        elif epoch >= limits.epochs:
            self.done = f"{_ALL} {limits.epochs} epochs done{remark()}"

    def reopen(self, limits: Limits) -> None:
        """Go on after the last epoch where there are more epochs now."""
        if self.done.startswith(_ALL) and self.epoch < limits.epochs:
            self.done = ""

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        measured = {name: torch.tensor(values, dtype=torch.float64) for name, values in self.measured.items()}
        return {**asdict(self), "measured": measured}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Progress":
        """From a `state`."""
        measured = {name: values.tolist() for name, values in state["measured"].items()}
        return cls(**{**state, "measured": measured})

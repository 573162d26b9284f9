"""What may listen to a training: progress bars, records, whatever a user adds."""

from collections.abc import Mapping
from typing import Protocol

from torch import nn

from handrail.training.state import Limits, Progress


class Training(Protocol):
    """What listeners see of a training: an `Engine`, or one network of a cohort."""

    model: nn.Module
    limits: Limits
    progress: Progress


class Callback:
    """Base of all listeners; each method may be overridden and none has to be.

    `figures` maps names such as `train_loss`, `val_loss`, `learning_rate` to numbers.
    """

    def on_train_begin(self, training: Training) -> None:
        """Before the first epoch."""

    def on_epoch_begin(self, training: Training, epoch: int) -> None:
        """Before each epoch; the first is 1."""

    def on_batch_begin(self, training: Training, step: int) -> None:
        """Before each step of an epoch; the first is 1."""

    def on_batch_end(self, training: Training, step: int) -> None:
        """After each step of an epoch."""

    def on_epoch_end(self, training: Training, epoch: int, figures: Mapping[str, float]) -> None:
        """After each epoch and its validation."""

    def on_train_end(self, training: Training) -> None:
        """After the last epoch."""

    def close(self) -> None:
        """When training is over, however it ended."""


class Callbacks(Callback):
    """Several listeners as one; steps are passed on only where somebody listens to steps."""

    def __init__(self, members: list[Callback]) -> None:
        self.members = members
        self.listens_to_steps = any(
            type(member).on_batch_begin is not Callback.on_batch_begin
            or type(member).on_batch_end is not Callback.on_batch_end
            for member in members
        )

    def on_train_begin(self, training: Training) -> None:
        """Pass on."""
        for member in self.members:
            member.on_train_begin(training)

    def on_epoch_begin(self, training: Training, epoch: int) -> None:
        """Pass on."""
        for member in self.members:
            member.on_epoch_begin(training, epoch)

    def on_batch_begin(self, training: Training, step: int) -> None:
        """Pass on."""
        for member in self.members:
            member.on_batch_begin(training, step)

    def on_batch_end(self, training: Training, step: int) -> None:
        """Pass on."""
        for member in self.members:
            member.on_batch_end(training, step)

    def on_epoch_end(self, training: Training, epoch: int, figures: Mapping[str, float]) -> None:
        """Pass on."""
        for member in self.members:
            member.on_epoch_end(training, epoch, figures)

    def on_train_end(self, training: Training) -> None:
        """Pass on."""
        for member in self.members:
            member.on_train_end(training)

    def close(self) -> None:
        """Pass on."""
        for member in self.members:
            member.close()

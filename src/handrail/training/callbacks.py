"""What may listen to a training: progress bars, records, whatever a user adds."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.training.engine import Engine


class Callback:
    """Base of all listeners; each method may be overridden and none has to be.

    `figures` maps names such as `train_loss`, `val_loss`, `learning_rate` to numbers.
    """

    def on_train_begin(self, engine: "Engine") -> None:
        """Before the first epoch."""

    def on_epoch_begin(self, engine: "Engine", epoch: int) -> None:
        """Before each epoch; the first is 1."""

    def on_batch_begin(self, engine: "Engine", step: int) -> None:
        """Before each step of an epoch; the first is 1."""

    def on_batch_end(self, engine: "Engine", step: int) -> None:
        """After each step of an epoch."""

    def on_epoch_end(self, engine: "Engine", epoch: int, figures: Mapping[str, float]) -> None:
        """After each epoch and its validation."""

    def on_train_end(self, engine: "Engine") -> None:
        """After the last epoch."""

    def close(self) -> None:
        """When training is over, however it ended."""


class Callbacks(Callback):
    """Several listeners as one; steps are passed on only where somebody listens to steps."""

    def __init__(self, members: list[Callback]) -> None:
        self.members = members
        self.listens_to_steps = any(
            type(member).on_batch_begin is not Callback.on_batch_begin or type(member).on_batch_end is not Callback.on_batch_end
            for member in members
        )

    def on_train_begin(self, engine: "Engine") -> None:
        """Pass on."""
        for member in self.members:
            member.on_train_begin(engine)

    def on_epoch_begin(self, engine: "Engine", epoch: int) -> None:
        """Pass on."""
        for member in self.members:
            member.on_epoch_begin(engine, epoch)

    def on_batch_begin(self, engine: "Engine", step: int) -> None:
        """Pass on."""
        for member in self.members:
            member.on_batch_begin(engine, step)

    def on_batch_end(self, engine: "Engine", step: int) -> None:
        """Pass on."""
        for member in self.members:
            member.on_batch_end(engine, step)

    def on_epoch_end(self, engine: "Engine", epoch: int, figures: Mapping[str, float]) -> None:
        """Pass on."""
        for member in self.members:
            member.on_epoch_end(engine, epoch, figures)

    def on_train_end(self, engine: "Engine") -> None:
        """Pass on."""
        for member in self.members:
            member.on_train_end(engine)

    def close(self) -> None:
        """Pass on."""
        for member in self.members:
            member.close()

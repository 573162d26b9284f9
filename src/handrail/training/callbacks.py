"""What may listen to a training: records, progress on the screen, and whatever a user adds."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from handrail.tools.files import cannot_write, open_to_append, write_text
from handrail.training.stopping import Limits, Progress

_LINE_EVERY = 2.0  # seconds between plain lines


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


class Callbacks:
    """Several listeners as one; steps are passed on only where somebody listens to steps."""

    def __init__(self, members: tuple[Callback, ...]) -> None:
        self.members = members
        self.listens_to_steps = any(
            type(member).on_batch_begin is not Callback.on_batch_begin
            or type(member).on_batch_end is not Callback.on_batch_end
            for member in members
        )

    def notify(self, event: str, *values: Any) -> None:
        """Call each listener's method of that name."""
        for member in self.members:
            getattr(member, event)(*values)


class Records(Callback):
    """metrics.jsonl: a line of figures an epoch, written as it goes; the source of truth for every curve.

    A resumed training first drops the lines that it will write again.

    Arguments:
        replica: the number of the training, where several write into one file.
    """

    def __init__(self, path: Path, *, replica: int | None = None) -> None:
        self.path = path
        self.own = {} if replica is None else {"replica": replica}

    def on_train_begin(self, training: Training) -> None:
        done = training.progress.epoch
        lines = read_records(self.path)
        lines = [line for line in lines if line["epoch"] <= done or not self.own.items() <= line.items()]
        write_text(self.path, "".join(json.dumps(line) + "\n" for line in lines))

    def on_epoch_end(self, training: Training, epoch: int, figures: Mapping[str, float]) -> None:
        numbers = {name: int(value) if name == "step" else value for name, value in figures.items()}
        try:
            with open_to_append(self.path) as file:
                file.write(json.dumps({"epoch": epoch, **self.own, **numbers}) + "\n")
        except OSError as error:
            raise cannot_write(self.path, error) from error


def read_records(path: Path) -> list[dict[str, Any]]:
    """The lines of the file up to one that was cut off by a kill, or is damaged."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_bytes().splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            break
        if not isinstance(line, dict):
            break
        lines.append(line)
    return lines


class ProgressReport(Callback):
    """What shows how far a training has come.

    Arguments:
        what: the training, where it is one of several behind each other.
    """

    def __init__(self, what: str = "") -> None:
        self.what = what


class PlainProgress(ProgressReport):
    """One line on standard error at the first and last epoch and every two seconds between."""

    def on_train_begin(self, training: Training) -> None:
        self.began, self.done, self.last = time.monotonic(), training.progress.epoch, 0.0

    def on_epoch_end(self, training: Training, epoch: int, figures: Mapping[str, float]) -> None:
        now = time.monotonic()
        if now - self.last >= _LINE_EVERY or training.progress.done:
            self.last = now
            line = _line(training, epoch, figures, now - self.began, self.done)
            line = f"{self.what}: {line}" if self.what else line
            print(line, file=sys.stderr, flush=True)  # noqa: T201


class BarProgress(ProgressReport):
    """A bar with the losses and the time left."""

    def on_train_begin(self, training: Training) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.bar = Progress(
            TextColumn(self.what or "training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        done, epochs = training.progress.epoch, training.limits.epochs
        self.task = self.bar.add_task("", total=epochs, completed=done, figures="")
        self.bar.start()

    def on_epoch_end(self, training: Training, epoch: int, figures: Mapping[str, float]) -> None:
        self.bar.update(self.task, completed=epoch, figures=_shown(figures))

    def close(self) -> None:
        """Give the terminal back."""
        if hasattr(self, "bar"):
            self.bar.stop()


def make_progress(style: str, *, replicas: int = 1) -> list[Callback]:
    """`none`, or `auto`: a bar for one training where standard error is a terminal, else plain lines."""
    if style == "none":
        return []
    return [BarProgress() if sys.stderr.isatty() and replicas == 1 else PlainProgress()]


def progress_of_stage(callbacks: Sequence[Callback], what: str) -> list[Callback]:
    """Of these listeners those that show progress, for a training that comes before theirs."""
    return [type(each)(what) for each in callbacks if isinstance(each, ProgressReport)]


def _shown(figures: Mapping[str, float]) -> str:
    labels = {"train_loss": "loss", "val_loss": "validation loss", "val_accuracy": "accuracy", "val_r2": "R²"}
    return "  ".join(f"{label} {figures[name]:.4f}" for name, label in labels.items() if name in figures)


def _line(training: Training, epoch: int, figures: Mapping[str, float], seconds: float, before: int) -> str:
    left = seconds / max(epoch - before, 1) * (training.limits.epochs - epoch)
    end = f"done: {training.progress.done}" if training.progress.done else f"at most {left:.0f} s left"
    return f"epoch {epoch}/{training.limits.epochs}  {_shown(figures)}  ({end})"

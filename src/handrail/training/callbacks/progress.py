"""What a person sees while a training runs: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Mapping

from handrail.training.callbacks import Callback, Training

_LINE_EVERY = 2.0  # seconds between plain lines


class PlainProgress(Callback):
    """One line on standard error at the first and last epoch and every two seconds between."""

    def on_train_begin(self, training: Training) -> None:
        """Start the clock."""
        self.began, self.done, self.last = time.monotonic(), training.progress.epoch, 0.0

    def on_epoch_end(self, training: Training, epoch: int, figures: Mapping[str, float]) -> None:
        """Perhaps a line."""
        now = time.monotonic()
        if now - self.last >= _LINE_EVERY or training.progress.done:
            self.last = now
            print(_line(training, epoch, figures, now - self.began, self.done), file=sys.stderr, flush=True)  # noqa: T201


class BarProgress(Callback):
    """A bar with the losses and the time left."""

    def on_train_begin(self, training: Training) -> None:
        """Draw the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
        )
        self.bar = Progress(*columns, console=Console(stderr=True))
        self.task = self.bar.add_task(
            "", total=training.limits.epochs, completed=training.progress.epoch, figures=""
        )
        self.bar.start()

    def on_epoch_end(self, training: Training, epoch: int, figures: Mapping[str, float]) -> None:
        """Move it."""
        self.bar.update(self.task, completed=epoch, figures=_figures(figures))

    def close(self) -> None:
        """Give the terminal back."""
        if hasattr(self, "bar"):
            self.bar.stop()


def make_progress(style: str, *, replicas: int = 1) -> list[Callback]:
    """`none`, or `auto`: a bar where standard error is a terminal, else plain lines; lines for several
    trainings, too.
    """
    if style == "none":
        return []
    return [BarProgress() if sys.stderr.isatty() and replicas == 1 else PlainProgress()]


def _figures(figures: Mapping[str, float]) -> str:
    shown = [
        ("train_loss", "loss"),
        ("val_loss", "validation loss"),
        ("val_accuracy", "accuracy"),
        ("val_r2", "R²"),
    ]
    return "  ".join(f"{label} {figures[name]:.4f}" for name, label in shown if name in figures)


def _line(training: Training, epoch: int, figures: Mapping[str, float], seconds: float, before: int) -> str:
    left = seconds / max(epoch - before, 1) * (training.limits.epochs - epoch)
    end = f"done: {training.progress.done}" if training.progress.done else f"at most {left:.0f} s left"
    return f"epoch {epoch}/{training.limits.epochs}  {_figures(figures)}  ({end})"

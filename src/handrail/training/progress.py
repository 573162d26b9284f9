"""What a person sees while a training runs: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from handrail.training.callbacks import Callback

if TYPE_CHECKING:
    from handrail.training.engine import Engine

_LINE_EVERY = 2.0  # seconds between plain lines


class PlainProgress(Callback):
    """One line on standard error at the first and last epoch and every two seconds between."""

    def on_train_begin(self, engine: "Engine") -> None:
        """Start the clock."""
        self.began, self.done, self.last = time.monotonic(), engine.progress.epoch, 0.0

    def on_epoch_end(self, engine: "Engine", epoch: int, figures: Mapping[str, float]) -> None:
        """Perhaps a line."""
        now = time.monotonic()
        if now - self.last >= _LINE_EVERY or engine.progress.done:
            self.last = now
            print(_line(engine, epoch, figures, now - self.began, self.done), file=sys.stderr, flush=True)  # noqa: T201


class BarProgress(Callback):
    """A bar with the losses and the time left."""

    def on_train_begin(self, engine: "Engine") -> None:
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
        self.task = self.bar.add_task("", total=engine.limits.epochs, completed=engine.progress.epoch, figures="")
        self.bar.start()

    def on_epoch_end(self, engine: "Engine", epoch: int, figures: Mapping[str, float]) -> None:
        """Move it."""
        self.bar.update(self.task, completed=epoch, figures=_figures(figures))

    def close(self) -> None:
        """Give the terminal back."""
        if hasattr(self, "bar"):
            self.bar.stop()


def make_progress(style: str) -> list[Callback]:
    """`none`, or `auto`: a bar where standard error is a terminal, else plain lines."""
    if style == "none":
        return []
    return [BarProgress() if sys.stderr.isatty() else PlainProgress()]


def _figures(figures: Mapping[str, float]) -> str:
    shown = [("train_loss", "loss"), ("val_loss", "validation loss"), ("val_accuracy", "accuracy"), ("val_r2", "R²")]
    return "  ".join(f"{label} {figures[name]:.4f}" for name, label in shown if name in figures)


def _line(engine: "Engine", epoch: int, figures: Mapping[str, float], seconds: float, before: int) -> str:
    left = seconds / max(epoch - before, 1) * (engine.limits.epochs - epoch)
    end = f"done: {engine.progress.done}" if engine.progress.done else f"at most {left:.0f} s left"
    return f"epoch {epoch}/{engine.limits.epochs}  {_figures(figures)}  ({end})"

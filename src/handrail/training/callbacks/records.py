"""metrics.jsonl: one line an epoch, written as it goes; the source of truth for every curve."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handrail.tools.files import cannot_write, write_text
from handrail.training.callbacks import Callback, Training


class Records(Callback):
    """Appends the figures of each epoch; a resumed training first drops the lines that it will write again.

    Arguments:
        replica: the number of the training, where several write into one file.
    """

    def __init__(self, path: Path, *, replica: int | None = None) -> None:
        self.path = path
        self.own = {} if replica is None else {"replica": replica}

    def on_train_begin(self, training: Training) -> None:
        """Keep the lines of the epochs that are done."""
        done = training.progress.epoch
        kept = [
            line
            for line in read_records(self.path)
            if line["epoch"] <= done or not self.own.items() <= line.items()
        ]
        write_text(self.path, "".join(json.dumps(line) + "\n" for line in kept))

    def on_epoch_end(self, training: Training, epoch: int, figures: Mapping[str, float]) -> None:
        """Append a line."""
        line = {
            "epoch": epoch,
            **self.own,
            **{name: int(value) if name == "step" else value for name, value in figures.items()},
        }
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise cannot_write(self.path, error) from error


def read_records(path: Path) -> list[dict[str, Any]]:
    """The lines of the file so far; a line that was cut off by a kill is left out."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            break
    return lines

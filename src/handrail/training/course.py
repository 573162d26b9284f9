"""What a network makes in the course of its training, kept for whoever draws it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.tools.files import explain_damage, write_atomically
from handrail.training.callbacks import Callback, Training
from handrail.training.seeds import fix_seed

Made = Float[Tensor, "rows width"] | None


class Course(Callback):
    """Rows that a network makes after epochs 1, 2, 4, 8, … and the last, in a file for each of them.

    Neither the network nor any random number of its training is touched. A training that is resumed writes
    the same files again.

    Arguments:
        make: the rows that a network makes, always of the same noise; None for one that makes nothing.
    """

    def __init__(self, folder: Path, make: Callable[[nn.Module], Made]) -> None:
        self.folder, self.make = folder, make

    def on_epoch_end(self, training: Training, epoch: int, figures: Mapping[str, float]) -> None:
        if not _is_kept(epoch) and not training.progress.done:
            return
        network = training.model
        was_training = network.training
        with torch.no_grad(), fix_seed(0, "course"):
            rows = self.make(network.eval())
        network.train(was_training)
        if rows is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for before in read_epochs(self.folder):
            if not _is_kept(before) and before < epoch:  # the last of a training that goes on now
                (self.folder / f"epoch-{before}.npy").unlink(missing_ok=True)
        with write_atomically(self.folder / f"epoch-{epoch}.npy") as path, path.open("wb") as file:
            np.save(file, rows.float().cpu().numpy())


def _is_kept(epoch: int) -> bool:
    """Whether it is 1, 2, 4, 8, …"""
    return epoch & (epoch - 1) == 0


def read_course(folder: Path) -> dict[int, Float[np.ndarray, "rows width"]]:
    """What was made, by epoch; nothing where no network made anything.

    Raises: `RunError` for a damaged file.
    """
    made: dict[int, Float[np.ndarray, "rows width"]] = {}
    for epoch in read_epochs(folder):
        file = folder / f"epoch-{epoch}.npy"
        with explain_damage(file):
            made[epoch] = np.load(file, allow_pickle=False)
    return made


def read_epochs(folder: Path) -> list[int]:
    """The epochs of which something is kept."""
    numbers = (file.stem.partition("-")[2] for file in folder.glob("epoch-*.npy"))
    return sorted(int(number) for number in numbers if number.isdecimal())

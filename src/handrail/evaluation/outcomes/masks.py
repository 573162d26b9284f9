"""How well masks fit: the overlap of each class, counted in pixels."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from handrail.evaluation.metrics import nan_mean
from handrail.evaluation.outcomes import Outcome, Statistic
from handrail.objectives.maps import IGNORED


@dataclass(frozen=True, eq=False)
class Tally:
    """Pixels that count of each class in each image: predicted and true (`shared`), predicted, and true.

    checksums: one number an image, by which the true masks of two outcomes are compared.
    """

    shared: Int[np.ndarray, "rows classes"]
    predicted: Int[np.ndarray, "rows classes"]
    true: Int[np.ndarray, "rows classes"]
    checksums: Int[np.ndarray, " rows"]

    @classmethod
    def of(
        cls,
        predicted: UInt8[Tensor, "rows height width"],
        true: UInt8[Tensor, "rows height width"],
        *,
        classes: int,
    ) -> "Tally":
        """Count masks of class codes against each other; true pixels of the code `IGNORED` count nowhere."""
        counted = true != IGNORED
        pairs = [((predicted == code) & counted, true == code) for code in range(classes)]
        counts = [torch.stack([mask.sum(dim=(1, 2)) for mask in (a & b, a, b)]) for a, b in pairs]
        shared, in_prediction, in_truth = torch.stack(counts, dim=2).cpu().numpy()
        checksums = [zlib.crc32(image.contiguous().numpy().tobytes()) for image in true.cpu()]
        return cls(shared, in_prediction, in_truth, np.array(checksums, dtype=np.int64))

    @classmethod
    def join(cls, parts: Sequence["Tally"]) -> "Tally":
        """Several tallies, one after the other."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True, eq=False)
class MaskOutcome(Outcome):
    """Masks beside the truth, as counts of pixels.

    Counts are summed over the images first, so that a large object counts by its pixels:
    Dice = 2·shared / (predicted + true), IoU = shared / (predicted + true − shared). For two classes they are
    those of the second class, else the mean over the classes that occur in truth or prediction.

    Source: Dice 1945; Jaccard 1912
    """

    classes: tuple[str, ...]
    tally: Tally
    task: str = "mask"

    @property
    def rows(self) -> int:
        return len(self.tally.checksums)

    @property
    def work(self) -> int:
        return 3 * len(self.classes)  # three counts a class

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        selected, tally, foreground = set(names), self.tally, self._foreground
        counts = [part.T.astype(np.float64) for part in (tally.shared, tally.predicted, tally.true)]

        def statistic(weights: Float[np.ndarray, "rows resamples"]) -> dict[str, np.ndarray]:
            shared, predicted, true = (part @ weights for part in counts)  # [classes, resamples]
            with np.errstate(invalid="ignore"):
                metrics = {
                    "dice": nan_mean(2 * shared[foreground] / (predicted + true)[foreground]),
                    "iou": nan_mean(shared[foreground] / (predicted + true - shared)[foreground]),
                    # Every pixel that counts has a prediction.
                    "pixel_accuracy": shared.sum(axis=0) / predicted.sum(axis=0),
                }
            return {name: values for name, values in metrics.items() if name in selected}

        return [statistic] if selected else []

    @property
    def _foreground(self) -> slice:
        """The classes that Dice and IoU are about."""
        return slice(1, 2) if len(self.classes) == 2 else slice(None)

    @cached_property
    def _row_dice(self) -> np.ndarray:
        shared, sizes = self.tally.shared, self.tally.predicted + self.tally.true
        with np.errstate(invalid="ignore"):
            return nan_mean((2 * shared[:, self._foreground] / sizes[:, self._foreground]).T)

    def same_rows(self, other: Outcome) -> bool:
        return (
            isinstance(other, MaskOutcome)
            and self.classes == other.classes
            and np.array_equal(self.tally.checksums, other.tally.checksums)
            and np.array_equal(self.tally.true, other.tally.true)
        )

    def errors(self) -> np.ndarray:
        """1 − Dice of each image; 0 where there is nothing to find and nothing was predicted."""
        return 1 - np.nan_to_num(self._row_dice, nan=1.0)

    def describe(self, row: int, *, truth: bool) -> str:
        """The share of each class that occurs, such as 'cell 78 %, membrane 22 %'."""
        counts = (self.tally.true if truth else self.tally.predicted)[row]
        total = int(self.tally.predicted[row].sum())
        if not total:
            return "no pixel that counts"
        pairs = zip(self.classes, counts, strict=True)
        return ", ".join(f"{name} {100 * count / total:.3g} %" for name, count in pairs if count)

    def columns(self) -> dict[str, Any]:
        pixels = self.tally.predicted.sum(axis=1)  # all that count
        total = np.where(pixels > 0, pixels, np.nan)
        columns: dict[str, Any] = {"dice": self._row_dice}
        for code, name in enumerate(self.classes):
            columns[f"truth_{name}"] = self.tally.true[:, code] / total
            columns[f"answer_{name}"] = self.tally.predicted[:, code] / total
        return columns

"""How well masks fit: the overlap of each class, counted in pixels."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from handrail.evaluation.metrics import mean_defined
from handrail.evaluation.outcomes import Outcome, Statistic

FIGURES = ("dice", "iou", "pixel_accuracy")


@dataclass(frozen=True, eq=False)
class Tally:
    """Pixels counted: of each image and class `[rows, classes]` those that are both true and said, said, and
    true.

    marks: one number an image, by which the truths of two outcomes are compared.
    """

    shared: Int[np.ndarray, "rows classes"]
    said: Int[np.ndarray, "rows classes"]
    true: Int[np.ndarray, "rows classes"]
    marks: Int[np.ndarray, " rows"]

    @classmethod
    def of(
        cls,
        said: UInt8[Tensor, "rows height width"],
        true: UInt8[Tensor, "rows height width"],
        *,
        classes: int,
    ) -> "Tally":
        """Masks of class codes counted against each other."""
        pairs = [(said == code, true == code) for code in range(classes)]
        counts = [
            torch.stack([(a & b).sum(dim=(1, 2)), a.sum(dim=(1, 2)), b.sum(dim=(1, 2))]) for a, b in pairs
        ]
        shared, of_said, of_true = torch.stack(counts, dim=2).cpu().numpy()
        marks = [zlib.crc32(image.contiguous().numpy().tobytes()) for image in true.cpu()]
        return cls(shared, of_said, of_true, np.array(marks, dtype=np.int64))

    @classmethod
    def joined(cls, parts: Sequence["Tally"]) -> "Tally":
        """Several tallies, one behind the other."""
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("shared", "said", "true", "marks")
            )
        )


@dataclass(frozen=True, eq=False)
class MaskOutcome:
    """Masks beside the truth, as counts of pixels.

    Figures come from counts that are summed over the images first, so that a large object counts as its
    pixels do: Dice = 2·shared / (said + true), IoU = shared / (said + true − shared). For two classes they
    are those of the second class, else the mean over the classes that occur or are said.

    Source: Dice 1945; Jaccard 1912
    """

    classes: tuple[str, ...]
    tally: Tally
    task: str = "mask"

    @property
    def rows(self) -> int:
        """The number of images."""
        return len(self.tally.marks)

    @property
    def block(self) -> int:
        """Rows stand by themselves."""
        return 1

    @property
    def work(self) -> int:
        """Three counts a class."""
        return 3 * len(self.classes)

    def names(self) -> list[str]:
        """dice, iou, pixel_accuracy."""
        return list(FIGURES)

    def measure(self) -> dict[str, float]:
        """All figures; not a number where no class of interest occurs or is said."""
        (statistic,) = self.statistics(FIGURES)
        with np.errstate(invalid="ignore"):
            found = statistic(np.ones((self.rows, 1)))
        return {name: float(found[name][0]) for name in FIGURES}

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        """One function from weights `[rows, resamples]` to the named figures."""
        wanted, counts = (
            set(names),
            [part.T.astype(np.float64) for part in (self.tally.shared, self.tally.said, self.tally.true)],
        )

        def figures(weights: Float[np.ndarray, "rows resamples"]) -> dict[str, np.ndarray]:
            shared, said, true = (part @ weights for part in counts)  # [classes, resamples]
            with np.errstate(invalid="ignore"):
                found = {
                    "dice": mean_defined(2 * shared[self._meant] / (said + true)[self._meant]),
                    "iou": mean_defined(shared[self._meant] / (said + true - shared)[self._meant]),
                    # Every pixel is said to be something.
                    "pixel_accuracy": shared.sum(axis=0) / said.sum(axis=0),
                }
            return {name: found[name] for name in FIGURES if name in wanted}

        return [figures] if wanted else []

    @property
    def _meant(self) -> slice:
        """The classes that Dice and IoU speak of."""
        return slice(1, 2) if len(self.classes) == 2 else slice(None)

    @cached_property
    def _row_dice(self) -> np.ndarray:
        shared, sizes = self.tally.shared[:, self._meant], (self.tally.said + self.tally.true)[:, self._meant]
        with np.errstate(invalid="ignore"):
            return mean_defined((2 * shared / sizes).T)

    def same_rows(self, other: Outcome) -> bool:
        """Whether the other outcome is about the same masks."""
        return (
            isinstance(other, MaskOutcome)
            and self.classes == other.classes
            and np.array_equal(self.tally.marks, other.tally.marks)
            and np.array_equal(self.tally.true, other.tally.true)
        )

    def errors(self) -> np.ndarray:
        """1 − Dice of each image; 0 where there is nothing to find and nothing was said."""
        return 1 - np.nan_to_num(self._row_dice, nan=1.0)

    def spoken(self, row: int, *, truth: bool) -> str:
        """The share of each class that occurs, such as 'cell 78 %, membrane 22 %'."""
        counts = (self.tally.true if truth else self.tally.said)[row]
        total = int(self.tally.said[row].sum())
        named = zip(self.classes, counts, strict=True)
        return ", ".join(f"{name} {100 * count / total:.3g} %" for name, count in named if count)

    def columns(self) -> dict[str, Any]:
        """Each image's Dice, and the shares of the classes in truth and answer."""
        total = self.tally.said.sum(axis=1)  # all pixels
        found: dict[str, Any] = {"dice": self._row_dice}
        for code, name in enumerate(self.classes):
            found |= {
                f"truth_{name}": self.tally.true[:, code] / total,
                f"answer_{name}": self.tally.said[:, code] / total,
            }
        return found

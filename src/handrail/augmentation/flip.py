"""Mirror images."""

from typing import Literal

import torch
from torch import Tensor

from handrail.augmentation.base import Augmentation, Images, Probability, pick_rows
from handrail.components import component
from handrail.layers.anchors import flip_boxes
from handrail.shapes import ImageShape


@component("augmentation")
class Flip(Augmentation):
    """Mirror images: x'[r, c] = x[r, width − 1 − c], for each image with a probability.

    Not for digits, letters and whatever else means something else in the mirror.

    Arguments:
        inputs: shape of the images.
        probability: that an image is mirrored.
        direction: `horizontal` swaps left and right, `vertical` top and bottom, `both` does each with the
            probability.

    Source: Simard 2003; Krizhevsky, Sutskever & Hinton 2012
    """

    def __init__(
        self,
        inputs: ImageShape,
        *,
        probability: Probability = 0.5,
        direction: Literal["horizontal", "vertical", "both"] = "horizontal",
    ) -> None:
        super().__init__()
        self.probability = probability
        self.flipped: dict[int, Tensor] = {}
        self.dimensions = {"horizontal": (-1,), "vertical": (-2,), "both": (-1, -2)}[direction]

    def change(self, x: Images) -> Images:
        self.flipped = {dimension: pick_rows(x, self.probability) for dimension in self.dimensions}
        for dimension, rows in self.flipped.items():
            x = torch.where(rows, x.flip(dimension), x)
        return x

    def follow(self, targets: Tensor) -> Tensor:
        """Masks `[rows, height, width]` and boxes `[rows, most, 5]` mirrored as the last batch was."""
        if targets.is_floating_point():
            none = torch.zeros(len(targets), dtype=torch.bool, device=targets.device)
            rows = {dimension: flipped.flatten() for dimension, flipped in self.flipped.items()}
            return flip_boxes(targets, sideways=rows.get(-1, none), upside_down=rows.get(-2, none))
        for dimension, rows in self.flipped.items():
            targets = torch.where(rows[:, 0], targets.flip(dimension), targets)
        return targets

"""Mirror images."""

from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from handrail.augmentation.base import Augmentation, chosen
from handrail.components import component
from handrail.layers.anchors import flip_boxes
from handrail.shapes import ImageShape


@component("augmentation")
class Flip(Augmentation):
    """Mirror images: x'[r, c] = x[r, width − 1 − c], for each image with a probability.

    Not for digits, letters and whatever else is another thing in the mirror.

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
        probability: Annotated[float, Field(ge=0, le=1)] = 0.5,
        direction: Literal["horizontal", "vertical", "both"] = "horizontal",
    ) -> None:
        super().__init__()
        self.probability = probability
        self.turned: dict[int, Tensor] = {}
        self.dimensions = {"horizontal": (-1,), "vertical": (-2,), "both": (-1, -2)}[direction]

    def changed(
        self, x: Float[Tensor, "rows channels height width"]
    ) -> Float[Tensor, "rows channels height width"]:
        """The batch with some images mirrored."""
        self.turned = {dimension: chosen(x, self.probability) for dimension in self.dimensions}
        for dimension, rows in self.turned.items():
            x = torch.where(rows, x.flip(dimension), x)
        return x

    def follow(self, targets: Tensor) -> Tensor:
        """Masks `[rows, height, width]` and boxes `[rows, most, 5]` mirrored as the last batch was."""
        if targets.is_floating_point():
            none = torch.zeros(len(targets), dtype=torch.bool, device=targets.device)
            rows = {dimension: turned.flatten() for dimension, turned in self.turned.items()}
            return flip_boxes(targets, sideways=rows.get(-1, none), upside_down=rows.get(-2, none))
        for dimension, rows in self.turned.items():
            targets = torch.where(rows[:, 0], targets.flip(dimension), targets)
        return targets

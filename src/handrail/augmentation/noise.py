"""Noisy pixels."""

from typing import Annotated

import torch
from pydantic import Field

from handrail.augmentation.base import Augmentation, Images
from handrail.components import component
from handrail.shapes import ImageShape


@component("augmentation")
class Noise(Augmentation):
    """x' = x + ε, ε ~ N(0, deviation²) for each value, cut to 0 … 1.

    Arguments:
        inputs: shape of the images.
        deviation: standard deviation, where black is 0 and white 1.

    Source: Sietsma & Dow 1991; Bishop 1995
    """

    def __init__(self, inputs: ImageShape, *, deviation: Annotated[float, Field(ge=0, le=1)] = 0.05) -> None:
        super().__init__()
        self.deviation = deviation

    def change(self, x: Images) -> Images:
        return torch.randn_like(x).mul_(self.deviation).add_(x).clamp_(0, 1)

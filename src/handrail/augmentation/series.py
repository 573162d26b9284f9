"""Augmentation of series: noise on every value, a factor on every channel. Both are silent in evaluation."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import NonNegative
from handrail.shapes import SeriesShape


@component("augmentation")
class Jitter(nn.Module):
    """y = x + ε, ε ~ N(0, deviation²) for each value, while training; y = x otherwise.

    Like the noise of a sensor. Exact zeros stay: they are what stands behind the end of a shorter series.

    Arguments:
        inputs: channels and length of a series.
        deviation: of the noise, in deviations of a channel over the training rows (series come standardised).

    Source: Um 2017
    """

    def __init__(self, inputs: SeriesShape, *, deviation: NonNegative = 0.03) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, x: Float[Tensor, "rows channels length"]) -> Float[Tensor, "rows channels length"]:
        if not self.training or not self.deviation:
            return x
        return x + self.deviation * torch.randn_like(x) * (x != 0)

    def extra_repr(self) -> str:
        return f"deviation={self.deviation}"


@component("augmentation")
class Scaling(nn.Module):
    """y = s·x, s ~ N(1, deviation²) for each channel of each row, while training; y = x otherwise.

    Like a sensor that reads too high or too low. Not for forecasts: the values to come are not scaled.

    Arguments:
        inputs: channels and length of a series.
        deviation: of the factor.

    Source: Um 2017
    """

    def __init__(self, inputs: SeriesShape, *, deviation: NonNegative = 0.1) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, x: Float[Tensor, "rows channels length"]) -> Float[Tensor, "rows channels length"]:
        if not self.training or not self.deviation:
            return x
        return x * (1 + self.deviation * torch.randn(*x.shape[:2], 1, dtype=x.dtype, device=x.device))

    def extra_repr(self) -> str:
        return f"deviation={self.deviation}"

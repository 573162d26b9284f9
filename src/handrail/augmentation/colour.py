"""Light and colours changed."""

import math
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from handrail.augmentation.base import Augmentation, Images, uniform
from handrail.components import component
from handrail.components.arguments import Rate
from handrail.errors import RecipeError
from handrail.shapes import ImageShape
from handrail.tools.words import plural

_GREY = (0.299, 0.587, 0.114)
_TO_YIQ = (_GREY, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


@component("augmentation")
class Colour(Augmentation):
    """Brightness, contrast, saturation and hue, changed at random by one linear map of an image's colours.

    x' = b·c·H·S·x + b·(1 − c)·m, cut to 0 … 1, with uniform factors b, c, s within 1 ± their setting; m: the
    image's mean grey; S = s·I + (1 − s)·1·gᵀ with the weights of grey g = (0.299, 0.587, 0.114); H turns the
    two colour axes of YIQ. As a linear map it takes a twentieth of the time of steps through HSV, and keeps
    each pixel's grey where only saturation and hue change.

    Arguments:
        inputs: shape of the images. Those without three channels get brightness and contrast only.
        brightness, contrast: largest change of the factor, below 1.
        saturation: the same; without a setting 0.2 for colour images.
        hue: largest turn of the colours as a share of a full turn; without a setting 0.02 for colour images.

    Raises: `RecipeError` when saturation or hue are set for images without three channels.

    Source: Howard 2013; the matrices: Haeberli 1993
    """

    def __init__(
        self,
        inputs: ImageShape,
        *,
        brightness: Rate = 0.2,
        contrast: Rate = 0.2,
        saturation: Rate | None = None,
        hue: Annotated[float, Field(ge=0, le=0.5)] | None = None,
    ) -> None:
        super().__init__()
        self.coloured = inputs[0] == 3
        names = [name for name, value in (("saturation", saturation), ("hue", hue)) if value is not None]
        if names and not self.coloured:
            reason = f"has no effect on images with {plural(inputs[0], 'channel')}; leave it out."
            raise RecipeError([f"augmentation.colour.{name}: {reason}" for name in names])
        self.brightness, self.contrast = brightness, contrast
        self.saturation = 0.2 if saturation is None else saturation
        self.hue = 0.02 if hue is None else hue

    def change(self, x: Images) -> Images:
        bright = uniform(x, 1 - self.brightness, 1 + self.brightness)
        contrast = uniform(x, 1 - self.contrast, 1 + self.contrast)
        mean = greys(x).mean(dim=(1, 2, 3))
        scale, level = bright * contrast, bright * (1 - contrast) * mean
        if not self.coloured:
            return (x * scale[:, None, None, None] + level[:, None, None, None]).clamp_(0, 1)
        saturation = uniform(x, 1 - self.saturation, 1 + self.saturation)
        matrix = hues(uniform(x, -self.hue, self.hue)) @ saturations(saturation)
        mixed = torch.baddbmm(level[:, None, None], scale[:, None, None] * matrix, x.flatten(2))
        return mixed.clamp_(0, 1).view_as(x)


def greys(x: Images) -> Float[Tensor, "rows 1 height width"]:
    """The grey of each pixel: weighted as the eye does for three channels, else the mean."""
    if x.shape[1] != 3:
        return x.mean(dim=1, keepdim=True)
    return torch.einsum("c,nchw->nhw", torch.tensor(_GREY, device=x.device, dtype=x.dtype), x)[:, None]


def saturations(factors: Float[Tensor, " rows"]) -> Float[Tensor, "rows 3 3"]:
    """The maps that draw colours towards grey (factor 0) or away from it (above 1)."""
    same = torch.eye(3, device=factors.device)
    grey = torch.tensor(_GREY, device=factors.device).expand(3, 3)
    return grey + factors[:, None, None] * (same - grey)


def hues(turns: Float[Tensor, " rows"]) -> Float[Tensor, "rows 3 3"]:
    """The maps that turn colours, red towards yellow first, by a share of a full turn."""
    angle = 2 * math.pi * turns
    cosine, sine, none, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    turn = torch.stack([one, none, none, none, cosine, sine, none, -sine, cosine], dim=1).view(-1, 3, 3)
    to_yiq = torch.tensor(_TO_YIQ, device=turns.device)
    return torch.linalg.inv(to_yiq) @ turn @ to_yiq

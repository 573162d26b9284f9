"""What augmentations of images share: one that only acts in training, and one that bends the plane."""

from typing import Annotated, Any, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from handrail.errors import RecipeError

Images = Float[Tensor, "rows channels height width"]
"Pixels between 0 and 1."

Border = Literal["edge", "mirror", "black"]
"What is seen beyond an image: the edge's pixels again, the picture mirrored, or black (0)."

Probability = Annotated[float, Field(ge=0, le=1)]

_MODES = {"edge": "border", "mirror": "reflection", "black": "zeros"}


class Augmentation(nn.Module):
    """Pixels between 0 and 1 in, as many out, each row changed differently; unchanged in evaluation.

    The numbers are drawn on the device of the pixels. The engine seeds and saves torch's global generators.
    """

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "changed" in vars(cls):  # the name of `change` in version 0.1
            cls.change = vars(cls)["changed"]

    def forward(self, x: Images) -> Images:
        """The batch, changed while training."""
        return self.change(x) if self.training and len(x) else x

    def change(self, x: Images) -> Images:
        """The batch after the change."""
        raise NotImplementedError


class Warp(Augmentation):
    """x'(p) = x(A·p + t), p in pixels from the image's middle; A and t differ for each row."""

    def __init__(self, border: Border) -> None:
        super().__init__()
        self.border: Border = border

    def maps(self, x: Images) -> Float[Tensor, "rows 2 3"]:
        """[A | t] of each row, drawn anew; first the horizontal place, then the vertical one."""
        raise NotImplementedError

    def change(self, x: Images) -> Images:
        return warp(x, self.maps(x), self.border)


def warp(x: Images, maps: Float[Tensor, "rows 2 3"], border: Border) -> Images:
    """Bilinear samples of each image where its map points."""
    height, width = x.shape[2:]
    scale = torch.tensor([2 / width, 2 / height], device=x.device)  # pixels to torch's -1 … 1
    maps = maps * scale[:, None]
    across = _from_middle(width, x.device)[:, None] * maps[:, None, :, 0]  # [rows, width, 2]
    down = _from_middle(height, x.device)[:, None] * maps[:, None, :, 1] + maps[:, None, :, 2]  # with height
    # A sum of two thin tensors: a third of the time of torch's affine_grid, which multiplies matrices.
    places = torch.view_as_real(
        torch.view_as_complex(across)[:, None, :] + torch.view_as_complex(down)[:, :, None]
    )
    return functional.grid_sample(x, places.to(x.dtype), padding_mode=_MODES[border], align_corners=False)


def _from_middle(size: int, device: torch.device) -> Float[Tensor, " size"]:
    return torch.arange(size, device=device, dtype=torch.float32) - (size - 1) / 2


def affine(*numbers: Float[Tensor, " rows"]) -> Float[Tensor, "rows 2 3"]:
    """Maps [A | t] from their six numbers, row by row."""
    return torch.stack(numbers, dim=1).view(-1, 2, 3)


def uniform(x: Tensor, low: float, high: float) -> Float[Tensor, " rows"]:
    """A number for each row of `x`, uniform between `low` and `high`, on its device."""
    return torch.empty(len(x), device=x.device).uniform_(low, high)


def pick_rows(x: Tensor, probability: float) -> Bool[Tensor, "rows 1 1 1"]:
    """Which rows of `x` are taken, each with that probability."""
    return (torch.rand(len(x), device=x.device) < probability)[:, None, None, None]


def check_range(setting: str, ends: tuple[float, float]) -> None:
    """Raises: `RecipeError` when a range begins above its end."""
    if ends[0] > ends[1]:
        raise RecipeError(
            f"augmentation.{setting}: {ends[0]:g} is above {ends[1]:g}; expected [smallest, largest]."
        )

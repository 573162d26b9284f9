"""Images bent by a linear map of the plane."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from handrail.augmentation.base import Augmentation, Border

_MODES = {"edge": "border", "mirror": "reflection", "black": "zeros"}


class Warp(Augmentation):
    """x'(p) = x(A·p + t), p in pixels from the image's middle, bilinear between pixels; A and t differ for
    each row.

    Arguments:
        border: what is seen beyond the image: the edge's pixels again, the picture mirrored, or black (0).
    """

    def __init__(self, border: Border) -> None:
        super().__init__()
        self.border: Border = border

    def maps(self, x: Float[Tensor, "rows channels height width"]) -> Float[Tensor, "rows 2 3"]:
        """[A | t] of each row, drawn anew; first the horizontal place, then the vertical one."""
        raise NotImplementedError

    def changed(
        self, x: Float[Tensor, "rows channels height width"]
    ) -> Float[Tensor, "rows channels height width"]:
        """The batch, bent."""
        return warped(x, self.maps(x), self.border)


def warped(
    x: Float[Tensor, "rows channels height width"], maps: Float[Tensor, "rows 2 3"], border: Border
) -> Float[Tensor, "rows channels height width"]:
    """Bilinear samples of each image where its map points."""
    height, width = x.shape[2:]
    scale = torch.tensor([2 / width, 2 / height], device=x.device)  # pixels to torch's -1 … 1
    maps = maps * scale[:, None]
    across = _from_middle(width, x.device)[:, None] * maps[:, None, :, 0]  # [rows, width, 2]
    # [rows, height, 2].
    down = _from_middle(height, x.device)[:, None] * maps[:, None, :, 1] + maps[:, None, :, 2]
    # A sum of two thin tensors: a third of the time of torch's affine_grid, which multiplies matrices for
    # every pixel.
    places = torch.view_as_real(
        torch.view_as_complex(across)[:, None, :] + torch.view_as_complex(down)[:, :, None]
    )
    return functional.grid_sample(x, places.to(x.dtype), padding_mode=_MODES[border], align_corners=False)


def _from_middle(size: int, device: torch.device) -> Float[Tensor, " size"]:
    return torch.arange(size, device=device, dtype=torch.float32) - (size - 1) / 2

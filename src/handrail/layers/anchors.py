"""Boxes: where they are expected, how far they overlap, and how a network moves them.

A box is (xmin, ymin, xmax, ymax) in shares of the image: 0 is its left or upper edge, 1 the opposite one.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handrail.tools.moved import forward

__getattr__ = forward(__name__)

Boxes = Float[Tensor, "*rows anchors 4"]

_LARGEST_STEP = 4.0  # e⁴: a box grows to 55 times its anchor at most, and never to infinity


def anchor_grid(height: int, width: int, sizes: Sequence[tuple[float, float]]) -> Float[Tensor, "anchors 4"]:
    """The boxes that a map of cells starts from: in every cell one of each size, around the cell's centre.

    Arguments:
        height, width: cells from top to bottom, and from left to right.
        sizes: (height, width) of boxes, in shares of the image.

    Returns: cell by cell in reading order, and in a cell in the order of the sizes.

    Source: Ren et al. 2015; Liu et al. 2016
    """
    down = (torch.arange(height) + 0.5) / height
    across = (torch.arange(width) + 0.5) / width
    centres = torch.stack([across.repeat(height), down.repeat_interleave(width)], dim=1)  # [cells, 2]
    half = torch.tensor(sizes).flip(1) / 2  # [sizes, 2], width first
    corners = torch.cat([centres[:, None] - half, centres[:, None] + half], dim=2)  # [cells, sizes, 4]
    return corners.flatten(0, 1)


def move_boxes(anchors: Boxes, steps: Boxes) -> Boxes:
    """Anchors moved and stretched: centre + size·(steps 0, 1), size·exp(steps 2, 3).

    Source: Girshick et al. 2014
    """
    size = anchors[..., 2:] - anchors[..., :2]
    centre = anchors[..., :2] + size / 2 + size * steps[..., :2]
    half = size * steps[..., 2:].clamp(max=_LARGEST_STEP).exp() / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def areas(boxes: Float[Tensor, "*rows 4"]) -> Float[Tensor, "*rows"]:
    """Width times height; 0 for a box that is turned inside out."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(dim=-1)


def pairwise_iou(a: Float[Tensor, "*#rows n 4"], b: Float[Tensor, "*#rows m 4"]) -> Float[Tensor, "... n m"]:
    """Intersection over union of every box of one set with every box of another; 0 where both have no area.

    Source: Jaccard 1901
    """
    low = torch.maximum(a[..., :, None, :2], b[..., None, :, :2])
    high = torch.minimum(a[..., :, None, 2:], b[..., None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    union = areas(a)[..., :, None] + areas(b)[..., None, :] - shared
    return shared / union.clamp(min=1e-12)


def generalised_iou(a: Float[Tensor, "*rows 4"], b: Float[Tensor, "*rows 4"]) -> Float[Tensor, "*rows"]:
    """IoU − (hull − union) / hull, box by box, where the hull is the smallest box around both: from −1 to 1.

    Unlike the IoU it says how far boxes that do not touch are apart.

    Source: Rezatofighi et al. 2019
    """
    inside = torch.cat([torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])], dim=-1)
    around = torch.cat([torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])], dim=-1)
    shared, hull = areas(inside), areas(around).clamp(min=1e-12)
    union = (areas(a) + areas(b) - shared).clamp(min=1e-12)
    return shared / union - (hull - union) / hull


def flip_boxes(
    targets: Float[Tensor, "rows most columns"],
    *,
    sideways: Bool[Tensor, " rows"],
    upside_down: Bool[Tensor, " rows"],
) -> Float[Tensor, "rows most columns"]:
    """The boxes of flipped images: the last four columns are boxes, the class before them stays.

    Arguments:
        sideways: the rows whose images change left and right.
        upside_down: the rows whose images change top and bottom.
    """
    xmin, ymin, xmax, ymax = targets[..., -4:].unbind(dim=-1)
    across, down = sideways[:, None], upside_down[:, None]
    flipped = [
        torch.where(across, 1 - xmax, xmin),
        torch.where(down, 1 - ymax, ymin),
        torch.where(across, 1 - xmin, xmax),
        torch.where(down, 1 - ymin, ymax),
    ]
    return torch.cat([targets[..., :-4], torch.stack(flipped, dim=-1)], dim=-1)

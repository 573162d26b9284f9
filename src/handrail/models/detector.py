"""The single-shot detector."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import Count, Initialisation, Share
from handrail.errors import RecipeError
from handrail.layers.anchors import anchor_grid, move_boxes
from handrail.layers.convolution import ConvAct
from handrail.layers.initialisations import initialise
from handrail.shapes import BoxShape, ImageShape

Maps = Float[Tensor, "rows channels height width"]
Numbers = Float[Tensor, "rows anchors numbers"]

_SIZES, _RATIOS = (0.08, 0.2, 0.45), (0.5, 1.0, 2.0)
_FINEST = 3  # the stage whose map, 1/8 of the image, the boxes are read from
_PRIOR = 0.01  # every class's probability to begin with: most anchors hold nothing


@component("model")
class Detector(nn.Module):
    """A single-shot detector: one pass says for every anchor which object it holds, and where its box is.

    Stages of two 3×3 convolutions halve the image again and again; the deep, coarse maps are brought back to
    the map of an eighth of the image, by addition, so that each of its cells knows its detail and its
    surroundings. In each cell lie some fixed boxes (anchors); for each one the head gives four steps that
    move it and a score for every class.

    Arguments:
        outputs: the classes.
        widths: channels of the stages, each with a map of half the size of the one before; at least three.
        features: channels of the map that the boxes are read from.
        anchors: [height, width] of the fixed boxes in shares of the image. `auto`: 0.08, 0.2 and 0.45 of its
            shorter side (the root of their area), each half as high as wide, square, and twice as high.
        initialisation: how the weights begin.

    Gives: `[rows, anchors, 8 + classes]`: the anchor itself (always the same) and its moved box, both as
        (xmin, ymin, xmax, ymax) in shares of the image, and the classes' scores before the sigmoid.

    Raises: `RecipeError` for fewer than three stages, no anchors, or an image that cannot be halved so often.

    Source: Redmon et al. 2016 (YOLO); anchors: Liu et al. 2016 (SSD); added maps, sigmoids: Lin et al. 2017
    """

    anchor_boxes: Tensor

    def __init__(
        self,
        inputs: ImageShape,
        outputs: BoxShape,
        *,
        widths: list[Count] = [24, 48, 96, 128, 128],  # noqa: B006 - never changed; shown as the default
        features: Count = 96,
        anchors: list[tuple[Share, Share]] | Literal["auto"] = "auto",
        initialisation: Initialisation = "he",
    ) -> None:
        super().__init__()
        image, self.classes = ImageShape(*inputs), BoxShape(*outputs).classes
        sizes = _usual_anchors(image) if anchors == "auto" else [(high, wide) for high, wide in anchors]
        _check(image, widths, sizes)
        pairs = zip([image.channels, *widths], widths, strict=False)
        self.stages = nn.ModuleList(_stage(before, width) for before, width in pairs)
        self.laterals = nn.ModuleList(nn.Conv2d(width, features, 1) for width in widths[_FINEST - 1 :])
        self.neck = ConvAct(features, features, normalisation="batch")
        self.steps = nn.Conv2d(features, 4 * len(sizes), 1)
        self.scores = nn.Conv2d(features, self.classes * len(sizes), 1)
        height, width = (_halve(side, _FINEST) for side in image[1:])
        self.register_buffer("anchor_boxes", anchor_grid(height, width, sizes), persistent=False)
        initialise(self, initialisation)
        self._begin_unsure()

    @torch.no_grad()
    def _begin_unsure(self) -> None:
        """Begin near the anchors and the prior: the many empty anchors would drown all else."""
        self.steps.weight.mul_(0.1)
        self.scores.weight.mul_(0.1)
        if self.scores.bias is not None:
            self.scores.bias.fill_(torch.logit(torch.tensor(_PRIOR)).item())

    def forward(self, x: Maps) -> Numbers:
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        cells = self.neck(self._gather(maps[_FINEST - 1 :]))
        steps = self._by_anchor(self.steps(cells), 4)
        scores = self._by_anchor(self.scores(cells), self.classes)
        anchors = self.anchor_boxes.to(steps.dtype).expand_as(steps)
        return torch.cat([anchors, move_boxes(anchors, steps), scores], dim=2)

    def _gather(self, maps: list[Tensor]) -> Tensor:
        """From the coarsest to the finest: each stretched over the next and added."""
        total = self.laterals[-1](maps[-1])
        for lateral, finer in zip(reversed(self.laterals[:-1]), reversed(maps[:-1]), strict=True):
            total = lateral(finer) + functional.interpolate(total, size=finer.shape[2:], mode="nearest")
        return total

    @staticmethod
    def _by_anchor(maps: Maps, numbers: int) -> Numbers:
        """Cell by cell in reading order, as the anchors lie."""
        return maps.permute(0, 2, 3, 1).reshape(len(maps), -1, numbers)


def _usual_anchors(image: ImageShape) -> list[tuple[float, float]]:
    shorter = min(image.height, image.width)
    shapes = [(size * ratio**0.5, size / ratio**0.5) for size in _SIZES for ratio in _RATIOS]
    return [(high * shorter / image.height, wide * shorter / image.width) for high, wide in shapes]


def _halve(side: int, times: int) -> int:
    return -(-side // 2**times)  # a convolution of stride 2 rounds up


def _check(image: ImageShape, widths: list[int], sizes: list[tuple[float, float]]) -> None:
    most = min(image.height, image.width).bit_length()
    problems = []
    if len(widths) < _FINEST:
        problems.append(f"model.detector.widths: found {len(widths)} stages, expected at least {_FINEST}.")
    elif len(widths) > most:
        problems.append(
            f"model.detector.widths: found {len(widths)} stages, but images of {image.height}×{image.width} "
            f"pixels can be halved {most} times at most; expected fewer, or larger images (data.images.size)."
        )
    if not sizes:
        problems.append("model.detector.anchors: found none, expected at least one [height, width], or auto.")
    if problems:
        raise RecipeError(problems)


def _stage(before: int, width: int) -> nn.Sequential:
    halving = ConvAct(before, width, stride=2, normalisation="batch")
    return nn.Sequential(halving, ConvAct(width, width, normalisation="batch"))

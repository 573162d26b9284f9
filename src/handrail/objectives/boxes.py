"""The loss of a detector: which anchors answer for which objects, their scores and their boxes.

Outputs are `[rows, anchors, 8 + classes]` as `handrail.models.detector` gives them: anchor, moved box,
scores. Targets are `[rows, most, 5]`: class (−1 for none), xmin, ymin, xmax, ymax, in shares of the image.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import Fraction, NonNegative
from handrail.errors import RecipeError
from handrail.layers.anchors import generalised_iou, pairwise_iou
from handrail.tools.moved import forward

__getattr__ = forward(__name__)

Outputs = Float[Tensor, "rows anchors numbers"]
Targets = Float[Tensor, "rows most 5"]


@component("loss", tasks=("boxes",))
def detection_loss(
    outputs: Outputs,
    targets: Targets,
    *,
    overlap: Fraction = 0.5,
    doubtful: Fraction = 0.4,
    gamma: NonNegative = 2.0,
    alpha: Fraction = 0.25,
    box_weight: NonNegative = 1.0,
) -> Float[Tensor, " rows"]:
    """Detection: (Σ focal(scores) + box_weight · Σ (1 − generalised IoU)) / anchors that have an object.

    Each anchor is to find the object that it overlaps most, if by `overlap` at least; and each object has its
    best anchor, whatever the overlap. Anchors between `doubtful` and `overlap` are not asked; the others are
    to say that there is nothing. Focal: −α·(1 − p)^γ·log p where the class is there, −(1 − α)·p^γ·log(1 − p)
    where it is not, so that the many easy empty anchors weigh little.

    Arguments:
        overlap, doubtful: intersections over union.
        gamma: γ; 0 gives the plain cross-entropy.
        alpha: α.
        box_weight: how much the boxes count beside the scores.

    Raises: `RecipeError` when outputs or targets have another form, or `doubtful` is above `overlap`.

    Source: Lin et al. 2017 (focal loss); Liu et al. 2016 (which anchors); Rezatofighi et al. 2019 (IoU)
    """
    _check(outputs, targets, overlap=overlap, doubtful=doubtful)
    # Half precision is too coarse for boxes.
    outputs = outputs.to(torch.promote_types(outputs.dtype, torch.float32))
    targets = targets.to(outputs)
    boxes, scores = outputs[..., 4:8], outputs[..., 8:]
    anchors = outputs[..., :4].detach()
    objects, positive, asked = assign_anchors(anchors, targets, overlap=overlap, doubtful=doubtful)
    truth = functional.one_hot(objects[..., 0].clamp(min=0).long(), scores.shape[2]) * positive.unsqueeze(2)
    focal = _focal(scores, truth.to(scores.dtype), gamma=gamma, alpha=alpha) * asked.unsqueeze(2)
    focal = focal.sum(dim=(1, 2))
    away = ((1 - generalised_iou(boxes, objects[..., 1:])) * positive).sum(dim=1)
    return (focal + box_weight * away) / positive.sum(dim=1).clamp(min=1)


def assign_anchors(
    anchors: Float[Tensor, "rows anchors 4"], targets: Targets, *, overlap: float, doubtful: float
) -> tuple[Float[Tensor, "rows anchors 5"], Bool[Tensor, "rows anchors"], Bool[Tensor, "rows anchors"]]:
    """Each anchor's object (class and box), whether it is to find it, and whether it is asked at all."""
    real = targets[..., 0] >= 0
    # The anchors are the same in every row. [rows, most, anchors]
    iou = pairwise_iou(targets[..., 1:], anchors[:1]) * real.unsqueeze(2)
    highest, owner = iou.max(dim=1)
    top, best_anchor = iou.max(dim=2, keepdim=True)
    claims = torch.zeros_like(real.unsqueeze(2).expand_as(iou)).scatter(2, best_anchor, top > 0)
    claimed = claims.any(dim=1)
    owner = torch.where(claimed, claims.to(torch.uint8).argmax(dim=1), owner)
    positive = claimed | (highest >= overlap)
    objects = targets.gather(1, owner.unsqueeze(2).expand(-1, -1, targets.shape[2]))
    return objects, positive, positive | (highest < doubtful)


def _focal(scores: Tensor, truth: Tensor, *, gamma: float, alpha: float) -> Tensor:
    entropy = functional.binary_cross_entropy_with_logits(scores, truth, reduction="none")
    probability = scores.sigmoid()
    missed = torch.where(truth > 0, 1 - probability, probability)
    return torch.where(truth > 0, alpha, 1 - alpha) * missed**gamma * entropy


def _check(outputs: Tensor, targets: Tensor, *, overlap: float, doubtful: float) -> None:
    if outputs.ndim != 3 or outputs.shape[2] < 9 or targets.ndim != 3 or targets.shape[2] != 5:
        raise RecipeError(
            f"detection_loss was given outputs {list(outputs.shape)} and targets {list(targets.shape)}; "
            "expected [rows, anchors, 8 + classes] (anchor, box, scores) and [rows, most, 5] (class, box). "
            "Does the model find boxes?"
        )
    if doubtful > overlap:
        raise RecipeError(f"detection_loss.doubtful: found {doubtful}, expected at most overlap ({overlap}).")

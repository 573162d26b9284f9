"""Losses of maps: every pixel has a class, and every image one value.

Outputs are `[rows, channels, height, width]`: one channel for two classes (its sigmoid is the second's
probability), else one a class. Targets are class codes `[rows, height, width]`.
"""

from typing import Literal

import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import NonNegative
from handrail.errors import RecipeError

Maps = Float[Tensor, "rows channels height width"]
Codes = Integer[Tensor, "rows height width"]
Rows = Float[Tensor, " rows"]
ClassWeights = Literal["none", "balanced"]
_SMOOTH = 1.0  # pixels: an image without a class whose absence is seen has a Dice of 1


@component("loss", tasks=("mask",))
def pixel_cross_entropy(outputs: Maps, targets: Codes, *, class_weights: ClassWeights = "none") -> Rows:
    """Cross-entropy −log p(class of the pixel), mean over the pixels of each image, in nats.

    Arguments:
        class_weights: `balanced` weighs a pixel by all pixels / (classes · pixels of its class), counted in
            the batch: a rare class counts as much as a common one, and a row's value depends on its batch.

    Raises: `RecipeError` when outputs and targets do not fit each other.

    Source: Ronneberger, Fischer & Brox 2015
    """
    outputs, codes = _check_maps(outputs, targets)
    if outputs.shape[1] == 1:
        truth = codes.to(outputs.dtype)
        values = functional.binary_cross_entropy_with_logits(outputs[:, 0], truth, reduction="none")
    else:
        values = functional.cross_entropy(outputs, codes, reduction="none")
    if class_weights == "balanced":
        counts = torch.bincount(codes.flatten(), minlength=max(2, outputs.shape[1])).clamp(min=1)
        values = values * (codes.numel() / (len(counts) * counts.to(values.dtype)))[codes]
    return values.mean(dim=(1, 2))


@component("loss", tasks=("mask",))
def dice_loss(outputs: Maps, targets: Codes) -> Rows:
    """Soft Dice: 1 − (2·Σ p·t + 1) / (Σ p² + Σ t² + 1) over each image's pixels, p = sigmoid or softmax.

    Of two classes that of the second, else the mean. The 1 keeps an image without the class defined.

    Raises: `RecipeError` when outputs and targets do not fit each other.

    Source: Milletari, Navab & Ahmadi 2016 (V-Net)
    """
    outputs, codes = _check_maps(outputs, targets)
    if outputs.shape[1] == 1:
        predicted, true = outputs.sigmoid(), codes.unsqueeze(1)
    else:
        predicted, true = outputs.softmax(dim=1), functional.one_hot(codes, outputs.shape[1]).movedim(3, 1)
    shared = (predicted * true).sum(dim=(2, 3))
    sizes = (predicted.square() + true).sum(dim=(2, 3))  # t² = t
    return (1 - (2 * shared + _SMOOTH) / (sizes + _SMOOTH)).mean(dim=1)


@component("loss", tasks=("mask",))
def pixel_cross_entropy_and_dice(
    outputs: Maps, targets: Codes, *, class_weights: ClassWeights = "none", dice: NonNegative = 1.0
) -> Rows:
    """Cross-entropy + dice · soft Dice: one is smooth everywhere, the other knows how rare a class is.

    Arguments:
        class_weights: of the cross-entropy.
        dice: the weight of the soft Dice.

    Raises: `RecipeError` when outputs and targets do not fit each other.

    Source: Isensee et al. 2021 (nnU-Net)
    """
    entropy = pixel_cross_entropy(outputs, targets, class_weights=class_weights)
    return entropy + dice * dice_loss(outputs, targets)


def _check_maps(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Scores in single precision at least (sums over many pixels), and the codes on their device."""
    if outputs.ndim != 4 or targets.shape != (outputs.shape[0], *outputs.shape[2:]):
        raise RecipeError(
            f"a loss of maps was given outputs {list(outputs.shape)} and targets {list(targets.shape)}; "
            "expected [rows, channels, height, width] and [rows, height, width] of the same size. "
            "Does the model give a map?"
        )
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32)), targets.to(outputs.device).long()

"""Losses of maps: every pixel has a class, and every image one value.

Outputs are `[rows, channels, height, width]`: one channel for two classes (its sigmoid is the second's
probability), else one a class. Targets are class codes `[rows, height, width]`; pixels of the code `IGNORED`
count nowhere, and an image of such pixels alone has the value 0.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Float64, Integer
from torch import Tensor
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import NonNegative
from handrail.errors import RecipeError

Maps = Float[Tensor, "rows channels height width"]
Codes = Integer[Tensor, "rows height width"]
Counted = Bool[Tensor, "rows height width"]
Rows = Float[Tensor, " rows"]
ClassWeights = Literal["none", "balanced"]
IGNORED = 254  # the code of pixels that count neither in a loss nor in a figure
_SMOOTH = 1.0  # pixels: an image without a class whose absence is seen has a Dice of 1


@component("loss", tasks=("mask",))
def pixel_cross_entropy(outputs: Maps, targets: Codes, *, class_weights: ClassWeights = "none") -> Rows:
    """Cross-entropy −log p(class of the pixel), mean over the pixels of each image that count, in nats.

    Arguments:
        class_weights: `balanced` weighs a pixel by all pixels / (classes · pixels of its class), counted in
            the batch: a rare class counts as much as a common one, and a row's value depends on its batch.

    Raises: `RecipeError` when outputs and targets do not fit each other.

    Source: Ronneberger, Fischer & Brox 2015
    """
    outputs, codes, counted = _check_maps(outputs, targets)
    if outputs.shape[1] == 1:
        truth = codes.to(outputs.dtype)
        values = functional.binary_cross_entropy_with_logits(outputs[:, 0], truth, reduction="none")
    else:
        values = functional.cross_entropy(outputs, codes, reduction="none")
    if class_weights == "balanced":
        weights = _balance(codes, counted, classes=max(2, outputs.shape[1]))
        values = values * weights.to(values.dtype)[codes]
    return _mean_of_counted(values, counted)


def _balance(codes: Codes, counted: Counted, *, classes: int) -> Float64[Tensor, " classes"]:
    """All pixels / (classes · pixels of the class), of the pixels that count."""
    pixels = torch.where(counted, codes, classes).flatten()
    counts = torch.bincount(pixels, minlength=classes + 1)[:classes].clamp(min=1)
    return counted.sum().double() / (classes * counts.double())


def _mean_of_counted(values: Float[Tensor, "rows height width"], counted: Counted) -> Rows:
    """The mean of each image over the pixels that count; its very bits are those of a mean where all do."""
    pixels = counted[0].numel()
    return torch.where(counted, values, 0).mean(dim=(1, 2)) * (
        pixels / counted.sum(dim=(1, 2)).clamp(min=1).to(values.dtype)
    )


@component("loss", tasks=("mask",))
def dice_loss(outputs: Maps, targets: Codes) -> Rows:
    """Soft Dice: 1 − (2·Σ p·t + 1) / (Σ p² + Σ t² + 1) over each image's pixels, p = sigmoid or softmax.

    Of two classes that of the second, else the mean. The 1 keeps an image without the class defined.

    Raises: `RecipeError` when outputs and targets do not fit each other.

    Source: Milletari, Navab & Ahmadi 2016 (V-Net)
    """
    outputs, codes, counted = _check_maps(outputs, targets)
    if outputs.shape[1] == 1:
        predicted, true = outputs.sigmoid(), codes.unsqueeze(1)
    else:
        predicted, true = outputs.softmax(dim=1), functional.one_hot(codes, outputs.shape[1]).movedim(3, 1)
    predicted, true = predicted * counted.unsqueeze(1), true * counted.unsqueeze(1)
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


def _check_maps(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scores in single precision at least (sums over many pixels), the codes, and which pixels count.

    Pixels that do not count have the code 0 here.
    """
    if outputs.ndim != 4 or targets.shape != (outputs.shape[0], *outputs.shape[2:]):
        raise RecipeError(
            f"a loss of maps was given outputs {list(outputs.shape)} and targets {list(targets.shape)}; "
            "expected [rows, channels, height, width] and [rows, height, width] of the same size. "
            "Does the model give a map?"
        )
    codes = targets.to(outputs.device).long()
    counted = codes != IGNORED
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32)), codes * counted, counted

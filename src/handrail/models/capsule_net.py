"""The capsule network: convolution, primary capsules, and a capsule for each class."""

from itertools import pairwise
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, Initialisation, NonNegative
from handrail.components.pictures import Tiles
from handrail.errors import RecipeError
from handrail.layers.capsules import PrimaryCapsules, RoutedCapsules, length_scores
from handrail.layers.initialisations import initialise
from handrail.models.capsule_pictures import changed_numbers, couplings_shown, reconstructions
from handrail.shapes import ImageShape

_KERNEL = 9  # the paper's, for 28 pixels
_SMALLEST = 3
_STRIDE = 2  # of the primary capsules


@component("model", name="capsule_net")
class CapsuleNet(nn.Module):
    """Capsule network: convolution, primary capsules by convolution of stride 2, routing to class capsules.

    The length v of a class's capsule says whether the class is there; its score is log(v / (1 − v)), so that
    σ(score) is the length. Of two classes, one capsule stands for the second. A decoder gives the picture
    back from the capsules, those of other classes than the row's set to 0 (with several labels or values, all
    as they are), and `reconstruction` × the squared errors of the pixels of a row, summed, is added to its
    loss in training. Pixels are as the model is given them, by default standardised;
    `data.images.scaling: unit` has them from 0 to 1, as in the paper.

    Smaller than the paper's, which has 256 maps, 32 types, a decoder of 512 and 1,024 units and a sigmoid at
    its end, where this one is linear.

    Arguments:
        maps: of the first convolution.
        kernel: side of both convolutions' kernels, in pixels; by default 9, or a third of a smaller image.
        types: kinds of primary capsules, one of each at each position.
        primary: numbers of a primary capsule.
        dims: numbers of a class's capsule.
        iterations: of the routing by agreement.
        decoder: hidden units of the decoder, layer by layer.
        reconstruction: weight of the squared error of a pixel; 0 leaves the decoder out.
        initialisation: how the weights of convolutions and decoder begin.

    Raises: `RecipeError` for an image that is too small for the kernels.

    Source: Sabour, Frosst & Hinton 2017
    """

    rules: ClassVar[tuple[str, ...]] = ("gradient",)
    usual: ClassVar[dict[str, Any]] = {
        "gradient": {"optimizer": {"adam": {"learning_rate": 0.001}}, "schedule": "cosine"}
    }
    losses: ClassVar[dict[str, str]] = dict.fromkeys(("binary", "multi-class", "multi-label"), "margin")
    added_loss_from: ClassVar[tuple[str, ...]] = ("classes",)

    def __init__(
        self,
        inputs: ImageShape,
        outputs: int,
        *,
        maps: Count = 64,
        kernel: Count | None = None,
        types: Count = 8,
        primary: Count = 8,
        dims: Count = 16,
        iterations: Count = 3,
        decoder: list[Count] = [128, 256],  # noqa: B006 - never changed; shown as the default
        reconstruction: NonNegative = 0.0005,
        initialisation: Initialisation = "he",
    ) -> None:
        super().__init__()
        channels, *size = inputs
        side = min(size)
        kernel = max(_SMALLEST, min(_KERNEL, (side + 1) // 3)) if kernel is None else kernel
        if side < 2 * kernel - 1:
            raise RecipeError(
                f"model.capsule_net: found images of {size[0]}×{size[1]} pixels; two convolutions with "
                f"kernels of {kernel}×{kernel} need at least {2 * kernel - 1}×{2 * kernel - 1}. Set a "
                "smaller model.capsule_net.kernel, or choose another model."
            )
        self.shape, self.reconstruction = inputs, reconstruction
        self.grid = tuple((side - 2 * (kernel - 1) - 1) // _STRIDE + 1 for side in size)
        count = types * self.grid[0] * self.grid[1]
        self.features = nn.Sequential(nn.Conv2d(channels, maps, kernel), nn.ReLU())
        self.primary = PrimaryCapsules(maps, types=types, dims=primary, kernel=kernel, stride=_STRIDE)
        self.classes = RoutedCapsules(
            count, primary, outputs=outputs, output_dims=dims, iterations=iterations
        )
        self.decoder = _decoder([outputs * dims, *decoder, channels * size[0] * size[1]])
        if not reconstruction:
            self.decoder = None
        initialise(self, initialisation)

    def forward(self, x: Float[Tensor, "rows channels height width"]) -> Float[Tensor, "rows outputs"]:
        return length_scores(self.classes(self.primary(self.features(x))))

    def added_loss(
        self,
        inputs: Float[Tensor, "rows channels height width"],
        outputs: Float[Tensor, "rows outputs"],
        targets: Int64[Tensor, " rows"] | Float[Tensor, "rows outputs"],
        capsules: Float[Tensor, "rows outputs dims"],
    ) -> Float[Tensor, " rows"]:
        """Weight × Σ over the pixels of (x − x̂)², with x̂ decoded from the capsule of the row's class."""
        if self.decoder is None:
            return outputs.new_zeros(len(outputs))
        if not targets.is_floating_point():  # class numbers
            places = torch.arange(outputs.shape[1], device=targets.device)
            places = places + 1 if len(places) == 1 else places  # one capsule stands for the second of two
            capsules = capsules * (targets.unsqueeze(1) == places).unsqueeze(2)
        decoded = self.decode(capsules)
        return self.reconstruction * (inputs - decoded).square().flatten(1).sum(dim=1)

    def decode(
        self, capsules: Float[Tensor, "rows outputs dims"]
    ) -> Float[Tensor, "rows channels height width"]:
        """The pictures that class capsules stand for, as the model is given pictures."""
        assert self.decoder is not None, "reconstruction is 0"
        return self.decoder(capsules.flatten(1)).unflatten(1, self.shape)

    @torch.no_grad()
    def activity(self, x: Float[Tensor, "rows channels height width"]) -> list[Tiles]:
        """Who is routed where; what the capsules know of the rows, and what their numbers mean."""
        below = self.primary(self.features(x))
        shown: list[Tiles] = []
        if self.classes.outputs > 1:
            couplings = self.classes.couplings(below).unflatten(2, (-1, *self.grid))
            shown.append(couplings_shown(couplings.mean(dim=2)))
        if self.decoder is not None:
            capsules = self.classes(below)
            chosen = capsules * _longest(capsules).unsqueeze(2)
            shown.append(reconstructions(x, self.decode(chosen)))
            shown.append(changed_numbers(chosen[0], self.decode))
        return shown


def _longest(capsules: Float[Tensor, "rows outputs dims"]) -> Float[Tensor, "rows outputs"]:
    """1 for the longest capsule of each row, 0 for the others."""
    places = torch.arange(capsules.shape[1], device=capsules.device)
    return (capsules.square().sum(dim=2).argmax(dim=1, keepdim=True) == places).to(capsules.dtype)


def _decoder(widths: list[int]) -> nn.Sequential | None:
    """Layers with ReLU between them."""
    layers: list[nn.Module] = []
    for before, units in pairwise(widths):
        layers += [nn.Linear(before, units), nn.ReLU()]
    return nn.Sequential(*layers[:-1])

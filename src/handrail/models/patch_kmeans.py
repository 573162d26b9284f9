"""k-means on patches of pictures: codes say which of the centres are near to what is where."""

import copy
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, Positive
from handrail.errors import RecipeError
from handrail.layers.distances import squared_distances
from handrail.layers.patches import PatchCodes, WhitePatches
from handrail.models.kmeans import KMeans
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, NoTarget, describe

_AT_ONCE = 1 << 22  # distances
_PLACES = 8  # along a side, at most: patches that it learns from overlap by half or less


@component("model", name="patch_kmeans")
class PatchKMeans(KMeans):
    """k centres of patches, whose contrast is normalised and which are whitened; a stage below a network.

    It learns by `lloyd` from patches that lie on a grid, at most 8 × 8 of them in a picture; the whitening
    comes from training rows alone. The code of a picture is summed over each quarter, for all patches in it:
    f_k = Σ max(0, d̄ − d_k), with d_k the distance to centre k and d̄ the mean over all. A picture gets the
    mean squared distance of its patches to the nearest centre, by which training is validated.

    Arguments:
        clusters: k; the code has four numbers for each.
        patch: side of the patches, in pixels.
        stride: from one patch to the next, where pictures are coded.
        whitening: ε in (Σ + ε)^(−1/2), in units of the variance of a normalised pixel.

    Raises: `RecipeError` for patches larger than the pictures.

    Source: Coates, Lee & Ng 2011
    """

    alone: ClassVar[Alone] = Alone("clusters", epochs=30, batch_size=512, only_stage=True)
    rules: ClassVar[tuple[str, ...]] = ("lloyd",)
    setting: ClassVar[str] = "model.patch_kmeans.clusters"

    def __init__(
        self,
        inputs: ImageShape,
        outputs: NoTarget,
        *,
        clusters: Count = 100,
        patch: Count = 6,
        stride: Count = 1,
        whitening: Positive = 0.1,
    ) -> None:
        channels, *size = inputs
        if patch > min(size):
            raise RecipeError(
                f"model.patch_kmeans.patch: found {patch}, which is larger than {describe(inputs)}; expected "
                f"at most {min(size)}."
            )
        super().__init__(channels * patch**2, outputs, clusters=clusters)
        self.shape, self.stride = ImageShape(*inputs), stride
        self.patches = WhitePatches(channels, side=patch, whitening=whitening)
        positions = [side - patch + 1 for side in size]
        self.step = max(1, patch // 2, -(-max(positions) // _PLACES))
        self.places = (-(-positions[0] // self.step)) * (-(-positions[1] // self.step))

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows 1"]:
        parts = self.points(x).split(max(1, _AT_ONCE // len(self.centres)))
        squares = torch.cat([squared_distances(part, self.centres).amin(dim=1) for part in parts])
        return squares.view(len(x), -1).mean(dim=1, keepdim=True)

    def begin(self, rows: Float[Tensor, "rows width"]) -> None:
        """Learn to whiten."""
        self.patches.learn(rows.view(-1, *self.shape), stride=self.step)

    def points(self, rows: Float[Tensor, "rows ..."]) -> Float[Tensor, "points width"]:
        return self.patches(rows.reshape(-1, *self.shape), stride=self.step).flatten(0, 1)

    def coding_layers(self) -> nn.Sequential:
        """The codes of all patches, summed over each quarter: maps of 2 × 2."""
        patches = copy.deepcopy(self.patches)
        return nn.Sequential(PatchCodes(patches, self.centres.detach().clone(), stride=self.stride))

    @torch.no_grad()
    def encode(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows code"]:
        """The code of each picture, flat."""
        return self.coding_layers()(x.reshape(-1, *self.shape)).flatten(1)

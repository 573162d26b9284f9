"""The deconvolutional network: pictures put together from filters, at few places."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, Fraction
from handrail.components.pictures import Picture, Tiles
from handrail.errors import RecipeError
from handrail.layers.coding import Codes
from handrail.layers.feature_projection import SHOWN, projections_shown
from handrail.layers.sparse_maps import SparseMaps
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, InputShape, NoTarget

_SHOWN = 32  # filters of a layer
_WIDEST = 15  # kernel: what two filters have in common at all distances is kept

Pictures = Float[Tensor, "rows channels height width"]


@component("model")
class DeconvolutionalNetwork(Codes):
    """x ≈ Σₖ z₁ₖ ∗ f₁ₖ, z₁ ≈ Σₖ z₂ₖ ∗ f₂ₖ …: a picture is a sum of filters at few places, and maps of these
    places are such a picture themselves.

    A convolutional network goes from pixels to features; this one goes from features to pixels, by
    transposed convolutions. The features of a picture are not computed by weights of their own but looked
    for: those that give it back with the fewest (see `SparseMaps`). The code is the top layer's maps, and the
    reconstruction what they give, layer by layer.

    Arguments:
        inputs: pictures.
        maps: filters of each layer, the lowest first.
        kernel: side of the filters, an odd number.
        stride: pixels from place to place in each layer but the lowest, where it is 1.
        sparsity: near 0 all that helps may stand, near 1 nothing may.
        iterations: steps towards the maps of each layer.

    Raises: `RecipeError` for a kernel without a middle or of more than 15 pixels, and an empty list of maps.

    Source: Zeiler et al. 2010
    """

    alone: ClassVar[Alone] = Alone("reconstruction", epochs=50, batch_size=32)
    rules: ClassVar[tuple[str, ...]] = ("gradient",)
    smooth: ClassVar[bool] = False

    def __init__(
        self,
        inputs: ImageShape,
        outputs: NoTarget,
        *,
        maps: list[Count] = [16, 32],  # noqa: B006 - never changed; shown as the default
        kernel: Count = 5,
        stride: Count = 2,
        sparsity: Fraction = 0.03,
        iterations: Count = 20,
    ) -> None:
        super().__init__()
        where = "model.deconvolutional_network"
        if kernel % 2 == 0:
            raise RecipeError(
                f"{where}.kernel: found {kernel}; expected an odd number, such as {kernel + 1}."
            )
        if kernel > _WIDEST:
            raise RecipeError(f"{where}.kernel: found {kernel}; expected at most {_WIDEST}.")
        if not maps:
            raise RecipeError(f"{where}.maps: found an empty list; expected numbers of filters, as [16, 32].")
        self.shape = tuple(inputs)
        layers: list[SparseMaps] = []
        channels, size = inputs.channels, (inputs.height, inputs.width)
        how = {"kernel": kernel, "sparsity": sparsity, "iterations": iterations}
        for number, filters in enumerate(maps):
            step = stride if number else 1
            layers.append(SparseMaps(channels, filters, size=size, stride=step, **how))
            channels, size = filters, (-(-size[0] // step), -(-size[1] // step))
        self.encoder = nn.Sequential(*layers)
        self.top = (channels, *size)

    @property
    def layers(self) -> list[SparseMaps]:
        """The lowest first."""
        return [layer for layer in self.encoder if isinstance(layer, SparseMaps)]

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows width"]:
        return self.reconstruct(x)

    def encode(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows code"]:
        """The top layer's maps, flat, of pictures, flat or not."""
        return self.encoder(x.reshape(-1, *self.shape)).flatten(1)

    def decode(self, code: Float[Tensor, "rows code"]) -> Float[Tensor, "rows width"]:
        return self.down(code.unflatten(1, self.top)).flatten(1)

    def down(self, maps: Float[Tensor, "rows maps high wide"], layer: int | None = None) -> Pictures:
        """Pictures of the maps of a layer, counted from 0, or of the top one."""
        for each in reversed(self.layers[: None if layer is None else layer + 1]):
            maps = each.together(maps)
        return maps

    @torch.no_grad()
    def project(self, x: Pictures, layer: int, feature: int) -> Pictures:
        """What the strongest unit of a feature's map stands for in each picture, in its pixels; the rest is
        left out.

        Arguments:
            layer: counted from 0. feature: the map, counted from 0.
        """
        maps: Tensor = self.encoder[: layer + 1](x)
        features = torch.full((len(x),), feature, device=x.device)
        return self.down(_strongest_alone(maps, features), layer)

    def pictures(self, shape: InputShape) -> Sequence[Picture]:
        """The filters of each layer in pixels, the strongest first."""
        shown = []
        for number, layer in enumerate(self.layers):
            side = layer.weight.shape[-1]
            for lower in self.layers[:number][::-1]:
                side = (side - 1) * lower.stride + lower.weight.shape[-1]
            shown.append(self._filters(number, side, shape))
        return shown

    @torch.no_grad()
    def _filters(self, number: int, side: int, shape: InputShape) -> Tiles:
        """Those of a layer, in the middle of an empty picture that they fit into."""
        filters = self.layers[number].filters.detach().cpu().float()
        pictures = filters
        for lower in reversed(self.layers[:number]):
            pictures = nn.functional.conv_transpose2d(
                pictures, lower.filters.detach().cpu().float(), stride=lower.stride
            )
        order = pictures.flatten(1).norm(dim=1).argsort(descending=True)[:_SHOWN]
        note = f"{len(order)} of {len(pictures)} filters, the strongest first"
        note += "; means of the channels." if pictures.shape[1] > 1 else "."
        below = " Each is put together from those below." if number else ""
        return Tiles(
            f"Filters of layer {number + 1}", pictures[order].mean(dim=1).numpy(), note + below, signed=True
        )

    @torch.no_grad()
    def activity(self, x: Pictures) -> list[Tiles]:
        """Some rows, and the strongest features of each, projected back to its pixels."""
        maps = self.encoder(x)
        strongest = maps.flatten(2).amax(dim=2).argsort(dim=1, descending=True)[:, :SHOWN]
        back = [self.down(_strongest_alone(maps, features)) for features in strongest.unbind(dim=1)]
        return [projections_shown(x, torch.stack(back, dim=1), "of the top layer, alone, down to pixels")]


def _strongest_alone(
    maps: Float[Tensor, "rows maps high wide"], features: Int64[Tensor, " rows"]
) -> Float[Tensor, "rows maps high wide"]:
    """Of each row the strongest unit of one map alone."""
    own = maps.flatten(2)[torch.arange(len(maps)), features]
    best, place = own.max(dim=1)
    alone = torch.zeros_like(maps).flatten(2)
    alone[torch.arange(len(maps)), features, place] = best
    return alone.view_as(maps)

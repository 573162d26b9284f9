"""k-means: rows as members of the nearest of k centres."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count
from handrail.layers.distances import Nearness, squared_distances
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, NoTarget, SeriesShape, VolumeShape, numbers_in


@component("model", name="kmeans")
class KMeans(nn.Module):
    """k centres; a row belongs to the nearest, by ‖x − c‖² in the encoded columns.

    It learns by `lloyd`, which places the centres by k-means++ and moves each to the mean of its rows; by
    `gradient`, it follows the squared distance to the nearest centre, a batch at a time.

    Arguments:
        inputs: images, series and volumes are flattened.
        clusters: k.

    Source: Steinhaus 1956; MacQueen 1967; Lloyd 1982
    """

    alone: ClassVar[Alone] = Alone("clusters", epochs=300, batch_size=8192)
    rules: ClassVar[tuple[str, ...]] = ("lloyd", "gradient")
    setting: ClassVar[str] = "model.kmeans.clusters"  # as messages name it
    places = 1  # points in a row

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        clusters: Count = 8,
    ) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(clusters, numbers_in(inputs)))

    def begin(self, rows: Float[Tensor, "rows width"]) -> None:
        """Learn from a sample of rows what `points` needs."""

    def points(self, rows: Float[Tensor, "rows ..."]) -> Float[Tensor, "points width"]:
        """What centres are placed among: the rows, flat."""
        return rows.flatten(1)

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows clusters"]:
        return squared_distances(x.flatten(1), self.centres)

    def coding_layers(self) -> nn.Sequential:
        """How much nearer than the mean of all each centre is, or 0: max(0, d̄ − d_k). Source: Coates 2011"""
        return nn.Sequential(nn.Flatten(), Nearness(self.centres.detach().clone()))

    def encode(self, x: Float[Tensor, "rows width"]) -> Float[Tensor, "rows clusters"]:
        """The distance to each centre, in encoded units."""
        return self(x).sqrt()

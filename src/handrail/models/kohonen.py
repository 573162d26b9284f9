"""The Kohonen map: prototypes on a grid, of which neighbours are alike."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count
from handrail.errors import RecipeError
from handrail.layers.distances import squared_distances
from handrail.layers.grids import Grid
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, NoTarget, SeriesShape, VolumeShape, numbers_in

_AT_ONCE = 1 << 22  # lengths of ways


@component("model", name="kohonen")
class KohonenMap(nn.Module):
    """A self-organising map: a row goes to the unit k with the smallest ‖x − m_k‖², in the encoded columns.

    The prototypes m_k lie in the space of the rows and their units on a grid; the rule `kohonen` makes those
    of neighbouring units alike, so that the grid becomes a map of the rows.

    Arguments:
        inputs: images, series and volumes are flattened.
        height, width: rows and columns of units.
        grid: square, with eight neighbours a unit, or hexagonal, with six.

    Raises: `RecipeError` for a single unit.

    Source: Kohonen 1982
    """

    alone: ClassVar[Alone] = Alone("map", epochs=50, batch_size=8192, patience=None)
    rules: ClassVar[tuple[str, ...]] = ("kohonen",)

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        height: Count = 8,
        width: Count = 8,
        grid: Literal["square", "hexagonal"] = "square",
    ) -> None:
        super().__init__()
        if height * width < 2:
            raise RecipeError(
                "model.kohonen: found height=1 and width=1, expected at least 2 units: a single one makes no "
                "map."
            )
        self.grid = Grid(height, width, grid)
        self.prototypes = nn.Parameter(torch.randn(height * width, numbers_in(inputs)))

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows units"]:
        return squared_distances(x.flatten(1), self.prototypes)

    def encode(self, x: Float[Tensor, "rows width"]) -> Float[Tensor, "rows 2"]:
        """The place on the map of the nearest unit: x to the right, y downwards."""
        return self.grid.places.to(self.prototypes)[self(x).argmin(dim=1)]

    def decode(self, places: Float[Tensor, "rows 2"]) -> Float[Tensor, "rows width"]:
        """The prototype of the unit that lies nearest to each place."""
        return self.prototypes[squared_distances(places, self.grid.places.to(places)).argmin(dim=1)]

    def u_matrix(self) -> Float[Tensor, "height width"]:
        """The mean distance of each prototype from those of its neighbours: large where rows lie apart.

        Source: Ultsch & Siemon 1990
        """
        first, _ = self.grid.neighbours
        sums = torch.zeros(self.grid.units, dtype=torch.float64).index_add_(0, first, self._edges())
        means = sums / torch.bincount(first, minlength=self.grid.units)
        return means.unflatten(0, (self.grid.height, self.grid.width))

    def way_lengths(
        self, first: Int64[Tensor, " rows"], second: Int64[Tensor, " rows"]
    ) -> Float[Tensor, " rows"]:
        """The length of the shortest way from one prototype to another, over those of neighbouring units.

        Source: Kaski & Lagus 1996; Dijkstra 1959
        """
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import dijkstra

        size = self.grid.units
        edges = csr_array((self._edges().numpy(), tuple(self.grid.neighbours.numpy())), shape=(size, size))
        lengths = torch.empty(len(first), dtype=torch.float64)
        starts, places = first.unique(return_inverse=True)
        at_once = max(1, _AT_ONCE // size)
        for start in range(0, len(starts), at_once):
            some = ((places >= start) & (places < start + at_once)).nonzero().flatten()
            ways = torch.from_numpy(dijkstra(edges, indices=starts[start : start + at_once].numpy()))
            lengths[some] = ways[places[some] - start, second[some]]
        return lengths

    @torch.no_grad()
    def _edges(self) -> Float[Tensor, " pairs"]:
        """The distance between the prototypes of each pair of neighbours."""
        first, second = self.grid.neighbours
        prototypes = self.prototypes.detach().cpu().double()
        return (prototypes[first] - prototypes[second]).norm(dim=1)

"""Maps: units on a square or a hexagonal grid, and which of them lie beside each other."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

Form = Literal["square", "hexagonal"]
_REACH = {"square": 2.0, "hexagonal": 1.0}  # squared distance of a unit to its farthest neighbour
_ROUNDING = 1e-6
_AT_ONCE, _KEPT = 1 << 22, 1 << 20  # distances


@dataclass(frozen=True)
class Grid:
    """`height` × `width` units, counted row by row.

    On a square grid a unit has eight neighbours, those across a corner at distance √2. On a hexagonal one
    every second row is moved by half a unit, and the six neighbours of a unit all lie at distance 1.

    Source: Kohonen 1982
    """

    height: int
    width: int
    form: Form = "square"

    @property
    def units(self) -> int:
        return self.height * self.width

    @cached_property
    def places(self) -> Float[Tensor, "units 2"]:
        """x to the right and y downwards of each unit."""
        rows, columns = torch.meshgrid(torch.arange(self.height), torch.arange(self.width), indexing="ij")
        x, y = columns.double(), rows.double()
        if self.form == "hexagonal":
            x, y = x + 0.5 * (rows % 2), y * 0.75**0.5
        return torch.stack([x, y], dim=2).flatten(0, 1)

    def squares(self, units: Int64[Tensor, " some"]) -> Float[Tensor, "some units"]:
        """The squared distance on the map of some units from all."""
        return (self.places[units].unsqueeze(1) - self.places).square().sum(dim=2)

    def pieces(self) -> list[Int64[Tensor, " some"]]:
        """All units, so many at a time that their distances from all fit into memory."""
        return list(torch.arange(self.units).split(max(1, _AT_ONCE // self.units)))

    def pieces_apart(self) -> Iterable[tuple[Int64[Tensor, " some"], Float[Tensor, "some units"]]]:
        """The pieces and their squared distances from all; kept where they are few."""
        return self._kept or ((units, self.squares(units)) for units in self.pieces())

    @cached_property
    def _kept(self) -> list[tuple[Int64[Tensor, " some"], Float[Tensor, "some units"]]]:
        return [(units, self.squares(units)) for units in self.pieces()] if self.units**2 <= _KEPT else []

    def adjoin(
        self, first: Int64[Tensor, " pairs"], second: Int64[Tensor, " pairs"]
    ) -> Bool[Tensor, " pairs"]:
        """Whether the units of each pair are neighbours, or the same."""
        squares = (self.places[first] - self.places[second]).square().sum(dim=1)
        return squares <= _REACH[self.form] + _ROUNDING

    @cached_property
    def neighbours(self) -> Int64[Tensor, "2 pairs"]:
        """All pairs of neighbours, each both ways, in the order of the first."""
        found = []
        for units in self.pieces():
            some, others = (self.squares(units) <= _REACH[self.form] + _ROUNDING).nonzero(as_tuple=True)
            found.append(torch.stack([units[some], others]))
        pairs = torch.cat(found, dim=1)
        return pairs[:, pairs[0] != pairs[1]]

"""Grids of units: places, distances and neighbours against those counted by hand."""

import pytest
import torch

from handrail.layers.grids import Grid

SQUARE = {(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)} - {(0, 0)}
EVEN = {(0, -1), (0, 1), (-1, -1), (-1, 0), (1, -1), (1, 0)}  # of a hexagonal row that is not moved
ODD = {(0, -1), (0, 1), (-1, 0), (-1, 1), (1, 0), (1, 1)}


def steps(form: str, row: int) -> set[tuple[int, int]]:
    return SQUARE if form == "square" else (ODD if row % 2 else EVEN)


@pytest.mark.parametrize("form", ["square", "hexagonal"])
@pytest.mark.parametrize(("height", "width"), [(5, 4), (1, 6), (6, 1), (2, 2)])
def test_neighbours_are_those_of_the_steps_to_them(height, width, form):
    grid = Grid(height, width, form)
    expected = {
        (row * width + column, (row + down) * width + column + across)
        for row in range(height)
        for column in range(width)
        for down, across in steps(form, row)
        if 0 <= row + down < height and 0 <= column + across < width
    }
    pairs = grid.neighbours.T.tolist()
    assert {tuple(pair) for pair in pairs} == expected
    assert len(pairs) == len(expected)
    assert pairs == sorted(pairs)
    units = torch.arange(grid.units)
    adjoin = grid.adjoin(units.repeat_interleave(grid.units), units.repeat(grid.units))
    assert int(adjoin.sum()) == len(expected) + grid.units  # a unit adjoins itself


def test_six_neighbours_lie_equally_far():
    grid = Grid(5, 5, "hexagonal")
    squares = grid.squares(torch.tensor([12]))[0].sort().values
    torch.testing.assert_close(squares[:8], torch.tensor([0.0] + [1.0] * 6 + [3.0]).double())


def test_distances_are_those_of_the_places_however_many_pieces(monkeypatch):
    grid = Grid(7, 9, "hexagonal")
    whole = torch.cdist(grid.places, grid.places) ** 2
    monkeypatch.setattr("handrail.layers.grids._AT_ONCE", 200)
    assert len(grid.pieces()) > 10
    torch.testing.assert_close(torch.cat([grid.squares(units) for units in grid.pieces()]), whole)
    assert torch.equal(grid.neighbours, Grid(7, 9, "hexagonal").neighbours)

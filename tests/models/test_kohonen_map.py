"""The Kohonen map: borders, ways and places against loops written out."""

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import floyd_warshall

from handrail.components import build
from handrail.errors import RecipeError
from handrail.models.kohonen import KohonenMap
from handrail.shapes import ImageShape, NoTarget

NOTHING = NoTarget("map")


def a_map(form: str = "square", *, height: int = 4, width: int = 5, inputs: int = 3) -> KohonenMap:
    torch.manual_seed(0)
    return build("model", {"kohonen": {"height": height, "width": width, "grid": form}}, inputs, NOTHING)


def beside(a: tuple[int, int], b: tuple[int, int], form: str) -> bool:
    """By rows and columns alone."""
    down, across = b[0] - a[0], b[1] - a[1]
    if form == "square":
        return max(abs(down), abs(across)) == 1
    right = across + (b[0] % 2 - a[0] % 2) / 2  # how far to the right b lies
    return (down == 0 and abs(right) == 1) or (abs(down) == 1 and abs(right) == 0.5)


@pytest.mark.parametrize("form", ["square", "hexagonal"])
def test_the_u_matrix_is_the_mean_distance_to_the_neighbours(form):
    """Ultsch & Siemon 1990."""
    model = a_map(form)
    prototypes = model.prototypes.detach().numpy().reshape(4, 5, 3)
    places = [(row, column) for row in range(4) for column in range(5)]
    found = model.u_matrix().numpy()
    for place in places:
        gaps = [
            np.linalg.norm(prototypes[place] - prototypes[other])
            for other in places
            if beside(place, other, form)
        ]
        assert found[place] == pytest.approx(np.mean(gaps), rel=1e-6)


@pytest.mark.parametrize("form", ["square", "hexagonal"])
def test_ways_are_the_shortest_over_neighbours(form, monkeypatch):
    """Floyd & Warshall, on a table of all units."""
    monkeypatch.setattr("handrail.models.kohonen._AT_ONCE", 60)  # three units at a time
    model = a_map(form)
    prototypes = model.prototypes.detach().double().numpy()
    places = [(row, column) for row in range(4) for column in range(5)]
    edges = np.array([[beside(a, b, form) for b in places] for a in places])
    lengths = np.linalg.norm(prototypes[:, None] - prototypes, axis=2)
    expected = floyd_warshall(np.where(edges, lengths, np.inf))
    first, second = torch.randint(20, (2, 300))
    np.testing.assert_allclose(model.way_lengths(first, second).numpy(), expected[first, second], rtol=1e-9)


def test_equal_prototypes_lie_no_way_apart():
    model = a_map()
    with torch.no_grad():
        model.prototypes.zero_()
    assert not model.way_lengths(torch.tensor([0, 3]), torch.tensor([19, 3])).any()


@pytest.mark.parametrize("form", ["square", "hexagonal"])
def test_a_prototype_has_its_own_place_and_comes_back_from_it(form):
    model = a_map(form)
    with torch.no_grad():
        places = model.encode(model.prototypes)
        torch.testing.assert_close(places, model.grid.places.float())
        torch.testing.assert_close(model.decode(places + 0.1), model.prototypes)


def test_pictures_are_flattened():
    model = KohonenMap(ImageShape(1, 4, 5), NOTHING, height=2, width=3)
    assert model(torch.rand(7, 1, 4, 5)).shape == (7, 6)


def test_a_single_unit_is_refused():
    with pytest.raises(RecipeError, match=r"found height=1 and width=1, expected at least 2 units"):
        a_map(height=1, width=1)

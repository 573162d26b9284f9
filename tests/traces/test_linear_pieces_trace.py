"""Linear pieces: 2ᴸ by L layers of two units, n + 1 at most by one layer, beside torch's own networks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import handrail
from handrail.components.pictures import Lines
from handrail.errors import RecipeError

COUNTED = "Pieces of L layers, and of one layer with as many units"


def deep(layers: int) -> nn.Sequential:
    """The same layers in torch, whose weights take h₁ − h₂ in."""
    parts: list[nn.Module] = []
    for layer in range(layers):
        linear = nn.Linear(1 if layer == 0 else 2, 2, dtype=torch.float64)
        scale = torch.tensor([[2.0], [4.0]]) * (
            torch.ones(1, 1) if layer == 0 else torch.tensor([[1.0, -1.0]])
        )
        linear.load_state_dict({"weight": scale, "bias": torch.tensor([0.0, -2.0])})
        parts += [linear, nn.ReLU()]
    last = nn.Linear(2, 1, bias=False, dtype=torch.float64)
    last.load_state_dict({"weight": torch.tensor([[1.0, -1.0]])})
    return nn.Sequential(*parts, last)


def pieces_by_slope(network: nn.Module, x: Tensor) -> int:
    """Changes of the slope that autograd gives in the middle between places."""
    middle = ((x[1:] + x[:-1]) / 2)[:, None].requires_grad_()
    (slopes,) = torch.autograd.grad(network(middle).sum(), middle)
    return 1 + int((slopes.diff(dim=0).abs() > 1e-6).sum())


def test_five_layers_make_32_pieces() -> None:
    table = handrail.trace("linear_pieces")[COUNTED]
    assert table["pieces"].tolist() == [2, 4, 8, 16, 32]
    assert table["on a grid"].tolist() == [2, 4, 8, 16, 32]
    assert table["one layer"].tolist() == [3, 5, 7, 9, 11]
    assert table["needed"][-1] == 31


def test_knots_lie_where_a_piece_is_folded() -> None:
    knots = (
        handrail.trace("linear_pieces")["Where the first layers bend the line"].frame["new knots"].to_list()
    )
    assert knots == [[0.5], [0.25, 0.75], [0.125, 0.375, 0.625, 0.875]]


@pytest.mark.parametrize("layers", [1, 3, 6, 12])
def test_the_network_is_that_of_torch(layers: int) -> None:
    """By its values at places, and by its slopes."""
    x = torch.linspace(0, 1, 4 * 2**layers + 1, dtype=torch.float64)
    trace = handrail.trace("linear_pieces", layers=layers, place=0.3)
    assert pieces_by_slope(deep(layers), x) == trace[COUNTED]["pieces"][-1]
    end = trace["One place through the layers"]["y new"][-1]
    assert end == pytest.approx(deep(layers)(torch.tensor([[0.3]], dtype=torch.float64)).item(), abs=1e-6)
    _, both = trace.pictures
    assert isinstance(both, Lines)
    values = deep(layers)(torch.from_numpy(both.x)[:, None])[:, 0].detach().numpy()
    assert both.curves[f"L = {layers}"] == pytest.approx(values, abs=1e-6)


def test_the_single_layer_is_that_of_torch() -> None:
    trace = handrail.trace("linear_pieces", shown=99)
    units = trace["Units of the single layer"]
    _, both = trace.pictures
    assert isinstance(both, Lines)
    hidden = torch.relu(torch.from_numpy(np.outer(both.x, units["w"]) + units["b"]))
    values = (hidden @ torch.from_numpy(units["a"])).numpy()
    assert both.curves["one layer of 10"] == pytest.approx(values, abs=1e-6)
    at_knots = np.interp(units["knot"], both.x, both.curves["one layer of 10"])
    assert at_knots == pytest.approx([0, 1] * 5, abs=1e-6)


@given(st.integers(0, 10_000), st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_one_layer_never_makes_more_than_its_units_and_one(seed: int, units: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    network = nn.Sequential(nn.Linear(1, units), nn.ReLU(), nn.Linear(units, 1)).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(generator=generator)
    hidden = network[0]
    assert isinstance(hidden, nn.Linear)
    knots = (-hidden.bias / hidden.weight[:, 0]).detach().sort().values
    places = torch.cat([knots[:1] - 1, knots, knots[-1:] + 1])
    assert pieces_by_slope(network, places) <= units + 1


def test_many_units_are_cut_and_layers_have_an_end() -> None:
    table = handrail.trace("linear_pieces", shown=3)["Units of the single layer"]
    assert len(table) == 3
    assert "The first 3 of 10" in table.note
    with pytest.raises(RecipeError, match="layers"):
        handrail.trace("linear_pieces", layers=13)

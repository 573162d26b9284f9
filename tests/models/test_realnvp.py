"""The normalising flow: its determinant against autograd, its inverse, its total, and its refusals."""

import math

import pytest
import torch

from handrail.components import build
from handrail.errors import RecipeError
from handrail.models.realnvp import RealNVP
from handrail.shapes import ImageShape, NoTarget, TableShape


def flow(inputs, **settings) -> RealNVP:
    torch.manual_seed(0)
    model = build("model", {"realnvp": settings}, inputs, NoTarget("density"))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))  # away from the identity
    return model.double()


@pytest.mark.parametrize("inputs", [2, 5, ImageShape(1, 2, 3)])
def test_the_density_is_that_of_the_map(inputs):
    """log N(f(x); 0, I) + log |∂f/∂x|, with the determinant by autograd. Source: Dinh et al. 2017"""
    model = flow(inputs, couplings=4, hidden=[8])
    x = torch.randn(3, model.width, dtype=torch.float64)
    for row, found in zip(x, model.score(x), strict=True):
        slopes = torch.autograd.functional.jacobian(lambda some: model.encode(some[None])[0], row)
        code = model.encode(row[None])[0]
        expected = torch.linalg.slogdet(slopes).logabsdet - code.square().sum() / 2
        torch.testing.assert_close(found, expected - model.width * math.log(2 * math.pi) / 2)


def test_a_code_leads_back_to_its_row():
    model = flow(7)
    x = torch.randn(20, 7, dtype=torch.float64)
    torch.testing.assert_close(model.decode(model.encode(x)), x)


def test_the_density_sums_to_one():
    model = flow(2, couplings=4, hidden=[8])
    side = torch.linspace(-30, 30, 1501, dtype=torch.float64)
    with torch.no_grad():
        total = model.score(torch.cartesian_prod(side, side)).exp().sum() * (side[1] - side[0]) ** 2
    assert float(total) == pytest.approx(1, abs=0.01)


def test_what_has_no_density_is_refused():
    with pytest.raises(RecipeError, match=r"realnvp: found 1 number a row, expected two"):
        flow(1)
    with pytest.raises(RecipeError, match=r"the rows hold categories and 0 or 1 .*model=vae"):
        flow(TableShape(4, bits=(0,), choices=((2, 3),)))

"""The radial basis network against its formula, and what it learns in both ways."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from handrail.components import build
from handrail.errors import RecipeError
from handrail.models.rbf import RBF
from handrail.sklearn import NetworkClassifier, NetworkRegressor

BASES: dict[str, Any] = {
    "gaussian": lambda r: np.exp(-(r**2) / 2),
    "multiquadric": lambda r: np.sqrt(1 + r**2),
    "inverse_multiquadric": lambda r: 1 / np.sqrt(1 + r**2),
    "thin_plate": lambda r: r**2 * np.log(r),
}
SOLVED: dict[str, Any] = {"learning": "least_squares", "epochs": 2, "random_state": 0}


def _network(inputs: int = 3, outputs: int = 2, **settings: Any) -> RBF:
    torch.manual_seed(0)
    return build("model", {"rbf": settings}, inputs, outputs).double()


def _rows(rows: int = 20, columns: int = 3) -> Tensor:
    return torch.randn(rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def _numpy(model: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy() for name, value in model.named_parameters()}


@pytest.mark.parametrize("local_linear", [False, True])
@pytest.mark.parametrize("basis", BASES)
def test_the_answer_is_the_formulas(basis: str, local_linear: bool) -> None:
    """Broomhead & Lowe 1988; with lines Σ(aᵢᵀx + bᵢ)φ(x, θᵢ), as the lecture 004 has them."""
    model = _network(units=5, basis=basis, local_linear=local_linear)
    own, x = _numpy(model), _rows().numpy()
    widths = np.exp(own["units.log_widths"])
    distances = np.linalg.norm(x[:, None] - own["units.centres"], axis=2)
    phi = BASES[basis](distances / widths)
    expected = phi @ own["head.weight"][:, :5].T + own["head.bias"]
    if local_linear:
        slopes = own["head.weight"][:, 5:].reshape(2, 5, 3)
        expected += np.einsum("nk,okd,nd->no", phi, slopes, x)
    np.testing.assert_allclose(model(_rows()).detach().numpy(), expected, atol=1e-10)


def test_lines_without_a_slope_are_the_plain_network() -> None:
    """At aᵢ = 0 (lecture 004) both give the same numbers."""
    plain, lines = _network(units=5), _network(units=5, local_linear=True)
    with torch.no_grad():
        for ours, theirs in zip(lines.units.parameters(), plain.units.parameters(), strict=True):
            ours.copy_(theirs)
        lines.head.weight.zero_()
        lines.head.weight[:, :5] = plain.head.weight
        lines.head.bias.copy_(plain.head.bias)
    torch.testing.assert_close(lines(_rows()), plain(_rows()), rtol=0, atol=1e-12)


def test_widths_are_the_distances_to_the_two_nearest_centres() -> None:
    """Moody & Darken 1989: the root mean square of both."""
    model = _network(2, 1, units=4)
    model.units.place(torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0], [30.0, 40.0]]))
    widths = model.units.log_widths.exp().tolist()
    expected = [np.sqrt((9 + 16) / 2), np.sqrt((9 + 25) / 2), np.sqrt((16 + 25) / 2)]
    np.testing.assert_allclose(widths[:3], expected)
    assert _network(2, 1, units=4, width=0.5).units.log_widths.exp().tolist() == pytest.approx([0.5] * 4)
    one = _network(4, 1, units=1).units
    assert one.log_widths.exp().tolist() == pytest.approx([2])


def test_a_unit_answers_most_at_its_centre_and_has_a_gradient_there() -> None:
    for basis in BASES:
        units = _network(units=5, basis=basis).units
        rows = units.centres.detach().clone().requires_grad_()
        answers = units(rows)
        answers.sum().backward()
        assert rows.grad is not None
        assert rows.grad.isfinite().all()
        peak = answers.diagonal() == answers.amax(dim=0)
        assert bool(peak.all()) == (basis in ("gaussian", "inverse_multiquadric"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"basis": "cubic"}, "gaussian"), ({"width": 0.0}, "width"), ({"units": 0}, "units")],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        _network(**settings)


def two_spirals(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One and a half turns each, with noise of 0.02 in a circle of radius 1."""
    chance = np.random.default_rng(seed)
    codes, radius = np.arange(rows) % 2, np.sqrt(chance.uniform(0.02, 1, rows))
    angle = 3 * np.pi * radius + np.pi * codes
    points = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    return points + chance.normal(0, 0.02, points.shape), codes


_BY_GRADIENT: dict[str, Any] = {
    "learning": {"gradient": {"optimizer": {"adamw": {"learning_rate": 0.02}}}},
    "epochs": 40,
    "random_state": 0,
}


@pytest.mark.parametrize("learning", [SOLVED, _BY_GRADIENT], ids=["least_squares", "gradient"])
def test_it_parts_two_spirals_in_both_ways_where_a_line_does_not(learning: dict[str, Any]) -> None:
    """Measured on 2,000 fresh rows: 1.000 in both ways, 0.648 for a linear model."""
    rows, fresh = two_spirals(800, 0), two_spirals(2000, 1)
    line = NetworkClassifier(model="linear", epochs=20, random_state=0).fit(*rows)
    assert line.score(*fresh) < 0.7
    assert NetworkClassifier(model="rbf", **learning).fit(*rows).score(*fresh) > 0.99


@pytest.mark.parametrize("basis", BASES)
def test_every_basis_parts_two_spirals(basis: str) -> None:
    """Measured: 0.996 for thin_plate, 1.000 for the others."""
    model = NetworkClassifier(model={"rbf": {"basis": basis}}, **SOLVED).fit(*two_spirals(800, 0))
    assert model.score(*two_spirals(2000, 1)) > 0.99


def test_lines_suit_a_law_in_flat_pieces() -> None:
    """|x₀| + max(0, x₁ − x₀) − ½·max(0, −x₁): 10 units with lines have as many weights as 30 without, 31.

    Measured over three draws of k-means: errors of 0.065 … 0.071 with lines, 0.101 … 0.126 without.
    """

    def law(x: np.ndarray) -> np.ndarray:
        return np.abs(x[:, 0]) + np.maximum(0, x[:, 1] - x[:, 0]) - 0.5 * np.maximum(0, -x[:, 1])

    chance = np.random.default_rng(0)
    x, fresh = chance.uniform(-2, 2, (500, 2)), chance.uniform(-2, 2, (4000, 2))

    def error(**settings: Any) -> float:
        model = NetworkRegressor(model={"rbf": settings}, **SOLVED).fit(x, law(x))
        return float(np.sqrt(np.mean((model.predict(fresh) - law(fresh)) ** 2)))

    assert error(units=10, local_linear=True) < 0.75 * error(units=30)

"""Initialisations: the statistics that their papers ask for, from the given generator alone."""

import math

import pytest
import torch
from torch import Tensor, nn

from handrail.components import available, build
from handrail.errors import RecipeError
from handrail.layers.initialisations import initialise


def _filled(spec: object, *shape: int, seed: int = 0) -> Tensor:
    weight = torch.full(shape, torch.nan)
    build("initialisation", spec)(weight, torch.Generator().manual_seed(seed))
    return weight


@pytest.mark.parametrize(
    ("spec", "variance"),
    [
        ({"small_random": {"std": 0.02}}, 0.02**2),
        ("xavier", 2 / (300 + 200)),
        ({"xavier": {"distribution": "normal", "gain": 2.0}}, 4 * 2 / (300 + 200)),
        ("he", 2 / 300),
        ({"he": {"distribution": "uniform", "negative_slope": 0.5}}, 2 / (1.25 * 300)),
        ("torch_default", 1 / (3 * 300)),
    ],
)
def test_variance(spec: object, variance: float) -> None:
    weight = _filled(spec, 200, 300)
    assert weight.mean().abs() < 4 * math.sqrt(variance / weight.numel())
    assert weight.var().item() == pytest.approx(variance, rel=0.03)


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_distributions_have_their_shape(distribution: str) -> None:
    for name in ("xavier", "he"):
        weight = _filled({name: {"distribution": distribution}}, 200, 300)
        kurtosis = ((weight / weight.std()) ** 4).mean().item()
        assert kurtosis == pytest.approx({"uniform": 1.8, "normal": 3.0}[distribution], abs=0.15)


def test_he_counts_the_whole_receptive_field_of_a_convolution() -> None:
    assert _filled("he", 64, 32, 3, 3).var().item() == pytest.approx(2 / (32 * 9), rel=0.05)


@pytest.mark.parametrize("shape", [(20, 50), (50, 20)])
def test_orthogonal(shape: tuple[int, int]) -> None:
    weight = _filled({"orthogonal": {"gain": 3.0}}, *shape)
    square = weight @ weight.T if shape[0] <= shape[1] else weight.T @ weight
    torch.testing.assert_close(square, 9 * torch.eye(20), atol=1e-4, rtol=0)


def test_sparse_gives_each_unit_its_count_of_connections() -> None:
    weight = _filled("sparse", 400, 200)
    assert ((weight != 0).sum(dim=1) == 15).all()
    values = weight[weight != 0]
    assert values.std().item() == pytest.approx(1.0, rel=0.05)
    # Every input is chosen about equally often: 400 · 15 / 200 = 30 times, binomially.
    uses = (weight != 0).sum(dim=0).float()
    assert uses.min() > 10
    assert uses.max() < 55


def test_sparse_with_fewer_inputs_than_connections_and_in_convolutions() -> None:
    assert (_filled("sparse", 6, 4) != 0).all()
    kernel = _filled({"sparse": {"connections": 3, "std": 0.5}}, 8, 2, 3, 3)
    assert ((kernel.flatten(1) != 0).sum(dim=1) == 3).all()


@pytest.mark.parametrize("name", list(available("initialisation")))
def test_only_the_given_generator_counts(name: str) -> None:
    before = torch.get_rng_state()
    first, second, other = (_filled(name, 30, 40, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert first.isfinite().all()
    assert torch.equal(torch.get_rng_state(), before)


def test_torch_default_is_what_torch_does() -> None:
    torch.manual_seed(11)
    theirs = nn.Sequential(nn.Linear(7, 5), nn.Conv2d(3, 4, 3))
    ours = nn.Sequential(nn.Linear(7, 5), nn.Conv2d(3, 4, 3))
    initialise(ours, "torch_default", generator=torch.Generator().manual_seed(11))
    for name, parameter in ours.named_parameters():
        assert torch.equal(parameter, theirs.get_parameter(name)), name


def test_initialise_fills_linear_and_convolution_layers_and_leaves_the_rest() -> None:
    net = nn.Sequential(
        nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.Linear(8, 5, bias=False), nn.Linear(5, 2), nn.PReLU()
    )
    initialise(net, {"small_random": {"std": 1e-6}}, generator=torch.Generator().manual_seed(0))
    for name in ("0.weight", "2.weight", "3.weight"):
        assert 0 < net.get_parameter(name).abs().max() < 1e-5
    for name in ("0.bias", "3.bias"):
        assert not net.get_parameter(name).any()
    assert torch.equal(net.get_parameter("1.weight"), torch.ones(3))
    assert net.get_parameter("4.weight").item() == 0.25
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_initialise_takes_a_function() -> None:
    net = nn.Linear(2, 2)
    initialise(net, lambda weight, generator: nn.init.constant_(weight, 3.0), generator=torch.Generator())
    assert torch.equal(net.weight, torch.full((2, 2), 3.0))


def test_mistakes_are_named() -> None:
    with pytest.raises(RecipeError, match="Did you mean 'xavier'"):
        initialise(nn.Linear(1, 1), "xaver", generator=torch.Generator())
    with pytest.raises(RecipeError, match=r"std: found 0.0; expected greater than 0"):
        initialise(nn.Linear(1, 1), {"small_random": {"std": 0.0}}, generator=torch.Generator())

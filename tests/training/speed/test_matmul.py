"""Float32 products by the quicker library: still float32, and only where steps are large."""

import pytest
import torch
from torch import nn

from handrail.training.speed import matmul as products
from handrail.training.speed.matmul import quick_products, stays_float32


def _setting() -> str:
    return torch.backends.mkldnn.matmul.fp32_precision  # pyright: ignore[reportAttributeAccessIssue]


@pytest.fixture
def able(monkeypatch):
    """As on a processor where it pays."""
    monkeypatch.setattr(products, "stays_float32", lambda: True)


def test_answers_are_as_precise_as_float32():
    if not stays_float32():
        pytest.skip("this processor has no use for it")
    torch.manual_seed(0)
    network, rows = nn.Linear(108, 128), torch.randn(1024, 108)
    with torch.no_grad(), quick_products(network, rows, 1024):
        assert _setting() == "bf16"
        outputs = network(rows)
        exact = nn.functional.linear(rows.double(), network.weight.double(), network.bias.double())
    assert float((outputs - exact).abs().max() / exact.abs().max()) < 1e-6


def test_is_put_back(able):
    before = _setting()
    with quick_products(nn.Linear(100, 100), torch.zeros(8, 100), 4096):
        assert _setting() == "bf16"
    assert _setting() == before


@pytest.mark.parametrize(
    ("rows", "size"),
    [
        (torch.zeros(8, 100), 32),
        (torch.zeros(8, 3, 100), 4096),
        (torch.zeros(8, 100, dtype=torch.float64), 4096),
        (None, 4096),
    ],
    ids=["small steps", "other shapes", "double precision", "elsewhere"],
)
def test_is_left_alone(able, rows, size):
    before = _setting()
    with quick_products(nn.Linear(100, 100), rows, size):
        assert _setting() == before


def test_processors_that_would_round_are_left_alone(monkeypatch):
    stays_float32.cache_clear()
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert not stays_float32()
    stays_float32.cache_clear()

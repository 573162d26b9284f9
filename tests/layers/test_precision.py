"""Lower precision: near the network itself, weights and answers in float32, and the network itself where
there are no units.
"""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from handrail.layers import precision
from handrail.layers.convolution import ConvAct
from handrail.layers.precision import Lowered, has_fast_bfloat16


def images(rows: int = 16) -> Tensor:
    return torch.randn(rows, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        ConvAct(3, 6, pooling="max"),
        ConvAct(6, 32, normalisation="batch"),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 4),
    )


@pytest.fixture
def units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: True)


@pytest.fixture
def no_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: False)


@pytest.mark.usefixtures("units")
@pytest.mark.parametrize("training", [True, False])
def test_answers_and_gradients_are_near_in_float32(training: bool) -> None:
    plain, lowered = network().train(training), Lowered(network()).train(training)
    x = images()
    outputs, expected = lowered(x), plain(x)
    assert outputs.dtype == torch.float32
    assert not torch.equal(outputs, expected), "nothing was lowered"
    torch.testing.assert_close(outputs, expected, rtol=0.03, atol=0.03)
    for model in (plain, lowered):
        functional.cross_entropy(model(x), torch.arange(16) % 4).backward()
    for ours, theirs in zip(lowered.parameters(), plain.parameters(), strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        assert ours.dtype == ours.grad.dtype == torch.float32
        similarity = functional.cosine_similarity(ours.grad.flatten(), theirs.grad.flatten(), dim=0)
        assert similarity > 0.98 or theirs.grad.norm() < 1e-3


@pytest.mark.usefixtures("units")
def test_double_precision_and_other_kinds_of_rows_pass_through() -> None:
    lowered = Lowered(network().double().eval())
    assert torch.equal(lowered(images().double()), lowered.network(images().double()))
    tokens = Lowered(nn.Sequential(nn.Embedding(5, 16), nn.Flatten(), nn.Linear(32, 2)))
    assert tokens(torch.tensor([[1, 2], [0, 4]])).dtype == torch.float32


@pytest.mark.usefixtures("no_units")
def test_without_units_it_is_the_network_to_the_bit() -> None:
    assert torch.equal(Lowered(network())(images()), network()(images()))


def test_the_question_is_answered_for_every_kind_of_device() -> None:
    assert isinstance(has_fast_bfloat16("cpu"), bool)
    assert has_fast_bfloat16("cuda") is (torch.cuda.is_available() and torch.cuda.is_bf16_supported())
    assert not has_fast_bfloat16("mps")

"""Attention token by token, beside torch's and the library's own layer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import handrail
from handrail.components.pictures import Cells
from handrail.errors import DataError
from handrail.layers.attention import SelfAttention
from handrail.traces.given import Given, given_by
from handrail.traces.layers.attention import attention
from handrail.traces.trace import Trace

EVERY: dict[str, Any] = {"tokens": 99, "numbers": 99}


def follow(**settings: Any) -> Trace:
    return handrail.trace("attention", **settings)


def drawn(trace: Trace) -> np.ndarray:
    (picture,) = trace.pictures
    assert isinstance(picture, Cells)
    return picture.values[0]


class Masked(nn.Module):
    """A model that says which tokens are there."""

    def __init__(self, layer: SelfAttention, there: list[bool]) -> None:
        super().__init__()
        self.layer, self.there = layer, torch.tensor([there])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x, self.there)


def test_the_example_has_round_numbers() -> None:
    trace = follow()
    assert trace["Queries, keys and values"]["q"].tolist() == [
        [0, 2, 0, 1],
        [1, 0, 2, 0],
        [1, 2, 0, 0],
        [0, 2, 1, 1],
    ]
    looks = trace["Who looks at whom"]
    assert looks["q·k/√d"][:4].tolist() == [0, 2.5, 0.5, 1]
    powers = np.exp([0, 2.5, 0.5, 1])
    assert looks["softmax"][:4] == pytest.approx(powers / powers.sum())
    assert trace["What each takes"]["looks most at"].tolist() == ["cat", "sees", "cat", "cat"]


@pytest.mark.parametrize("causal", [False, True])
def test_outputs_are_those_of_torch(causal: bool) -> None:
    rng = np.random.default_rng(1)
    x, asks, offers, gives = (rng.normal(size=size) for size in ((5, 6), (3, 6), (3, 6), (4, 6)))
    trace = follow(
        **{"inputs": x.tolist(), "query_weights": asks.tolist(), "key_weights": offers.tolist()},
        **{"value_weights": gives.tolist(), "causal": causal, **EVERY},
    )
    queries, keys, values = (torch.from_numpy(x @ weights.T)[None] for weights in (asks, offers, gives))
    wanted = functional.scaled_dot_product_attention(queries, keys, values, is_causal=causal)
    assert trace["What each takes"]["output"] == pytest.approx(wanted[0].numpy(), abs=1e-12)
    assert drawn(trace).sum(axis=1) == pytest.approx(1)
    assert len(trace["Who looks at whom"]) == (15 if causal else 25)


@pytest.mark.parametrize("causal", [False, True])
def test_the_first_attention_of_a_network_is_followed(causal: bool) -> None:
    layer, x = SelfAttention(6, 2, causal=causal), torch.randn(1, 4, 6)
    trace = attention(Given(layer, "regression", x, None, (), "a row"), head=1, **EVERY)
    assert drawn(trace) == pytest.approx(layer.weights(x)[0, 1].detach().numpy(), abs=1e-6)


@pytest.mark.parametrize("causal", [False, True])
def test_padding_is_not_looked_at(causal: bool) -> None:
    layer, x, there = SelfAttention(6, 3, causal=causal), torch.randn(1, 4, 6), [True, True, True, False]
    trace = attention(Given(Masked(layer, there), "regression", x, None, (), "a row"), **EVERY)
    wanted = layer.weights(x, torch.tensor([there]))[0, 0].detach().numpy()
    assert drawn(trace) == pytest.approx(wanted, abs=1e-6)


def test_a_run_is_followed_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    changes = {"model": {"transformer": {"width": 8, "layers": 1, "heads": 2}}, "training.epochs": 1}
    run = handrail.fit(
        "toy:moods,rows=60", changes={**changes, "evaluation.resamples": 100}, out=tmp_path / "run"
    )
    given = given_by(run, None, 0)
    assert given is not None
    model: Any = given.model
    trace = follow(run=run, head=1, tokens=3)
    wanted = model.attention_maps(given.inputs)[0, 0, 1].numpy()
    assert drawn(trace) == pytest.approx(wanted, abs=1e-6)
    assert f"{len(wanted) - 3} more of {len(wanted)} tokens are left out" in trace["What each takes"].note
    with pytest.raises(DataError, match="head: found 2, expected a number from 0 to 1"):
        follow(run=run, head=2)
    with pytest.raises(DataError, match="causal: without effect"):
        follow(run=run, causal=True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"inputs": [[1, 2]]}, "query_weights: found 4×4 numbers, expected any×2"),
        ({"key_weights": [[1, 2, 3, 4]]}, "key_weights: found 1×4 numbers, expected 4×4"),
        ({"words": ["a"]}, "words: found 1, expected 4"),
        ({"head": 1}, "the example has one"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        follow(**settings)


def test_a_network_without_attention_is_refused() -> None:
    with pytest.raises(DataError, match="found no self-attention in its network, Linear"):
        attention(Given(nn.Linear(2, 1), "regression", torch.zeros(1, 2), None, (), "a row"))

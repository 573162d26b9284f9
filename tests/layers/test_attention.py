"""Attention against its formula and torch's own layer; what is hidden stays hidden; positions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from handrail.errors import DataError, RecipeError
from handrail.layers.attention import AdditiveAttention, SelfAttention, TransformerBlock
from handrail.layers.steps import LearnedPositions, SinusoidalPositions


def _rows(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _there(stops: list[int], length: int) -> Tensor:
    return torch.arange(length) < torch.tensor(stops).unsqueeze(1)


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _by_formula(layer: SelfAttention, x: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One row [length, width], head by head: what comes out, and the weights."""
    weight, bias = layer.mix_in.weight.detach().numpy(), layer.mix_in.bias.detach().numpy()
    queries, keys, values = np.split(x @ weight.T + bias, 3, axis=1)
    d = x.shape[1] // layer.heads
    heads, weights = [], []
    for head in range(layer.heads):
        own = slice(head * d, (head + 1) * d)
        scores = queries[:, own] @ keys[:, own].T / np.sqrt(d)
        weights.append(_softmax(np.where(seen, scores, -np.inf)))
        heads.append(weights[-1] @ values[:, own])
    out = (
        np.concatenate(heads, axis=1) @ layer.mix_out.weight.detach().numpy().T
        + layer.mix_out.bias.detach().numpy()
    )
    return out, np.stack(weights)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 6), st.booleans(), st.data())
def test_attention_is_the_printed_formula(
    heads: int, d: int, length: int, causal: bool, data: st.DataObject
) -> None:
    stops = data.draw(st.lists(st.integers(1, length), min_size=2, max_size=2))
    layer, x, there = (
        SelfAttention(heads * d, heads, causal=causal),
        _rows(2, length, heads * d),
        _there(stops, length),
    )
    out, weights = layer(x, there), layer.weights(x, there)
    for row in range(2):
        seen = np.broadcast_to(there[row].numpy(), (length, length)) & (
            np.tri(length, dtype=bool) | (not causal)
        )
        expected, wanted_weights = _by_formula(layer, x[row].numpy(), seen)
        np.testing.assert_allclose(out[row].detach().numpy(), expected, atol=1e-5)
        np.testing.assert_allclose(weights[row].detach().numpy(), wanted_weights, atol=1e-6)


@pytest.mark.parametrize("causal", [False, True])
def test_parity_with_torch_on_copied_weights(causal: bool) -> None:
    ours, theirs = SelfAttention(12, 3, causal=causal), nn.MultiheadAttention(12, 3, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.mix_in.weight)
        theirs.in_proj_bias.copy_(ours.mix_in.bias)
    theirs.out_proj.load_state_dict(ours.mix_out.state_dict())
    x, there = _rows(4, 7, 12), _there([7, 1, 4, 6], 7)
    later = ~torch.ones(7, 7, dtype=torch.bool).tril() if causal else None
    expected, weights = theirs(x, x, x, key_padding_mask=~there, attn_mask=later, average_attn_weights=False)
    torch.testing.assert_close(ours(x, there), expected)
    torch.testing.assert_close(ours.weights(x, there), weights)
    torch.testing.assert_close(ours(x[:1]), expected[:1])  # all steps are there: the other kernel


def test_what_comes_later_and_what_is_padding_changes_nothing() -> None:
    block = TransformerBlock(8, 2, causal=True).eval()
    x = _rows(2, 6, 8)
    changed = x.clone()
    changed[:, 4] *= -1
    torch.testing.assert_close(block(changed)[:, :4], block(x)[:, :4])
    assert not torch.allclose(block(changed)[:, 5], block(x)[:, 5])
    block, there = TransformerBlock(8, 2).eval(), _there([4, 4], 6)
    torch.testing.assert_close(block(changed, there)[:, :4], block(x[:, :4], there[:, :4]))


def test_dropout_of_attention_is_for_training_alone() -> None:
    torch.manual_seed(0)
    layer, x = SelfAttention(8, 2, dropout=0.5), _rows(1, 5, 8)
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert torch.equal(layer(x), layer(x))


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(RecipeError, match="a width of 10 cannot be divided among 4 heads"):
        SelfAttention(10, 4)


def test_sinusoids_by_the_printed_formula() -> None:
    width, length = 6, 50
    table = SinusoidalPositions(width)(torch.zeros(1, length, width))[0].numpy()
    for t in (0, 1, 7, 49):
        for i in range(width // 2):
            angle = t / 10000 ** (2 * i / width)
            np.testing.assert_allclose(table[t, 2 * i : 2 * i + 2], [np.sin(angle), np.cos(angle)], atol=1e-5)


def test_learned_positions_are_added_and_end_where_they_end() -> None:
    layer, x = LearnedPositions(5, 3), _rows(2, 4, 3)
    torch.testing.assert_close(layer(x) - x, layer.weight[:4].expand(2, -1, -1))
    with pytest.raises(DataError, match="found rows of 6 steps; this network was made for at most 5"):
        layer(_rows(2, 6, 3))


def test_additive_attention_is_the_printed_formula() -> None:
    layer = AdditiveAttention(4, 3, 5, filters=2, reach=1)
    memory, state, there = _rows(2, 6, 4), _rows(2, 3, seed=2), _there([6, 4], 6)
    before = _rows(2, 6, seed=3).softmax(dim=1)
    weights = layer(state, layer.memory(memory), there, before)
    w, u, v, f = (
        part.weight.detach().numpy() for part in (layer.state, layer.memory, layer.energy, layer.place)
    )
    bias, filters = layer.memory.bias.detach().numpy(), layer.filters.weight.detach().numpy()[:, 0]
    for row, stop in enumerate([6, 4]):
        padded = np.pad(before[row].numpy(), 1)
        energies = [
            v[0]
            @ np.tanh(
                w @ state[row].numpy() + u @ memory[row, i].numpy() + bias + f @ (filters @ padded[i : i + 3])
            )
            for i in range(stop)
        ]
        np.testing.assert_allclose(
            weights[row, :stop].detach().numpy(), _softmax(np.array(energies)), atol=1e-5
        )
    assert not weights[1, 4:].any()

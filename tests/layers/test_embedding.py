"""Learned vectors in the place of codes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.layers.embedding import EmbedColumns, embedding_width


def test_width_is_the_rule_of_thumb() -> None:
    assert [embedding_width(n) for n in (2, 3, 10, 100, 1000, 10**6)] == [2, 3, 6, 21, 50, 50]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(2, 30), min_size=1, max_size=4), st.integers(0, 3), st.integers(1, 8))
def test_codes_are_replaced_by_the_rows_of_their_tables(sizes: list[int], plain: int, rows: int) -> None:
    rng = np.random.default_rng(0)
    layer = EmbedColumns(sizes)
    numbers = rng.normal(size=(rows, plain)).astype(np.float32)
    codes = np.stack([rng.integers(0, size, rows) for size in sizes], axis=1)
    out = layer(torch.from_numpy(np.concatenate([numbers, codes.astype(np.float32)], axis=1)))
    tables = [table.detach().numpy() for table in layer.parameters()]
    expected = np.concatenate([numbers, *(table[codes[:, i]] for i, table in enumerate(tables))], axis=1)
    np.testing.assert_array_equal(out.detach().numpy(), expected)
    assert out.shape[1] == plain + len(sizes) + layer.extra_columns
    assert [table.shape for table in tables] == [(size, embedding_width(size)) for size in sizes]


def test_what_was_never_seen_has_no_say_and_the_others_learn() -> None:
    torch.manual_seed(0)
    layer = EmbedColumns([4, 3])
    assert not layer(torch.tensor([[0.0, 0.0]])).any()
    assert layer(torch.tensor([[1.0, 2.0]])).all()
    layer(torch.tensor([[7.0, 3.0, 1.0]])).sum().backward()
    gradients = [table.grad for table in layer.parameters() if table.grad is not None]
    assert [(gradient.abs().sum(dim=1) > 0).tolist() for gradient in gradients] == [
        [False, False, False, True],
        [False, True, False],
    ]


def test_codes_are_exact_in_single_precision() -> None:
    layer = EmbedColumns([100_001])
    out = layer(torch.tensor([[100_000.0]]))
    assert torch.equal(out[0], layer.tables[0].weight[100_000])  # pyright: ignore


def test_weights_are_saved_and_loaded() -> None:
    first, second = EmbedColumns([4]), EmbedColumns([4])
    second.load_state_dict(first.state_dict())
    x = torch.tensor([[1.0], [3.0]])
    assert torch.equal(first(x), second(x))
    with pytest.raises(RuntimeError, match=r"size mismatch"):
        EmbedColumns([5]).load_state_dict(first.state_dict())

"""Classes of unequal size."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_sample_weight

from handrail.data.balance import check_balance, class_weights, epoch_order
from handrail.data.task import TaskSpec
from handrail.errors import RecipeError

codes_of = st.lists(st.integers(0, 4), min_size=1, max_size=60)


@settings(max_examples=80, deadline=None)
@given(codes_of)
def test_weights_are_scikit_learns_balanced_ones(codes: list[int]) -> None:
    weights = class_weights(torch.tensor(codes), 5)
    assert weights.dtype == torch.float32
    np.testing.assert_allclose(weights.numpy(), compute_sample_weight("balanced", codes), rtol=1e-6)
    assert float(weights.mean()) == pytest.approx(1.0, rel=1e-5)


def rows_drawn(codes: list[int], balance: str, seed: int = 0) -> list[int]:
    return epoch_order(torch.tensor(codes), balance)(torch.Generator().manual_seed(seed)).tolist()


@settings(max_examples=80, deadline=None)
@given(codes_of)
def test_orders(codes: list[int]) -> None:
    known = np.array(codes)
    sizes = np.bincount(known)
    present = sizes[sizes > 0]
    for balance in ("none", "class_weights"):
        assert sorted(rows_drawn(codes, balance)) == list(range(len(codes)))
    over = rows_drawn(codes, "oversample")
    assert set(over) == set(range(len(codes)))
    assert set(np.bincount(known[over])[sizes > 0]) == {present.max()}
    times = np.bincount(over, minlength=len(codes))
    assert all(np.ptp(times[known == code]) <= 1 for code in set(codes))
    under = rows_drawn(codes, "undersample")
    assert len(set(under)) == len(under)
    assert set(np.bincount(known[under])[sizes > 0]) == {present.min()}


def test_each_epoch_is_drawn_anew_and_the_same_again_from_the_same_seed() -> None:
    codes = [0] * 40 + [1] * 4
    for balance in ("none", "oversample", "undersample"):
        order, generator = epoch_order(torch.tensor(codes), balance), torch.Generator().manual_seed(1)
        first, second = order(generator).tolist(), order(generator).tolist()
        assert first != second
        assert first == rows_drawn(codes, balance, seed=1)
    drawn = {row for seed in range(40) for row in rows_drawn(codes, "undersample", seed)}
    assert drawn == set(range(44))


def test_classes_are_mixed() -> None:
    order = np.array([0] * 500 + [1] * 50)[rows_drawn([0] * 500 + [1] * 50, "oversample")]
    assert 0.4 < order[:200].mean() < 0.6


def test_only_classes_can_be_balanced() -> None:
    values = TaskSpec(name="regression", targets=("y",))
    with pytest.raises(RecipeError, match=r"data.balance: 'oversample' has no effect on regression"):
        check_balance("oversample", values)
    check_balance("none", values)
    check_balance("oversample", TaskSpec(name="binary", targets=("y",), classes=("a", "b")))


def test_rows_that_are_taken_in_turn_stand_as_they_are():
    order = epoch_order(torch.zeros(9), "none", in_turn=True)
    assert order(torch.Generator().manual_seed(0)).tolist() == list(range(9))

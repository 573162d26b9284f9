"""Overlap of masks against scikit-learn's figures over all pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, jaccard_score

from handrail.evaluation.outcomes.masks import MaskOutcome, Tally
from handrail.objectives.maps import IGNORED

IMAGES, SIDE = 6, 8


def masks(classes: int, seed: int, images: int = IMAGES) -> torch.Tensor:
    return torch.randint(
        0, classes, (images, SIDE, SIDE), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8
    )


def outcome(said: torch.Tensor, true: torch.Tensor, classes: int) -> MaskOutcome:
    return MaskOutcome(tuple("abcd"[:classes]), Tally.of(said, true, classes=classes))


@settings(deadline=None, max_examples=25)
@given(classes=st.integers(2, 4), seed=st.integers(0, 2**31))
def test_figures_are_those_of_all_pixels_together(classes: int, seed: int) -> None:
    said, true = masks(classes, seed), masks(classes, seed + 1)
    average = "binary" if classes == 2 else "macro"
    flat = true.flatten().numpy(), said.flatten().numpy()
    assert outcome(said, true, classes).measure() == pytest.approx(
        {
            "dice": f1_score(*flat, average=average),
            "iou": jaccard_score(*flat, average=average),
            "pixel_accuracy": accuracy_score(*flat),
        },
        abs=1e-12,
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_an_image_of_weight_k_counts_as_k_images(classes: int) -> None:
    said, true = masks(classes, 1), masks(classes, 2)
    whole = outcome(said, true, classes)
    weights = np.random.default_rng(0).integers(0, 4, (IMAGES, 9)).astype(float)
    (statistic,) = whole.statistics(whole.names())
    figures = statistic(weights)
    for column in range(9):
        rows = np.repeat(np.arange(IMAGES), weights[:, column].astype(int))
        expected = outcome(said[rows], true[rows], classes).measure()
        assert {name: values[column] for name, values in figures.items()} == pytest.approx(
            expected, abs=1e-12
        )


def test_parts_joined_are_the_whole() -> None:
    said, true = masks(3, 1), masks(3, 2)
    joined = Tally.join([Tally.of(said[:2], true[:2], classes=3), Tally.of(said[2:], true[2:], classes=3)])
    assert MaskOutcome(("a", "b", "c"), joined).measure() == outcome(said, true, 3).measure()


def test_a_class_that_is_nowhere_is_left_out_and_nothing_at_all_is_undefined() -> None:
    empty = torch.zeros(2, 4, 4, dtype=torch.uint8)
    figures = outcome(empty, empty, 2).measure()
    assert np.isnan(figures["dice"])
    assert figures["pixel_accuracy"] == 1
    assert outcome(empty, empty, 3).measure()["dice"] == 1  # of the one class that is there
    assert outcome(empty, empty, 2).errors().tolist() == [0, 0]


def test_pixels_of_a_class_that_training_did_not_have_are_wrong() -> None:
    true = torch.zeros(1, 2, 2, dtype=torch.uint8)
    true[0, 0, 0] = 255
    assert outcome(torch.zeros_like(true), true, 2).measure()["pixel_accuracy"] == 0.75


def test_a_picture_without_a_pixel_that_counts_changes_no_figure() -> None:
    said, true = masks(2, 1), masks(2, 2)
    without = outcome(said[1:], true[1:], 2).measure()
    true[0] = IGNORED
    whole = outcome(said, true, 2)
    assert whole.measure() == without
    assert whole.describe(0, truth=True) == "no pixel that counts"
    assert whole.errors()[0] == 0
    assert np.isnan(whole.columns()["truth_b"][0])


def test_words_and_columns_of_a_row() -> None:
    true = torch.zeros(2, 2, 2, dtype=torch.uint8)
    true[0, 0, 0] = said_one = 1
    said = true.clone()
    said[0, 1, 1] = said_one
    outcome = MaskOutcome(("cell", "wall"), Tally.of(said, true, classes=2))
    assert outcome.describe(0, truth=True) == "cell 75 %, wall 25 %"
    assert outcome.describe(0, truth=False) == "cell 50 %, wall 50 %"
    columns = outcome.columns()
    assert columns["truth_wall"].tolist() == [0.25, 0]
    np.testing.assert_allclose(columns["dice"], [2 / 3, np.nan])
    np.testing.assert_allclose(outcome.errors(), [1 / 3, 0])


def test_outcomes_are_compared_on_the_same_masks_only() -> None:
    said, true = masks(2, 1), masks(2, 2)
    assert outcome(said, true, 2).same_rows(outcome(true, true, 2))
    turned = true.flip(1)  # the same counts
    assert not outcome(said, true, 2).same_rows(outcome(said, turned, 2))

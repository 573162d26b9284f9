"""Pictures made from texts: bits of the true ones, and what the made ones show."""

import dataclasses
import math

import numpy as np
import pytest

from handrail.evaluation.outcomes.made.pictures import PictureOutcome


def outcome(**changes: object) -> PictureOutcome:
    rng = np.random.default_rng(0)
    values = {
        "pixel_nats": rng.uniform(50, 60, 30),
        "token_nats": rng.uniform(5, 6, 30),
        "values": 12,
        "tokens": 4,
        "texts": tuple(f"text {row}" for row in range(30)),
        "pictures": np.arange(30, dtype=np.uint64),
        "right": {"colour": np.arange(30) < 24, "shape": np.arange(30) >= 6},
    }
    return PictureOutcome(**{**values, **changes})  # pyright: ignore


def test_bits_are_of_pixels_and_tokens_together_for_each_value() -> None:
    """Ramesh et al. 2021: −log p(picture | tokens) − log p(tokens | text) bounds −log p(picture | text)."""
    made = outcome()
    assert made.token_nats is not None
    found = made.measure()
    assert found["bits_per_dim"] == pytest.approx(
        (made.pixel_nats + made.token_nats).mean() / 12 / math.log(2)
    )
    assert found["bits_per_token"] == pytest.approx(made.token_nats.mean() / 4 / math.log(2))
    assert found["right_colour"] == found["right_shape"] == pytest.approx(24 / 30)
    assert found["right_all"] == pytest.approx(18 / 30)
    assert list(found) == ["bits_per_dim", "bits_per_token", "right_all", "right_colour", "right_shape"]


def test_what_has_no_tokens_says_so_and_what_cannot_be_read_has_no_shares() -> None:
    made = outcome(token_nats=None, right={})
    assert list(made.measure()) == ["bits_per_dim", "bits_per_token"]
    assert math.isnan(made.measure()["bits_per_token"])
    assert made.why_undefined("bits_per_token") == "it has no tokens"
    assert "bits_per_token" not in made.columns()


def test_rows_are_the_same_by_picture_and_text() -> None:
    made = outcome()
    assert made.same_rows(outcome(token_nats=None))
    assert not made.same_rows(dataclasses.replace(made, texts=made.texts[::-1]))
    assert not made.same_rows(dataclasses.replace(made, pictures=made.pictures[::-1]))


def test_a_row_is_told_by_its_text_and_by_what_is_wrong() -> None:
    made = outcome()
    assert made.describe(0, truth=True) == "text 0"
    assert made.describe(0, truth=False).endswith("wrong: shape")
    assert made.describe(10, truth=False).endswith("all right")

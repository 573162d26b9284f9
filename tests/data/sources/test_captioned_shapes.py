"""Captioned shapes: what is sealed, what captions say, and that pixels alone tell what pictures show."""

import numpy as np
import pytest

from handrail.data.sources.toys.drawn.captioned_shapes import captioned_shapes
from handrail.data.sources.toys.drawn.read_shapes import FACTORS, NOTHING, read_shapes
from handrail.data.sources.toys.toy import Toy

NAMES = list(FACTORS)


@pytest.fixture(scope="module")
def toy() -> Toy:
    return captioned_shapes(rows=1200, test_rows=300)


def pixels_of(toy: Toy, side: int = 24) -> np.ndarray:
    return toy.stores["picture"].pixels((side, side), 3).numpy()  # pyright: ignore


@pytest.mark.parametrize("side", [24, 32])
def test_the_reader_finds_what_is_drawn_from_the_pixels_alone(side: int) -> None:
    """More than 99 of 100, each factor; the function is given bytes and nothing else."""
    toy = captioned_shapes(rows=700, test_rows=100, side=side, seed=3)
    found = read_shapes(pixels_of(toy, side))
    for name in NAMES:
        assert (found[name] == toy.frame[name].to_numpy()).mean() > 0.99, name
        by_chance = np.random.default_rng(0).permutation(found[name])
        assert (by_chance == toy.frame[name].to_numpy()).mean() < 1.5 / len(FACTORS[name]), name


def test_dark_pictures_show_nothing() -> None:
    found = read_shapes(np.zeros((2, 3, 24, 24), dtype=np.uint8))
    assert all(values.tolist() == [NOTHING] * 2 for values in found.values())


def test_test_rows_combine_what_no_other_row_does_and_every_single_level_is_learned_from(toy: Toy) -> None:
    assert toy.parts is not None
    rows = list(zip(*(toy.frame[name].to_list() for name in NAMES), strict=True))
    known, unseen = (
        {row for row, part in zip(rows, toy.parts, strict=True) if part == code} for code in (0, 2)
    )
    assert not known & unseen
    assert len(unseen) <= 108
    for place, name in enumerate(NAMES):
        assert {row[place] for row in known} == set(FACTORS[name])


def test_captions_say_colour_and_shape_and_word_size_and_place_in_several_ways(toy: Toy) -> None:
    for caption, colour, shape in toy.frame.select("caption", "colour", "shape").head(50).rows():
        assert f" {colour} {shape} " in caption
    large = toy.frame.filter(size="large", place="top left")["caption"]
    assert {word for caption in large for word in ("large", "big", "huge") if f" {word} " in caption} == {
        "large",
        "big",
        "huge",
    }
    assert toy.frame["caption"].n_unique() > 900


def test_the_same_arguments_give_the_same_bits_and_another_seed_others(toy: Toy) -> None:
    again, other = (
        captioned_shapes(rows=1200, test_rows=300),
        captioned_shapes(rows=1200, test_rows=300, seed=1),
    )
    assert toy.frame.equals(again.frame)
    assert np.array_equal(pixels_of(toy), pixels_of(again))
    assert not toy.frame.equals(other.frame)

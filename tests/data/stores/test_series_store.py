"""Series in memory."""

import numpy as np
import pytest
import torch

from handrail.data.stores.series import SeriesStore
from handrail.errors import DataError


def arrays() -> list[np.ndarray]:
    return [np.arange(6.0).reshape(2, 3), np.array([[1.0, np.nan], [3.0, 4.0]]), np.arange(8.0).reshape(2, 4)]


def store() -> SeriesStore:
    return SeriesStore.of_arrays(arrays(), ["a", "b", "c"])


def test_items_come_back_as_they_were_in_any_order() -> None:
    for place, array in enumerate(arrays()):
        np.testing.assert_array_equal(store().item(place), array)
    values = store().values(np.array([2, 0, 2]), 3)
    assert values.shape == (3, 2, 3)
    np.testing.assert_array_equal(values[0].numpy(), arrays()[2][:, :3])  # cut
    np.testing.assert_array_equal(values[1].numpy(), arrays()[0])
    longer = store().values(np.array([1]), 4)[0]
    assert torch.equal(longer[:, 2:], torch.zeros(2, 2))  # padded
    assert store().lengths.tolist() == [3, 2, 4]


def test_hashes_are_by_content_wherever_it_lies() -> None:
    one = store()
    other = SeriesStore.of_arrays([-0.0 * np.ones((2, 1)), *reversed(arrays())], ["z", "c", "b", "a"])
    assert other.hashes[1:].tolist() == one.hashes[::-1].tolist()
    assert SeriesStore.join([one, other]).hashes.tolist() == [*one.hashes, *other.hashes]
    # 0 and −0 are one.
    assert other.hashes[0] == SeriesStore.of_arrays([np.zeros((2, 1))], ["zeros"]).hashes[0]
    flat = SeriesStore.of_arrays([np.arange(6.0)], ["one channel of the same numbers"])
    assert flat.hashes[0] != one.hashes[0]


def test_one_dimension_is_one_channel_and_joined_items_keep_their_names() -> None:
    joined = SeriesStore.join(
        [SeriesStore.of_arrays([np.ones(3)], ["x"]), SeriesStore.of_arrays([np.zeros(2)], ["y"])]
    )
    assert (joined.channels, [joined.name(0), joined.name(1)], joined.lengths.tolist()) == (
        1,
        ["x", "y"],
        [3, 2],
    )


def test_all_that_is_wrong_is_said_at_once() -> None:
    wrong = [
        np.ones((2, 3)),
        np.ones((1, 3)),
        np.array([[1.0, np.inf], [0, 0]]),
        np.ones((2, 0)),
        np.full((2, 2), 1e39),
    ]
    with pytest.raises(DataError, match="4 mistakes") as caught:
        SeriesStore.of_arrays(wrong, ["a", "b", "c", "d", "e"])
    assert "b has 1 channels; expected 2" in str(caught.value)
    assert "c holds inf" in str(caught.value)
    assert "e holds 1e+39" in str(caught.value)


def test_stores_of_other_channels_are_not_put_together() -> None:
    with pytest.raises(DataError, match="series of 1 and 2 channels"):
        SeriesStore.join([store(), SeriesStore.of_arrays([np.ones(3)], ["x"])])

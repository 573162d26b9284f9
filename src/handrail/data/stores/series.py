"""Series in memory: one flat array, however long each of them is."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from handrail.errors import DataError

_LARGEST = float(np.finfo(np.float32).max)
_SHOWN = 5


class SeriesStore:
    """Series `[channels, length]` in float32; missing values are not a number. Lengths may differ, channels
    may not.
    """

    kind: ClassVar[str] = "series"

    def __init__(
        self,
        flat: Float[np.ndarray, " numbers"],
        lengths: Int[np.ndarray, " items"],
        channels: int,
        names: Sequence[str],
    ) -> None:
        self.flat, self.lengths, self.channels = flat, lengths, channels
        self._names = tuple(names)
        self._starts = np.cumsum(lengths * channels) - lengths * channels

    @classmethod
    def of_arrays(cls, arrays: Sequence[np.ndarray], names: Sequence[str]) -> Self:
        """A store of arrays `[channels, length]`, or `[length]` for one channel.

        Raises: `DataError` for series that are empty, of other channels than the first, or with numbers that
        are infinite
            or beyond single precision (3.4·10³⁸); up to five are named.
        """
        shaped = [array[None] if array.ndim == 1 else array for array in arrays]
        channels = shaped[0].shape[0] if shaped else 1
        problems = [
            text
            for array, name in zip(shaped, names, strict=True)
            if (text := _problem(array, name, channels))
        ]
        if problems:
            more = [f"and {len(problems) - _SHOWN:,} more such series."] if len(problems) > _SHOWN else []
            raise DataError([*problems[:_SHOWN], *more])
        flat = (
            np.concatenate([array.ravel() for array in shaped]).astype("<f4")
            if shaped
            else np.zeros(0, "<f4")
        )
        flat += 0.0  # no minus zero
        # One spelling of not a number, so that equal series have equal hashes.
        flat[np.isnan(flat)] = np.nan
        return cls(flat, np.array([array.shape[1] for array in shaped], dtype=np.int64), channels, names)

    def __len__(self) -> int:
        return len(self.lengths)

    def name(self, place: int) -> str:
        """What a person would call the series."""
        return self._names[place]

    def item(self, place: int) -> Float[np.ndarray, "channels length"]:
        """One series, without a copy."""
        start, length = self._starts[place], self.lengths[place]
        return self.flat[start : start + length * self.channels].reshape(self.channels, length)

    def values(self, places: Int[np.ndarray, " n"], length: int) -> Float[Tensor, "n channels length"]:
        """The series at these places, cut after `length` values; shorter ones end in zeros."""
        found = np.zeros((len(places), self.channels, length), dtype=np.float32)
        for row, place in enumerate(places):
            item = self.item(int(place))[:, :length]
            found[row, :, : item.shape[1]] = item
        return torch.from_numpy(found)

    @property
    def hashes(self) -> np.ndarray:
        """One `uint64` a series, by its shape and values."""
        return self._hashes

    @cached_property
    def _hashes(self) -> np.ndarray:
        return np.array([hash_of(self.item(place)) for place in range(len(self))], dtype=np.uint64)

    @classmethod
    def joined(cls, stores: "Sequence[SeriesStore]") -> "SeriesStore":
        """Several stores, one behind the other.

        Raises: `DataError` where they differ in channels.
        """
        channels = {store.channels for store in stores}
        if len(channels) > 1:
            found = " and ".join(str(number) for number in sorted(channels))
            raise DataError(
                f"series of {found} channels cannot be put together; expected the same number in all sources."
            )
        return cls(
            np.concatenate([store.flat for store in stores]),
            np.concatenate([store.lengths for store in stores]),
            stores[0].channels,
            [name for store in stores for name in store._names],
        )


def _problem(array: np.ndarray, name: str, channels: int) -> str | None:
    if array.ndim != 2 or not array.size:
        return (
            f"{name} has the shape {list(array.shape)}; expected [channels, length] with at least one value."
        )
    if array.shape[0] != channels:
        return f"{name} has {array.shape[0]} channels; expected {channels}, as in the first series."
    if (np.abs(array) > _LARGEST).any():
        value = array[np.abs(array) > _LARGEST][0]
        return f"{name} holds {value:g}; expected finite numbers, at most 3.4e38."
    return None


def hash_of(item: Float[np.ndarray, "channels length"]) -> int:
    """The first 8 bytes of BLAKE2b over the shape and the little-endian float32 values."""
    digest = hashlib.blake2b(repr(item.shape).encode(), digest_size=8)
    digest.update(np.ascontiguousarray(item, dtype="<f4").tobytes())
    return int.from_bytes(digest.digest(), "little")

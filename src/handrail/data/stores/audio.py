"""Sound in memory: one flat array of samples, each item with its own rate."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from jaxtyping import Float, Int, Shaped


@dataclass(frozen=True, eq=False)
class Sound:
    """A sound that was made: samples in −1 … 1, and how many there are a second."""

    samples: Float[np.ndarray, " samples"]
    rate: int


class AudioStore:
    """Sounds of one channel. Samples are int16 where all sounds are, else float32 in −1 … 1."""

    kind: ClassVar[str] = "audio"

    def __init__(
        self,
        flat: Shaped[np.ndarray, " numbers"],
        lengths: Int[np.ndarray, " items"],
        rates: Int[np.ndarray, " items"],
        names: Sequence[str],
    ) -> None:
        self.flat, self.lengths, self.rates = flat, lengths, rates
        self._names = tuple(names)
        self._starts = np.cumsum(lengths) - lengths

    @classmethod
    def of_waves(
        cls, waves: Sequence[Shaped[np.ndarray, " samples"]], rates: Sequence[int], names: Sequence[str]
    ) -> Self:
        """A store of samples, int16 or float32, with their rates (samples a second)."""
        lengths = np.array([len(wave) for wave in waves], dtype=np.int64)
        return cls(_concatenate(waves), lengths, np.array(rates, dtype=np.int64), names)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def seconds(self) -> Float[np.ndarray, " items"]:
        return self.lengths / self.rates

    def name(self, place: int) -> str:
        return self._names[place]

    def wave(self, place: int) -> Float[np.ndarray, " samples"]:
        """The samples of one sound as float32 in −1 … 1."""
        return as_float(self.flat[self._starts[place] : self._starts[place] + self.lengths[place]])

    @property
    def hashes(self) -> np.ndarray:
        """By rate and samples: the same sound has the same hash in 16 bits and in floating point."""
        return self._hashes

    @cached_property
    def _hashes(self) -> np.ndarray:
        return np.array([self._hash(place) for place in range(len(self))], dtype=np.uint64)

    def _hash(self, place: int) -> int:
        shape = (int(self.rates[place]), int(self.lengths[place]))
        digest = hashlib.blake2b(repr(shape).encode(), digest_size=8)
        digest.update((self.wave(place) + np.float32(0)).astype("<f4").tobytes())
        return int.from_bytes(digest.digest(), "little")

    @classmethod
    def join(cls, stores: "Sequence[AudioStore]") -> "AudioStore":
        return cls(
            _concatenate([store.flat for store in stores]),
            np.concatenate([store.lengths for store in stores]),
            np.concatenate([store.rates for store in stores]),
            [name for store in stores for name in store._names],
        )


def as_float(wave: Shaped[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """int16 samples as float32 in −1 … 1; others as they are."""
    return wave.astype(np.float32) / np.float32(32768) if wave.dtype == np.int16 else wave


def _concatenate(waves: Sequence[Shaped[np.ndarray, " samples"]]) -> Shaped[np.ndarray, " numbers"]:
    """All samples, as int16 where all are."""
    if not all(wave.dtype == np.int16 for wave in waves):
        waves = [as_float(wave) for wave in waves]
    return np.concatenate(waves or [np.zeros(0, np.int16)])

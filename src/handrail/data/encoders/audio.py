"""The encoder of sound: the logarithm of mel-filtered power over time, as a picture of one channel."""

from math import gcd
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from scipy.signal import resample_poly
from torch import Tensor, nn
from torch.nn import functional

from handrail.data.encoders.column import ColumnEncoder
from handrail.data.encoders.mel import mel_filters, transform_size
from handrail.data.encoders.standardise import Moments, Standardise
from handrail.data.stores.audio import AudioStore
from handrail.data.stores.store import Store
from handrail.recipe.encoding import Audio
from handrail.shapes import ImageShape

_QUIET = 1e-6  # power that is added before the logarithm: a 16-bit sample's rounding is about as loud
_LONG = 0.95
_SIMPLE_BANDS, _SIMPLE = 32, 1000
_SAMPLES_AT_ONCE = 2**20


class AudioEncoder(ColumnEncoder):
    """S = log(M·|STFT(x)|² + 10⁻⁶), M mel filters, Hann windows, centred; then standardised band by band.

    Sounds are brought to one rate, cut to one length, and end in silence where they are shorter.

    Arguments:
        name: the column.
        rate: samples a second.
        samples: in a sound.
        mels: filters.
        window, hop: in samples.
        mean, deviation: of each band over the training sounds, silence at their ends included.
    """

    kind: ClassVar[str] = "audio"

    def __init__(
        self,
        name: str,
        *,
        rate: int,
        samples: int,
        mels: int,
        window: int,
        hop: int,
        mean: list[float],
        deviation: list[float],
    ) -> None:
        super().__init__()
        self.name, self.rate, self.samples, self.mels, self.window, self.hop = (
            name,
            rate,
            samples,
            mels,
            window,
            hop,
        )
        self.mean, self.deviation = mean, deviation

    @classmethod
    def fit(cls, column: pl.Series, store: Store | None, settings: Audio) -> Self:
        """Learn rate (auto: the most common, of several the highest), length (auto: of 95 % of the sounds)
        and scale.

        Raises: `RecipeError` for more mel filters than the windows can tell apart.
        """
        assert isinstance(store, AudioStore)
        places = column.to_numpy()
        rate = _most_common(store.rates[places]) if settings.rate == "auto" else settings.rate
        seconds = (
            float(np.quantile(store.seconds[places], _LONG))
            if settings.seconds == "auto"
            else settings.seconds
        )
        encoder = cls(
            column.name,
            rate=rate,
            samples=max(1, round(seconds * rate)),
            mels=settings.mels,
            window=max(2, round(settings.window * rate)),
            hop=max(1, round(settings.hop * rate)),
            mean=[],
            deviation=[],
        )
        moments = Moments(settings.mels)
        for some in encoder._chunks(places):
            moments.add(encoder._spectra(store, some).transpose(1, 2).flatten(0, 1))
        encoder.mean, encoder.deviation = moments.found()
        return encoder

    @property
    def frames(self) -> int:
        """Steps in time."""
        return 1 + self.samples // self.hop

    @property
    def shape(self) -> ImageShape:
        """One channel, mel bands from low to high, time."""
        return ImageShape(1, self.mels, self.frames)

    def rows(self, column: pl.Series, store: Store | None) -> Float[Tensor, "rows 1 mels frames"]:
        """Spectrograms, not yet standardised."""
        assert isinstance(store, AudioStore)
        places = column.to_numpy()
        found = torch.empty(len(places), 1, self.mels, self.frames)
        done = 0
        for some in self._chunks(places):
            found[done : done + len(some), 0] = self._spectra(store, some)
            done += len(some)
        return found

    def _chunks(self, places: np.ndarray) -> list[np.ndarray]:
        size = max(1, _SAMPLES_AT_ONCE // max(self.samples, 1))
        return [places[start : start + size] for start in range(0, len(places), size)]

    def _spectra(self, store: AudioStore, places: np.ndarray) -> Float[Tensor, "rows mels frames"]:
        waves = torch.zeros(len(places), self.samples)
        for row, place in enumerate(places.tolist()):
            wave = _resampled(store.wave(place), int(store.rates[place]), self.rate)[: self.samples]
            waves[row, : len(wave)] = torch.from_numpy(wave)
        size = transform_size(self.rate, self.window, self.mels)
        spectrum = torch.stft(
            waves,
            size,
            self.hop,
            self.window,
            torch.hann_window(self.window),
            pad_mode="constant",
            return_complex=True,
        )
        power = spectrum.abs() ** 2  # [rows, size // 2 + 1, frames]
        return torch.log(mel_filters(self.rate, size, self.mels) @ power + _QUIET)

    def front(self) -> nn.Module:
        """Standardisation of each band."""
        return Standardise(self.mean, self.deviation, axes=1)

    def simple(self, rows: Float[Tensor, "rows 1 mels frames"]) -> Float[Tensor, "rows width"]:
        """Standardised spectrograms, averaged to at most 32 bands and about 1,000 numbers."""
        bands = min(self.mels, _SIMPLE_BANDS)
        steps = max(1, min(self.frames, _SIMPLE // bands))
        return functional.adaptive_avg_pool2d(self.front()(rows), (bands, steps)).flatten(1)

    def facts(self) -> dict[str, Any]:
        """What makes this encoder again."""
        names = ("name", "rate", "samples", "mels", "window", "hop", "mean", "deviation")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Self:
        """The way back."""
        return cls(**facts)


def _most_common(rates: np.ndarray) -> int:
    found, counts = np.unique(rates, return_counts=True)
    return int(found[counts == counts.max()].max())


def _resampled(wave: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    if rate == wanted:
        return wave
    shared = gcd(rate, wanted)
    return resample_poly(wave, wanted // shared, rate // shared).astype(np.float32)

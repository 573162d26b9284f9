"""The encoder of sound: the logarithm of mel-filtered power over time, as a picture of one channel."""

import math
from functools import lru_cache
from typing import ClassVar, Self

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.data.encoders.column import ChannelStatistics, ColumnEncoder, Decoded, Standardise
from handrail.data.encoders.griffin_lim import find_sound, unmix
from handrail.data.stores.audio import AudioStore, Sound
from handrail.data.stores.store import Store
from handrail.errors import RecipeError
from handrail.recipe.sections import Audio
from handrail.shapes import ImageShape

_QUIET = 1e-6  # power that is added before the logarithm: a 16-bit sample's rounding is about as loud
_LONG = 0.95
_SIMPLE_BANDS, _SIMPLE = 32, 1000
_SAMPLES_AT_ONCE = 2**20
_DOUBLINGS = 3


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
    learned = ("name", "rate", "samples", "mels", "window", "hop", "mean", "deviation")

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
        self.name, self.rate, self.samples, self.mels = name, rate, samples, mels
        self.window, self.hop = window, hop
        self.mean, self.deviation = mean, deviation

    @classmethod
    def fit(cls, column: pl.Series, store: Store | None, settings: Audio) -> Self:
        """Learn scale, rate (auto: the most common, of several the highest) and length (auto: of 95 %).

        Raises: `RecipeError` for more mel filters than the windows can tell apart.
        """
        assert isinstance(store, AudioStore)
        places = column.to_numpy()
        rate = _most_common(store.rates[places]) if settings.rate == "auto" else settings.rate
        seconds = settings.seconds
        if seconds == "auto":
            seconds = float(np.quantile(store.seconds[places], _LONG))
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
        statistics = ChannelStatistics(settings.mels)
        for chunk in encoder._chunks(places):
            statistics.add(encoder._spectra(store, chunk).transpose(1, 2).flatten(0, 1))
        encoder.mean, encoder.deviation = statistics.result()
        return encoder

    @property
    def frames(self) -> int:
        return 1 + self.samples // self.hop

    @property
    def shape(self) -> ImageShape:
        """One channel, mel bands from low to high, time."""
        return ImageShape(1, self.mels, self.frames)

    def rows(self, column: pl.Series, store: Store | None) -> Float[Tensor, "rows 1 mels frames"]:
        """Spectrograms, not yet standardised."""
        assert isinstance(store, AudioStore)
        places = column.to_numpy()
        spectrograms = torch.empty(len(places), 1, self.mels, self.frames)
        done = 0
        for chunk in self._chunks(places):
            spectrograms[done : done + len(chunk), 0] = self._spectra(store, chunk)
            done += len(chunk)
        return spectrograms

    def _chunks(self, places: np.ndarray) -> list[np.ndarray]:
        size = max(1, _SAMPLES_AT_ONCE // max(self.samples, 1))
        return [places[start : start + size] for start in range(0, len(places), size)]

    def _spectra(self, store: AudioStore, places: np.ndarray) -> Float[Tensor, "rows mels frames"]:
        waves = torch.zeros(len(places), self.samples)
        for row, place in enumerate(places.tolist()):
            wave = _resample(store.wave(place), int(store.rates[place]), self.rate)[: self.samples]
            waves[row, : len(wave)] = torch.from_numpy(wave)
        size = transform_size(self.rate, self.window, self.mels)
        hann = torch.hann_window(self.window)
        spectrum = torch.stft(
            waves, size, self.hop, self.window, hann, pad_mode="constant", return_complex=True
        )
        power = spectrum.abs() ** 2  # [rows, size // 2 + 1, frames]
        return torch.log(mel_filters(self.rate, size, self.mels) @ power + _QUIET)

    def front(self) -> nn.Module:
        return Standardise(self.mean, self.deviation, axes=1)

    def decode(self, points: Float[Tensor, "rows width"]) -> Decoded:
        """Sounds of such spectrograms, whose phases are found anew, and what they are called in a column."""
        spectra = points.reshape(len(points), self.mels, self.frames).float()
        mean, spread = torch.tensor(self.mean).unsqueeze(1), torch.tensor(self.deviation).unsqueeze(1)
        mels = ((spectra * torch.where(spread > 0, spread, 1.0) + mean).exp() - _QUIET).clamp_min(0)
        size = transform_size(self.rate, self.window, self.mels)
        power = unmix(mels, mel_filters(self.rate, size, self.mels))
        how = {"size": size, "hop": self.hop, "window": torch.hann_window(self.window)}
        waves = find_sound(power, samples=self.samples, **how)
        names = [f"{row + 1}.wav" for row in range(len(points))]
        return pl.DataFrame({self.name: names}), [Sound(wave, self.rate) for wave in waves.numpy()]

    def simple(self, rows: Float[Tensor, "rows 1 mels frames"]) -> Float[Tensor, "rows width"]:
        """Standardised spectrograms, averaged to at most 32 bands and about 1,000 numbers."""
        bands = min(self.mels, _SIMPLE_BANDS)
        steps = max(1, min(self.frames, _SIMPLE // bands))
        return functional.adaptive_avg_pool2d(self.front()(rows), (bands, steps)).flatten(1)


def _most_common(rates: np.ndarray) -> int:
    different, counts = np.unique(rates, return_counts=True)
    return int(different[counts == counts.max()].max())


def _resample(wave: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    if rate == new_rate:
        return wave
    from scipy.signal import resample_poly

    shared = math.gcd(rate, new_rate)
    return resample_poly(wave, new_rate // shared, rate // shared).astype(np.float32)


def mel_filters(rate: int, size: int, mels: int) -> Float[Tensor, "mels bins"]:
    """Triangles of height 1 over the bins of a Fourier transform of `size` samples, from 0 to half the rate.

    Their corners are equally far apart in m = 2595 · log₁₀(1 + f/700): each begins at the peak of the one
    before it and ends at the peak of the one behind it.

    Source: Stevens, Volkmann & Newman 1937; O'Shaughnessy 1987 (the formula); Young et al. 1995 (HTK)
    """
    corners = _frequency(torch.linspace(0, _mel(rate / 2), mels + 2, dtype=torch.float64))
    bins = torch.linspace(0, rate / 2, size // 2 + 1, dtype=torch.float64)
    rising = (bins - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - bins) / (corners[2:] - corners[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0).float()


@lru_cache
def transform_size(rate: int, window: int, mels: int) -> int:
    """Samples of the Fourier transform: a power of two, large enough that no filter falls between two bins.

    It holds a window, and is at most eight times as large as need be for that.

    Raises: `RecipeError` where more would be needed.
    """
    least = 2 ** math.ceil(math.log2(window))
    for doubling in range(_DOUBLINGS + 1):
        size = least * 2**doubling
        if bool((mel_filters(rate, size, mels).sum(dim=1) > 0).all()):
            return size
    raise RecipeError(
        f"data.audio.mels: {mels} filters are more than windows of {window} samples "
        f"({1000 * window / rate:.0f} ms) can tell apart; expected fewer filters, or a longer "
        "data.audio.window."
    )


def _mel(frequency: float) -> float:
    return 2595 * math.log10(1 + frequency / 700)


def _frequency(mel: Tensor) -> Tensor:
    return 700 * (10 ** (mel / 2595) - 1)

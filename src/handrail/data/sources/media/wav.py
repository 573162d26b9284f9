"""WAV files as sound: whole numbers of 8, 16, 24 and 32 bits and floating point, one channel or several.

Source: Microsoft & IBM 1991 (RIFF, WAVE)
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Shaped

from handrail.data.raw_files import kind_of, read_bytes
from handrail.data.stores.audio import AudioStore, as_float
from handrail.data.stores.store import place_column
from handrail.errors import DataError

AUDIO = "audio"
SUFFIXES = frozenset((".wav", ".wave"))
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN_SIZE = 0xFFFFFFFF  # what a program writes that cannot go back to the header
_SHOWN = 20


def read_sounds(paths: Sequence[Path], names: Sequence[str]) -> tuple[pl.Series, AudioStore]:
    """The column `audio` and its store; several channels are averaged to one.

    Raises: `DataError` naming every file that is no WAV, has a broken header, is cut short or has no sample.
    """
    waves, rates, problems = [], [], []
    for path, name in zip(paths, names, strict=True):
        try:
            wave, rate = read_wave(read_bytes(path), name)
            waves.append(wave)
            rates.append(rate)
        except DataError as error:
            problems += error.problems
    if problems:
        more = len(problems) - _SHOWN
        rest = [f"and {more:,} more sound files."] if more > 0 else []
        raise DataError([*problems[:_SHOWN], *rest])
    store = AudioStore.of_waves(waves, rates, names)
    return place_column(AUDIO, len(store)), store


def read_wave(data: bytes, name: str) -> tuple[Shaped[np.ndarray, " samples"], int]:
    """The samples of a WAV file, int16 or float32 in −1 … 1, and how many there are in a second.

    Raises: `DataError` where it is not such a file, or not whole.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        kind = f": it seems to be {kind_of(data)}" if kind_of(data) else ""
        raise DataError(f"{name} is not a WAV file{kind}; expected RIFF WAVE sound.")
    form, samples = None, None
    for chunk, body, promised in _chunks(data):
        if chunk == b"fmt " and form is None:
            form = body
        elif chunk == b"data" and samples is None:
            if promised != _UNKNOWN_SIZE and promised > len(body):
                sizes = f"its header promises {promised:,} bytes of sound, found {len(body):,}"
                raise DataError(f"{name} is cut short: {sizes}.")
            samples = body
    if form is None or len(form) < 16 or samples is None:
        missing = "format" if form is None or len(form) < 16 else "sound"
        raise DataError(f"{name} has a broken header: it holds no {missing}; expected a whole WAV file.")
    return _decode(form, samples, name)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Name, content and promised size of each part of the file; each begins at an even place."""
    place = 12
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        yield data[place : place + 4], data[place + 8 : place + 8 + size], size
        place += 8 + size + size % 2


def _decode(form: bytes, samples: bytes, name: str) -> tuple[Shaped[np.ndarray, " samples"], int]:
    code, channels, rate, _, frame, bits = struct.unpack("<HHIIHH", form[:16])
    if code == _EXTENSIBLE and len(form) >= 26:
        code = int.from_bytes(form[24:26], "little")
    if (code, bits) not in ((_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32)):
        raise DataError(
            f"{name} holds sound of format {code} with {bits} bits; expected PCM of 8, 16, 24 or 32 bits, or "
            "floating point of 32. Convert it to 16-bit PCM."
        )
    if not channels or not rate or frame != channels * bits // 8:
        header = f"{channels} channels, {rate} samples a second, {frame} bytes a frame"
        raise DataError(f"{name} has a broken header: {header}.")
    whole = samples[: len(samples) // frame * frame]
    if not whole:
        raise DataError(f"{name} holds no sample; expected at least one.")
    wave = _numbers(whole, code, bits).reshape(-1, channels)
    if not np.isfinite(wave).all():
        raise DataError(f"{name} holds samples that are not finite numbers; expected values in -1 … 1.")
    return (wave[:, 0] if channels == 1 else as_float(wave).mean(axis=1, dtype=np.float32)), rate


def _numbers(data: bytes, code: int, bits: int) -> np.ndarray:
    """Samples as int16 where that holds them, else as float32 in −1 … 1."""
    if code == _FLOAT:
        return np.frombuffer(data, "<f4").astype(np.float32)
    if bits == 8:
        return (np.frombuffer(data, np.uint8).astype(np.int16) - 128) * np.int16(256)
    if bits == 16:
        return np.frombuffer(data, "<i2").astype(np.int16)
    if bits == 24:
        padded = np.zeros((len(data) // 3, 4), dtype=np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return _of_32_bits(padded.view("<i4")[:, 0])
    return _of_32_bits(np.frombuffer(data, "<i4"))


def _of_32_bits(whole: np.ndarray) -> np.ndarray:
    return (whole.astype(np.float64) / 2.0**31).astype(np.float32)

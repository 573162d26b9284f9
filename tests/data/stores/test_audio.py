"""Sound: WAV files, mel spectrograms."""

import json
import struct
import wave
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from scipy.signal import ShortTimeFFT

from handrail.data.encoders.audio import AudioEncoder, mel_filters, transform_size
from handrail.data.sources.media.wav import read_sounds, read_wave
from handrail.data.stores.audio import AudioStore
from handrail.data.stores.store import place_column
from handrail.errors import DataError, RecipeError
from handrail.recipe.sections import Audio
from handrail.shapes import ImageShape


def riff(form: bytes, samples: bytes, *, promised: int | None = None, before: bytes = b"") -> bytes:
    size = len(samples) if promised is None else promised
    body = (
        b"WAVE"
        + before
        + b"fmt "
        + struct.pack("<I", len(form))
        + form
        + b"data"
        + struct.pack("<I", size)
        + samples
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def form(code: int, bits: int, *, channels: int = 1, rate: int = 8000) -> bytes:
    frame = channels * bits // 8
    return struct.pack("<HHIIHH", code, channels, rate, rate * frame, frame, bits)


def written(path: Path, samples: np.ndarray, *, bits: int = 16, channels: int = 1, rate: int = 8000) -> Path:
    """By Python's own writer."""
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, bits // 8, rate, 0, "NONE", ""))
        whole = np.round(samples * 2.0 ** (bits - 1)).astype("<i4")
        if bits == 8:
            file.writeframes((whole + 128).astype(np.uint8).tobytes())
        else:
            file.writeframes(
                b"".join(int(number).to_bytes(bits // 8, "little", signed=True) for number in whole.ravel())
            )
    return path


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_whole_numbers_of_all_sizes(tmp_path: Path, bits: int) -> None:
    samples = np.array([0.0, 0.5, -0.5, -1.0, 0.25])
    _, store = read_sounds([written(tmp_path / "x.wav", samples, bits=bits, rate=11025)], ["x"])
    np.testing.assert_array_equal(store.wave(0), samples.astype(np.float32))
    assert store.rates.tolist() == [11025]
    assert store.seconds[0] == 5 / 11025


def test_floating_point_extensible_headers_odd_chunks_and_streams() -> None:
    samples = np.array([0.25, -0.5, 0.125], dtype="<f4")
    note = b"LIST" + struct.pack("<I", 3) + b"abc\0"  # of odd length, and so padded
    sound, rate = read_wave(riff(form(3, 32), samples.tobytes(), before=note), "x")
    np.testing.assert_array_equal(sound, samples)
    assert rate == 8000
    extensible = form(0xFFFE, 16) + struct.pack("<HHI", 22, 16, 0) + struct.pack("<H", 1) + bytes(14)
    sound, _ = read_wave(riff(extensible, struct.pack("<2h", 5, -6), promised=0xFFFFFFFF), "x")
    assert sound.tolist() == [5, -6]


def test_several_channels_are_averaged(tmp_path: Path) -> None:
    path = written(tmp_path / "x.wav", np.array([0.5, 0.25, -1.0, 0.0]), channels=2)
    _, store = read_sounds([path], ["x"])
    assert store.wave(0).tolist() == [0.375, -0.5]


def test_every_broken_file_is_named_at_once(tmp_path: Path) -> None:
    sound = struct.pack("<4h", 1, 2, 3, 4)
    broken = {
        "text.wav": b"hello, this is a text",
        "picture.wav": b"\x89PNG\r\n\x1a\n" + bytes(40),
        "short.wav": riff(form(1, 16), sound, promised=4000),
        "silent.wav": riff(form(1, 16), b""),
        "header.wav": riff(form(1, 16), sound)[:30],
        "law.wav": riff(form(7, 8), sound),
        "frame.wav": riff(struct.pack("<HHIIHH", 1, 0, 8000, 0, 0, 16), sound),
        "nan.wav": riff(form(3, 32), np.array([np.nan], "<f4").tobytes()),
        "empty.wav": b"",
    }
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "good.wav").write_bytes(riff(form(1, 16), sound))
    names = [*broken, "good.wav"]
    with pytest.raises(DataError, match="9 mistakes") as caught:
        read_sounds([tmp_path / name for name in names], names)
    text = str(caught.value)
    assert "text.wav is not a WAV file; expected" in text
    assert "picture.wav is not a WAV file: it seems to be PNG image" in text
    assert "short.wav is cut short: its header promises 4,000 bytes of sound, found 8" in text
    assert "silent.wav holds no sample" in text
    assert "header.wav has a broken header" in text
    assert "law.wav holds sound of format 7 with 8 bits" in text
    assert "frame.wav has a broken header: 0 channels" in text
    assert "nan.wav holds samples that are not finite" in text
    assert "good.wav" not in text


def test_hashes_are_by_content_in_any_company() -> None:
    whole, other = np.array([1, -2, 3], np.int16), np.array([0.1, 0.2], np.float32)
    alone = AudioStore.of_waves([whole], [8000], ["a"])
    mixed = AudioStore.of_waves([other, whole], [8000, 8000], ["b", "a"])
    assert alone.flat.dtype == np.int16
    assert mixed.hashes[1] == alone.hashes[0]
    joined = AudioStore.join([alone, mixed])
    assert joined.hashes.tolist() == [alone.hashes[0], *mixed.hashes]
    assert [joined.name(place) for place in range(3)] == ["a", "b", "a"]
    assert AudioStore.of_waves([whole], [16000], ["a"]).hashes[0] != alone.hashes[0]


@pytest.mark.parametrize(("rate", "size", "mels"), [(8000, 512, 64), (16000, 512, 40), (22050, 1024, 80)])
def test_mel_filters_by_the_formula_bin_by_bin(rate: int, size: int, mels: int) -> None:
    mel = np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), mels + 2)
    corners = 700 * (10 ** (mel / 2595) - 1)
    expected = np.zeros((mels, size // 2 + 1))
    for row in range(mels):
        low, peak, high = corners[row : row + 3]
        for place in range(size // 2 + 1):
            frequency = place * rate / size
            if low < frequency <= peak:
                expected[row, place] = (frequency - low) / (peak - low)
            elif peak < frequency < high:
                expected[row, place] = (high - frequency) / (high - peak)
    np.testing.assert_allclose(mel_filters(rate, size, mels).numpy(), expected, atol=1e-6)
    assert mel_filters(rate, transform_size(rate, rate // 40, mels), mels).sum(1).min() > 0


def test_too_many_filters_are_refused() -> None:
    with pytest.raises(
        RecipeError, match=r"data.audio.mels: 2000 filters are more than windows of 200 samples \(25 ms\)"
    ):
        transform_size(8000, 200, 2000)


def store_of(*waves: np.ndarray, rates: list[int] | None = None) -> tuple[AudioStore, pl.Series]:
    names = [f"{i}.wav" for i in range(len(waves))]
    store = AudioStore.of_waves(
        [wave.astype(np.float32) for wave in waves], rates or [8000] * len(waves), names
    )
    return store, place_column("audio", len(waves))


def test_spectrograms_agree_with_scipy() -> None:
    sound = np.random.default_rng(0).normal(size=4000) / 10
    store, column = store_of(sound)
    encoder = AudioEncoder.fit(column, store, Audio(mels=40))
    rows = encoder.rows(column, store)
    assert encoder.shape == ImageShape(1, 40, 51)
    assert rows.shape == (1, *encoder.shape)
    size = transform_size(8000, 200, 40)
    window = np.zeros(size)
    window[(size - 200) // 2 : (size + 200) // 2] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(200) / 200)
    transform = ShortTimeFFT(window, hop=80, fs=8000, mfft=size)
    power = np.abs(transform.stft(sound.astype(np.float32), p0=0, p1=51)) ** 2
    expected = np.log(mel_filters(8000, size, 40).numpy() @ power + 1e-6)
    np.testing.assert_allclose(rows[0, 0], expected, atol=2e-4)


def test_a_tone_lights_its_band_at_any_rate() -> None:
    tones = [np.sin(2 * np.pi * 1000 * np.arange(rate) / rate) for rate in (8000, 8000, 16000, 11025)]
    store, column = store_of(*tones, rates=[8000, 8000, 16000, 11025])
    encoder = AudioEncoder.fit(column, store, Audio())
    assert (encoder.rate, encoder.samples) == (8000, 8000)
    rows = encoder.rows(column, store)[:, 0, :, 20:80]
    peak = 2595 * np.log10(1 + 1000 / 700) / (2595 * np.log10(1 + 4000 / 700)) * 65 - 1
    assert {int(place) for place in rows.mean(2).argmax(1)} <= {round(peak) - 1, round(peak), round(peak) + 1}
    np.testing.assert_allclose(rows[2].max(), rows[0].max(), atol=0.05)


def test_length_is_that_of_most_sounds_and_silence_stands_behind_shorter_ones() -> None:
    noise = np.random.default_rng(1)
    store, column = store_of(*(noise.normal(size=size) for size in [800] * 39 + [8000] + [3]))
    encoder = AudioEncoder.fit(column, store, Audio(mels=16))
    assert encoder.samples == 800
    rows = encoder.rows(column, store)
    # Three samples, and then nothing.
    assert torch.allclose(rows[40, 0, :, 4:], torch.tensor(np.log(1e-6)).float())
    assert rows[40, 0, :, 0].max() > np.log(1e-6) + 1
    assert torch.equal(encoder.rows(column[40:], store), rows[40:])


def test_fronts_are_standard_on_training_sounds_and_facts_make_them_again() -> None:
    noise = np.random.default_rng(2)
    store, column = store_of(*(noise.normal(size=1600) * scale for scale in (0.01, 0.1, 1)))
    encoder = AudioEncoder.fit(column, store, Audio(mels=20))
    seen = encoder.front()(encoder.rows(column, store))
    assert seen.mean((0, 1, 3)).abs().max() < 1e-4
    assert (seen.std((0, 1, 3), correction=0) - 1).abs().max() < 1e-4
    again = AudioEncoder.from_facts(json.loads(json.dumps(encoder.facts())))
    assert torch.equal(again.front()(again.rows(column, store)), seen)
    assert not again.front().state_dict()


def test_spoken_digits_are_told_apart_by_a_straight_line(shared_data: Path) -> None:
    from sklearn.linear_model import RidgeClassifier

    files = sorted((shared_data / "fsdd" / "recordings").glob("*.wav"))[::5]
    column, store = read_sounds(files, [file.name for file in files])
    labels, test = np.array([int(file.name[0]) for file in files]), np.arange(len(files)) % 4 == 0
    encoder = AudioEncoder.fit(column.filter(pl.Series(~test)), store, Audio())
    assert encoder.rate == 8000
    simple = encoder.simple(encoder.rows(column, store)).numpy()
    assert simple.shape[1] <= 1000
    # One in ten by chance.
    assert RidgeClassifier(1000).fit(simple[~test], labels[~test]).score(simple[test], labels[test]) > 0.75

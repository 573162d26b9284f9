"""Sounds of spectrograms: that they have the pitches which the spectrograms show."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import wavfile

import handrail
from handrail.data.encoders.audio import mel_filters
from handrail.data.encoders.griffin_lim import find_sound, unmix
from handrail.data.stores.audio import Sound
from handrail.data.writers.sounds import write_sounds
from handrail.errors import HandrailError

RATE, SIZE, HOP = 8000, 256, 80
TIME = np.arange(RATE // 2) / RATE


def power_of(sound: torch.Tensor) -> torch.Tensor:
    window = torch.hann_window(200)
    spectrum = torch.stft(sound, SIZE, HOP, 200, window, pad_mode="constant", return_complex=True)
    return spectrum.abs().square()


def rising() -> torch.Tensor:
    return torch.from_numpy(np.sin(2 * np.pi * (300 + 600 * TIME) * TIME)).float()[None]


def test_a_sound_comes_back_with_its_spectrogram():
    """Spectral convergence, ‖|S| − |S'|‖/‖|S|‖, as the paper measures it. Source: Griffin & Lim 1984"""
    sound = rising()
    power = power_of(sound)
    found = find_sound(power, samples=sound.shape[1], size=SIZE, hop=HOP, window=torch.hann_window(200))
    assert found.shape == sound.shape
    again = power_of(found)
    assert float((again.sqrt() - power.sqrt()).norm() / power.sqrt().norm()) < 0.1
    assert torch.equal(
        found, find_sound(power, samples=sound.shape[1], size=SIZE, hop=HOP, window=torch.hann_window(200))
    )


def test_filtered_power_is_unmixed_to_power_with_the_same_filtered_one():
    """Source: Lee & Seung 2001"""
    filters = mel_filters(RATE, SIZE, 24)
    mels = filters @ power_of(rising())
    power = unmix(mels, filters)
    assert (power >= 0).all()
    assert float((filters @ power - mels).norm() / mels.norm()) < 0.05


def test_a_spoken_word_is_made_and_given_back(tmp_path):
    """Tones of two pitches: what is reconstructed has the pitch of its row, as WAV."""
    folder = tmp_path / "tones"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(40):
        pitch = 400 if number % 2 else 1200
        wave = 0.5 * np.sin(2 * np.pi * pitch * TIME + rng.uniform(0, 6)) + 0.01 * rng.normal(size=len(TIME))
        wavfile.write(folder / f"{number:02d}.wav", RATE, (wave * 32767).astype(np.int16))
    changes = {"model": {"autoencoder": {"code": 2, "hidden": []}}, "data.audio.mels": 32}
    changes |= {"training.epochs": 30, "evaluation.resamples": 100}
    run = handrail.fit(folder, changes=changes, out=tmp_path / "run")
    sounds: list[Any] = run.reconstruct(folder).maps
    assert {sound.rate for sound in sounds} == {RATE}
    for number in (0, 1):
        loudest = np.abs(np.fft.rfft(sounds[number].samples)).argmax() * RATE / len(sounds[number].samples)
        assert loudest == pytest.approx((1200, 400)[number], rel=0.1)


def test_sounds_are_written_as_wav(tmp_path):
    sounds = [Sound(np.linspace(-2, 2, 100), RATE), Sound(np.zeros(100), RATE)]
    assert write_sounds(sounds, tmp_path / "out").startswith("2 sounds (0.013 s at 8,000 Hz")
    rate, samples = wavfile.read(tmp_path / "out" / "1.wav")
    assert (rate, samples.min(), samples.max()) == (RATE, -32767, 32767)
    write_sounds(sounds[:1], tmp_path / "one.wav")
    for out, told in (
        ("one.wav", "already exists"),
        ("two.mp3", "written as .wav"),
        ("three.wav", "into a folder"),
    ):
        with pytest.raises(HandrailError, match=told):
            write_sounds(sounds[: 2 if out == "three.wav" else 1], tmp_path / out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.wav", "out"]

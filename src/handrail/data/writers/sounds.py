"""Write sounds that were made as WAV files of 16 bits."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from handrail.data.stores.audio import Sound
from handrail.errors import HandrailError
from handrail.tools.files import is_taken, write_bytes
from handrail.tools.words import plural

_LOUDEST = 32767


def write_sounds(sounds: Sequence[Sound], out: Path, *, overwrite: bool = False) -> str:
    """Into a new folder, `1.wav`, `2.wav` …; a single sound into a file that ends in `.wav`.

    Returns: how many there are, for the message.

    Raises: `HandrailError` for several sounds and one file, and where there is something already.
    """
    if out.suffix and out.suffix.lower() != ".wav":
        raise HandrailError(f"--out {out}: found the ending {out.suffix}; sounds are written as .wav.")
    if out.suffix and len(sounds) > 1:
        raise HandrailError(f"--out {out}: {len(sounds)} sounds go into a folder, which has no ending.")
    if is_taken(out) and not (overwrite and out.suffix):
        raise HandrailError(f"'{out}' already exists; choose another --out.")
    for number, sound in enumerate(sounds, start=1):
        path = out if out.suffix else out / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, _wav(sound))
    seconds = len(sounds[0].samples) / sounds[0].rate
    how = "phases found by Griffin and Lim's procedure"
    return f"{plural(len(sounds), 'sound')} ({seconds:.2g} s at {sounds[0].rate:,} Hz; {how})"


def _wav(sound: Sound) -> bytes:
    from scipy.io import wavfile

    data = io.BytesIO()
    wavfile.write(data, sound.rate, (sound.samples.clip(-1, 1) * _LOUDEST).round().astype(np.int16))
    return data.getvalue()

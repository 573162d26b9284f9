"""From a spectrogram of mel-filtered power back to a sound: its phases are lost, and have to be found."""

import torch
from jaxtyping import Float
from torch import Tensor

_UNMIXED, _STEPS, _MOMENTUM = 60, 60, 0.99
_SEED = 0  # of the first phases


def unmix(
    mels: Float[Tensor, "rows mels frames"], filters: Float[Tensor, "mels bins"]
) -> Float[Tensor, "rows bins frames"]:
    """Power at each frequency whose filtered power is nearest, by multiplicative steps from equal power.

    Source: Lee & Seung 2001
    """
    wanted, mixed = filters.T @ mels, filters.T @ filters
    power = torch.ones_like(wanted) * mels.mean(dim=1, keepdim=True)
    for _ in range(_UNMIXED):
        power = power * wanted / (mixed @ power).clamp_min(1e-12)
    return power


def find_sound(
    power: Float[Tensor, "rows bins frames"],
    *,
    samples: int,
    size: int,
    hop: int,
    window: Float[Tensor, " window"],
) -> Float[Tensor, "rows samples"]:
    """Sounds whose spectrograms have this power, as nearly as can be: phases are those of a real sound's
    spectrogram, found by going back and forth between the two.

    Arguments:
        size, hop, window: of the Fourier transform, as `torch.stft`.

    Source: Griffin & Lim 1984; momentum: Perraudin, Balazs & Søndergaard 2013
    """
    how = {"n_fft": size, "hop_length": hop, "win_length": len(window), "window": window}
    height = power.sqrt()
    turn = 2 * torch.pi * torch.rand(height.shape, generator=torch.Generator().manual_seed(_SEED))
    spectrum, before = torch.polar(height, turn), None
    sound = height.new_zeros(len(height), samples)
    for _ in range(_STEPS):
        sound = torch.istft(spectrum, length=samples, **how)
        real = torch.stft(sound, pad_mode="constant", return_complex=True, **how)
        ahead = real if before is None else real + _MOMENTUM * (real - before)
        before = real
        spectrum = torch.polar(height, ahead.angle())
    return sound

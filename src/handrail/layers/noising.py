"""How a row becomes noise step by step, and what is known of the way back."""

import math
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

Schedule = Literal["cosine", "linear"]
Rows = Float[Tensor, "rows width"]
Steps = Int[Tensor, " rows"]
_OFFSET = 0.008  # of the cosine: without it the first steps would change next to nothing
_MOST = 0.999  # of the variance that one step adds
_LOW, _HIGH, _PAPER_STEPS = 1e-4, 0.02, 1000  # of the linear schedule


class Noising(nn.Module):
    """x_t = √ᾱ_t·x + √(1 − ᾱ_t)·ε with ε ~ N(0, I), for t = 1 … T: less of the row at each step.

    A step keeps the share α_t = 1 − β_t of the variance, and ᾱ_t = α_1 ⋯ α_t.
    linear: β_t rises from 10⁻⁴ to 0.02, times 1000/T, so that any T ends about as noisy as the paper's.
    cosine: ᾱ_t = f(t)/f(0), f(t) = cos²(½π·(t/T + 0.008)/1.008). No β_t is above 0.999.

    Arguments:
        steps: T.

    Source: Ho, Jain & Abbeel 2020 (linear); Nichol & Dhariwal 2021 (cosine)
    """

    kept: Tensor
    added: Tensor

    def __init__(self, steps: int, schedule: Schedule = "cosine") -> None:
        super().__init__()
        self.steps = steps
        if schedule == "linear":
            added = torch.linspace(_LOW, _HIGH, steps, dtype=torch.float64) * (_PAPER_STEPS / steps)
        else:
            places = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
            left = torch.cos((places + _OFFSET) / (1 + _OFFSET) * math.pi / 2).square()
            added = 1 - left[1:] / left[:-1]
        added = torch.cat([torch.zeros(1, dtype=torch.float64), added.clamp_max(_MOST)])
        self.register_buffer("added", added, persistent=False)  # β, by t from 0
        self.register_buffer("kept", (1 - added).cumprod(dim=0), persistent=False)  # ᾱ

    def signal(self, t: Steps) -> Float[Tensor, "rows 1"]:
        """√ᾱ_t."""
        return self.kept[t].sqrt().float().unsqueeze(1)

    def noise(self, t: Steps) -> Float[Tensor, "rows 1"]:
        """√(1 − ᾱ_t)."""
        return (1 - self.kept[t]).sqrt().float().unsqueeze(1)

    def add(self, x: Rows, noise: Rows, t: Steps) -> Rows:
        """x_t of rows x and noise ε."""
        return self.signal(t) * x + self.noise(t) * noise

    def remove(self, noisy: Rows, noise: Rows, t: Steps) -> Rows:
        """x of x_t and ε."""
        return (noisy - self.noise(t) * noise) / self.signal(t)

    def back(self, x: Rows, noisy: Rows, t: Steps) -> Rows:
        """The mean of x_{t−1} given x and x_t, which is normal:
        (√ᾱ_{t−1}·β_t·x + √α_t·(1 − ᾱ_{t−1})·x_t)/(1 − ᾱ_t).
        """
        before, total = self.kept[t - 1], 1 - self.kept[t]
        of_row = before.sqrt() * self.added[t] / total
        of_noisy = (1 - self.added[t]).sqrt() * (1 - before) / total
        return of_row.float().unsqueeze(1) * x + of_noisy.float().unsqueeze(1) * noisy

    def back_variance(self) -> Float[Tensor, " steps"]:
        """Its variance, β_t·(1 − ᾱ_{t−1})/(1 − ᾱ_t), for t = 1 … T; of the first step 0."""
        return self.added[1:] * (1 - self.kept[:-1]) / (1 - self.kept[1:])

    def weight(self) -> Float[Tensor, " steps"]:
        """By how much a squared error of the noise moves the mean of x_{t−1}, squared: β_t²/(α_t·(1 − ᾱ_t)),
        for t = 1 … T.
        """
        return self.added[1:].square() / ((1 - self.added[1:]) * (1 - self.kept[1:]))

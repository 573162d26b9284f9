"""The front of the encoders of series and sound: each channel less its mean, by its deviation."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.data.encoders.table_layers import LARGEST, usable_spread


class Standardise(nn.Module):
    """y = (x − mean) / deviation along one axis; numbers beyond ±10¹⁸ count as that, before and after.

    Arguments:
        mean, deviation: one a channel.
        axes: how many axes of x follow the channels.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float], *, axes: int) -> None:
        super().__init__()
        shape = (-1, *(1 for _ in range(axes)))
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).reshape(shape), persistent=False)
        self.register_buffer(
            "deviation", torch.tensor(deviation, dtype=torch.float32).reshape(shape), persistent=False
        )

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows ..."]:
        """Standardised rows."""
        return ((x.float().clamp(-LARGEST, LARGEST) - self.mean) / self.deviation).clamp(-LARGEST, LARGEST)


class Moments:
    """Mean and deviation of channels, gathered from parts of the rows, so that not all of them need to be at
    hand at once.
    """

    def __init__(self, channels: int) -> None:
        self.count = torch.zeros(channels, dtype=torch.float64)
        self.mean = torch.zeros(channels, dtype=torch.float64)
        self.squares = torch.zeros(channels, dtype=torch.float64)
        self.size = torch.zeros(channels, dtype=torch.float64)

    def add(self, values: Float[Tensor, "n channels"]) -> None:
        """Take in values; not a number is left out.

        Source: Chan, Golub & LeVeque 1979
        """
        known = ~torch.isnan(values)
        exact = torch.nan_to_num(values.double()).clamp(-LARGEST, LARGEST)
        count = known.sum(dim=0).double()
        mean = exact.sum(dim=0) / count.clamp(min=1)
        squares = (((exact - mean) ** 2) * known).sum(dim=0)
        total = (self.count + count).clamp(min=1)
        shift = mean - self.mean
        self.squares += squares + shift**2 * self.count * count / total
        self.mean += shift * count / total
        self.count += count
        self.size = torch.maximum(self.size, exact.abs().amax(dim=0)) if len(values) else self.size

    def found(self) -> tuple[list[float], list[float]]:
        """Means, and deviations (dividing by n; 1 where there is none)."""
        deviation = (self.squares / self.count.clamp(min=1)).sqrt()
        single = usable_spread(
            deviation, self.size * torch.finfo(torch.float32).eps / torch.finfo(torch.float64).eps
        )
        return self.mean.tolist(), single.tolist()

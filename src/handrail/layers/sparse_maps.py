"""Sparse maps: where which filter stands, so that together they give a picture."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Pictures = Float[Tensor, "rows channels height width"]
Maps = Float[Tensor, "rows maps high wide"]


class SparseMaps(nn.Module):
    """x ≈ Σₖ zₖ ∗ fₖ with few zₖ ≠ 0: a transposed convolution, and the maps that suit a picture best.

        z = argmin ½‖x − Σₖ zₖ ∗ fₖ‖² + λ·‖z‖₁  over z ≥ 0,   ‖fₖ‖ = 1,   λ = sparsity·maxₖ (x ⋆ fₖ)

    is approached by so many steps of FISTA. With a sparsity of 1 nothing would be left of any picture; since
    λ goes with the picture, the maps of a·x are a·z. The step is 1/L, with L from above (see `steepness`).

    Filters learn by the loss that the layer adds, the mean of (x − Σₖ zₖ ∗ fₖ)² with the maps held fast.

    Arguments:
        channels: of the pictures. maps: filters. kernel: their side, odd. stride: pictures have so many times
        as many pixels a side. size: of a picture, height and width.

    Source: Zeiler et al. 2010; FISTA: Beck & Teboulle 2009
    """

    turns: Tensor

    def __init__(
        self,
        channels: int,
        maps: int,
        *,
        size: tuple[int, int],
        kernel: int,
        stride: int,
        sparsity: float,
        iterations: int,
    ) -> None:
        super().__init__()
        self.stride, self.padding = stride, kernel // 2
        self.sparsity, self.iterations = sparsity, iterations
        self.over = tuple((side - 1) % stride for side in size)
        random = torch.randn(maps, channels, kernel, kernel)
        self.weight = nn.Parameter(random / random.flatten(1).norm(dim=1).view(-1, 1, 1, 1))
        turns, self.slack = _frequencies(kernel, stride)
        self.register_buffer("turns", turns, persistent=False)

    @property
    def filters(self) -> Float[Tensor, "maps channels kernel kernel"]:
        """Each of length 1."""
        return functional.normalize(self.weight.flatten(1), dim=1).view_as(self.weight)

    def forward(self, x: Pictures) -> Maps:
        return self.infer(x)

    def together(self, maps: Maps) -> Pictures:
        """Σₖ zₖ ∗ fₖ."""
        return self._together(maps, self.filters)

    def _together(self, maps: Maps, filters: Tensor) -> Pictures:
        return functional.conv_transpose2d(
            maps, filters, stride=self.stride, padding=self.padding, output_padding=self.over
        )

    def added_loss(self, inputs: Pictures, outputs: Maps, targets: Tensor) -> Float[Tensor, " rows"]:
        """The mean squared error of each picture, with its maps held fast."""
        return (self.together(outputs.detach()) - inputs.detach()).square().flatten(1).mean(dim=1)

    @torch.no_grad()
    def infer(self, x: Pictures) -> Maps:
        """The maps of each picture."""
        filters = self.filters
        fit = functional.conv2d(x, filters, stride=self.stride, padding=self.padding)
        least = self.sparsity * fit.flatten(1).amax(dim=1).clamp_min(0)[:, None, None, None]
        rate = 1 / self.steepness(filters)
        maps = ahead = torch.zeros_like(fit)
        speed = 1.0
        for _ in range(self.iterations):
            given = self._together(ahead, filters)
            slope = functional.conv2d(given, filters, stride=self.stride, padding=self.padding) - fit
            before, maps = maps, (ahead - rate * (slope + least)).relu()
            faster = (1 + math.sqrt(1 + 4 * speed**2)) / 2
            ahead = maps + (speed - 1) / faster * (maps - before)
            speed = faster
        return maps

    def steepness(self, filters: Float[Tensor, "maps channels kernel kernel"]) -> Float[Tensor, ""]:
        """A bound on ‖z ↦ Σₖ zₖ ∗ fₖ‖².

        With F(ω) `[channels, maps]` the filters' spectrum it is max ‖F(ω)ᴴ·F(ω)‖ over frequencies, where
        those that a stride does not tell apart stand for one by their mean. Norms are Frobenius',
        and frequencies are so close that little can rise between them (Ehlich & Zeller 1964).
        """
        spectrum = (filters.flatten(2) @ self.turns).permute(2, 1, 0)  # [places, channels, maps]
        real, imaginary = map(self._alike, spectrum.chunk(2))
        along = real.mT @ real + imaginary.mT @ imaginary
        across = real.mT @ imaginary - imaginary.mT @ real
        squared = (along.square() + across.square()).sum(dim=(1, 2)).max()
        return self.slack * squared.sqrt() / self.stride**2

    def _alike(self, spectrum: Float[Tensor, "places channels maps"]) -> Float[Tensor, "apart alike maps"]:
        """With the frequencies side by side that the stride does not tell apart."""
        apart = math.isqrt(len(spectrum)) // self.stride
        plane = spectrum.unflatten(0, (self.stride, apart, self.stride, apart))
        return plane.permute(1, 3, 0, 2, 4, 5).flatten(2, 4).flatten(0, 1)


def _frequencies(kernel: int, stride: int) -> tuple[Float[Tensor, "weights places"], float]:
    """Cosines, then sines, by which weights are multiplied at each frequency; and by how much a square may be
    larger between these frequencies than at them.
    """
    places = stride * -(-8 * kernel // stride)
    turn = 2 * math.pi / places * torch.arange(places, dtype=torch.float64)
    angle = torch.arange(kernel, dtype=torch.float64).outer(turn)
    angles = (angle[:, None, :, None] + angle[None, :, None, :]).flatten(2).flatten(0, 1)
    slack = math.cos(math.pi * (kernel - 1) / places) ** -2
    return torch.cat([angles.cos(), angles.sin()], dim=1).float(), slack

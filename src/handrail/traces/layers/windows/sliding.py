"""A kernel that slides over a picture: the windows it sees, what it makes of them, and the way back."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from torch import nn

from handrail.errors import DataError
from handrail.traces.layers.numbers import Picture
from handrail.traces.reached import plain

Pair = tuple[int, int]  # down, across
Map = Float[np.ndarray, "down across"]
Windows = Float[np.ndarray, "down across channels height width"]


@dataclass(frozen=True, eq=False)
class Sliding:
    """A picture, and one kernel of a convolution.

    Arguments:
        kernel: as it is laid on a window, number on number.
        frame: zeros above and below, left and right of the picture.
        stride: from one window to the next.
        dilation: from one number of a window to the next.

    Raises: `DataError` for a kernel of other channels than the picture's, and one that does not fit in.
    """

    picture: Picture
    kernel: Picture
    bias: float = 0.0
    frame: tuple[Pair, Pair] = ((0, 0), (0, 0))
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)

    def __post_init__(self) -> None:
        channels, found = len(self.picture), len(self.kernel)
        if channels != found:
            raise DataError(
                f"kernel: found {found} channels, expected {channels}, as many as the picture has."
            )
        seen, room = self.reach, self.framed.shape[1:]
        if seen[0] > room[0] or seen[1] > room[1]:
            raise DataError(
                f"kernel: sees {seen[0]}×{seen[1]} numbers, but the picture has {room[0]}×{room[1]} with its "
                "padding; choose a smaller kernel, or more padding."
            )

    @property
    def reach(self) -> Pair:
        """How far a window extends, down and across."""
        down, across = self.dilation
        return down * (self.kernel.shape[1] - 1) + 1, across * (self.kernel.shape[2] - 1) + 1

    @property
    def framed(self) -> Picture:
        """The picture with its zeros."""
        return np.pad(self.picture, ((0, 0), *self.frame))

    @property
    def windows(self) -> Windows:
        """What the kernel sees, place by place."""
        view = np.lib.stride_tricks.sliding_window_view(self.framed, self.reach, axis=(1, 2))  # pyright: ignore
        (down, across), (apart, aside) = self.stride, self.dilation
        return view[:, ::down, ::across, ::apart, ::aside].transpose(1, 2, 0, 3, 4)

    @property
    def map(self) -> Map:
        """y = Σ window · kernel + b at each place."""
        return np.einsum("yxcij,cij->yx", self.windows, self.kernel) + self.bias

    @property
    def flipped(self) -> "Sliding":
        """The same with the kernel turned around, both ways."""
        return replace(self, kernel=self.kernel[:, ::-1, ::-1])

    def back(self, gradient: Map) -> tuple[Picture, Picture]:
        """What a gradient with respect to the map is with respect to kernel and picture."""
        weights = np.einsum("yx,yxcij->cij", gradient, self.windows)
        framed = np.zeros(self.framed.shape)
        for (row, column), entry in np.ndenumerate(gradient):
            seen = tuple(
                slice(place * step, place * step + reach, apart)
                for place, step, reach, apart in zip(
                    (row, column), self.stride, self.reach, self.dilation, strict=True
                )
            )
            framed[:, *seen] += entry * self.kernel
        (top, _), (left, _) = self.frame
        height, width = self.picture.shape[1:]
        return weights, framed[:, top : top + height, left : left + width]


def sliding_of(layer: nn.Conv1d | nn.Conv2d, x: Picture, output: int) -> Sliding:
    """One map of a convolution.

    Raises: `DataError` for a map that there is not, and padding with anything but zeros.
    """
    if output >= layer.out_channels:
        raise DataError(
            f"output_map: found {output}, expected a number from 0 to {layer.out_channels - 1}, for the "
            "maps of the first convolution."
        )
    if layer.padding_mode != "zeros":
        raise DataError(f"run: its first convolution pads by '{layer.padding_mode}', expected zeros.")
    group = output // (layer.out_channels // layer.groups)
    channels = layer.in_channels // layer.groups
    kernel = plain(layer.weight)[output]
    return Sliding(
        x[group * channels : (group + 1) * channels],
        kernel.reshape(channels, -1, kernel.shape[-1]),
        0.0 if layer.bias is None else float(plain(layer.bias)[output]),
        _frame(layer),
        _both(layer.stride),
        _both(layer.dilation),
    )


def _both(numbers: tuple[int, ...]) -> Pair:
    """Down and across; of one dimension alone, down is 1."""
    down, across = (1, *numbers)[-2:]
    return down, across


def _frame(layer: nn.Conv1d | nn.Conv2d) -> tuple[Pair, Pair]:
    sides = layer._reversed_padding_repeated_twice  # from the last dimension to the first
    across = (sides[0], sides[1])
    return ((sides[2], sides[3]) if len(sides) > 2 else (0, 0), across)

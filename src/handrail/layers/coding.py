"""The two halves of a network that codes rows: layers that lead to the code, and their mirror image."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import build
from handrail.errors import RecipeError
from handrail.layers.noise import Dropout
from handrail.shapes import ImageShape, InputShape, SeriesShape, numbers_in

_KERNEL = 4  # at a stride of 2 and with one zero on either side, a size is halved, rounded down
_CONVOLUTION: dict[int, tuple[type[nn.Module], type[nn.Module]]] = {
    1: (nn.Conv1d, nn.ConvTranspose1d),
    2: (nn.Conv2d, nn.ConvTranspose2d),
}


class Codes(nn.Module):
    """A network that encodes rows and decodes codes, so that it can go from row to row by its codes."""

    def encode(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows code"]:
        """The code of each row."""
        raise NotImplementedError

    def decode(self, code: Float[Tensor, "rows code"]) -> Float[Tensor, "rows width"]:
        """The row of each code, flat, in encoded units."""
        raise NotImplementedError

    def reconstruct(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows width"]:
        """Each row, encoded and decoded."""
        return self.decode(self.encode(x))

    def score(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, " rows"]:
        """Less the mean squared error of each row's reconstruction."""
        return -(self.reconstruct(x) - x.flatten(1)).square().mean(dim=1)

    def interpolate(self, x: Float[Tensor, "rows ..."], *, between: int) -> Float[Tensor, "more width"]:
        """From each row to the next, by codes on the straight line between theirs, both ends included."""
        codes = self.encode(x)
        share = torch.linspace(0, 1, between + 2, device=codes.device, dtype=codes.dtype)[None, :, None]
        return self.decode(torch.lerp(codes[:-1, None], codes[1:, None], share).flatten(0, 1))


def halved_sizes(inputs: InputShape, channels: Sequence[int], where: str) -> list[tuple[int, ...]]:
    """Height and width, or length, before each convolution and after the last; each halves them.

    Raises: `RecipeError` for rows without neighbours, and for more halvings than they have room for.
    """
    if not isinstance(inputs, ImageShape | SeriesShape):
        raise RecipeError(f"{where}: found convolutions, but rows are no images or series; leave it out.")
    sizes = [tuple(inputs[1:])]
    for _ in channels:
        if min(sizes[-1]) < 2:
            size, times = " × ".join(map(str, inputs[1:])), min(inputs[1:]).bit_length() - 1
            raise RecipeError(
                f"{where}: found {len(channels)} convolutions, each of which halves the size, but {size} can "
                f"be halved {times} times; expected at most {times}."
            )
        sizes.append(tuple(size // 2 for size in sizes[-1]))
    return sizes


def coding_layers(
    inputs: InputShape,
    outputs: int,
    *,
    channels: Sequence[int],
    hidden: Sequence[int],
    activation: Any,
    dropout: float = 0.0,
    where: str,
) -> nn.Sequential:
    """From rows, flat or not, to numbers `[rows, outputs]`: convolutions that halve, then dense layers.

    Arguments:
        channels: of each convolution; none for dense layers alone.
        hidden: units of each dense layer before the last.
        dropout: share of their units set to zero in training.
        where: the setting that `channels` come from, for messages.

    Raises: `RecipeError` where the rows cannot be halved so often.
    """
    layers: list[nn.Module] = []
    width = numbers_in(inputs)
    if channels:
        sizes = halved_sizes(inputs, channels, where)
        layers += [nn.Flatten(), nn.Unflatten(1, (_first(inputs), *sizes[0]))]  # rows may come flat
        for step, after in zip(halving_steps(inputs, channels), channels, strict=True):
            layers += [step, build("activation", activation, after)]
        width = _count(channels[-1], sizes[-1])
    return nn.Sequential(*layers, nn.Flatten(), *dense_layers([width, *hidden, outputs], activation, dropout))


def decoding_layers(
    inputs: InputShape,
    code: int,
    *,
    channels: Sequence[int],
    hidden: Sequence[int],
    activation: Any,
    dropout: float = 0.0,
    where: str,
) -> nn.Sequential:
    """From codes `[rows, code]` to flat rows `[rows, width]`, as `coding_layers` in reverse."""
    sizes = halved_sizes(inputs, channels, where) if channels else []
    width = _count(channels[-1], sizes[-1]) if channels else numbers_in(inputs)
    layers = dense_layers([code, *reversed(hidden), width], activation, dropout)
    if not channels:
        return nn.Sequential(*layers)
    layers += [build("activation", activation, width), nn.Unflatten(1, (channels[-1], *sizes[-1]))]
    steps = doubling_steps(inputs, channels, sizes)
    for step, after in zip(steps, [*channels[-2::-1], _first(inputs)], strict=True):
        layers += [step, build("activation", activation, after)]
    return nn.Sequential(*layers[:-1], nn.Flatten())


def halving_steps(inputs: InputShape, channels: Sequence[int]) -> list[nn.Module]:
    """Convolutions to so many channels, each of which halves the size."""
    assert isinstance(inputs, ImageShape | SeriesShape)
    convolution, _ = _CONVOLUTION[len(inputs) - 1]
    return [
        convolution(before, after, _KERNEL, 2, 1) for before, after in pairwise([_first(inputs), *channels])
    ]


def doubling_steps(
    inputs: InputShape, channels: Sequence[int], sizes: Sequence[tuple[int, ...]]
) -> list[nn.Module]:
    """Transposed convolutions from the last of the channels to those of the rows.

    Arguments:
        sizes: as `halved_sizes` gives them; each is met exactly.
    """
    _, transposed = _CONVOLUTION[len(sizes[0])]
    steps: list[nn.Module] = []
    ways = zip(pairwise([*reversed(channels), _first(inputs)]), pairwise(reversed(sizes)), strict=True)
    for (before, after), (small, large) in ways:
        odd = tuple(size - 2 * half for half, size in zip(small, large, strict=True))
        steps.append(transposed(before, after, _KERNEL, 2, 1, odd))
    return steps


def dense_layers(widths: Sequence[int], activation: Any, dropout: float = 0.0) -> list[nn.Module]:
    """Dense layers from each width to the next, with activations and, perhaps, dropout between them."""
    steps = [nn.Linear(before, units) for before, units in pairwise(widths)]
    return activated(steps, widths[1:-1], activation, dropout)


def activated(
    steps: Sequence[nn.Module], hidden: Sequence[int], activation: Any, dropout: float
) -> list[nn.Module]:
    """Weights, each but the last followed by its activation and, perhaps, dropout."""
    layers: list[nn.Module] = []
    for step, units in zip(steps, hidden, strict=False):
        layers += [step, build("activation", activation, units)]
        layers += [Dropout(dropout)] if dropout else []
    return [*layers, steps[-1]]


def _first(inputs: InputShape) -> int:
    assert isinstance(inputs, ImageShape | SeriesShape)
    return inputs.channels


def _count(channels: int, size: Sequence[int]) -> int:
    for each in size:
        channels *= each
    return channels

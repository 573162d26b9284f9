"""What units far from the pixels look for: their weights, times those of the layers below."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.layers.distances import Nearness
from handrail.layers.probabilistic_pooling import LogSumPool

_WEIGHTED = (nn.Linear, nn.Conv2d)


@torch.no_grad()
def unit_pictures(
    stages: Iterable[nn.Module], shape: tuple[int, ...]
) -> list[Float[Tensor, "units channels height width"]]:
    """Of each stage the pictures of its units: as if there were no activation on the way to the pixels.

    A map is shown by the unit in its middle, a pooled unit stands for all units of its block alike. Pictures
    are cut to what units see. They end before a stage whose units have no weights, such as centres.

    Arguments:
        shape: of the rows that the first stage is given, channels, height and width.

    Source: Lee et al. 2009 (linear combinations of the filters below)
    """
    path: list[tuple[nn.Module, torch.Size]] = []  # layers so far, and the shapes that they are given
    x, shown = torch.zeros(1, *shape), []
    for layers in stages:
        below = len(path)
        for layer in layers.children():
            path.append((layer, x.shape[1:]))
            x = layer(x)
        weighted = [end for end in range(below, len(path)) if isinstance(path[end][0], _WEIGHTED)]
        if not weighted or any(isinstance(layer, Nearness) for layer, _ in path):
            break
        top = weighted[-1] + 1
        pictures = _one_hot(path[top][1] if top < len(path) else x.shape[1:])
        for layer, given in reversed(path[:top]):
            pictures = _back(layer, pictures, given)
        shown.append(_cut(pictures.reshape(-1, *shape)))
    return shown


def _one_hot(outputs: torch.Size) -> Float[Tensor, "units ..."]:
    """A picture a unit of these outputs, in which it alone, or the one in the middle of its map, is 1."""
    units = outputs[0]
    if len(outputs) == 1:
        return torch.eye(units)
    pictures = torch.zeros(units, *outputs)
    pictures[range(units), range(units), outputs[1] // 2, outputs[2] // 2] = 1
    return pictures


def _back(layer: nn.Module, x: Tensor, given: torch.Size) -> Tensor:
    """What is given to a layer, by what it makes of it."""
    if isinstance(layer, nn.Linear):
        return x @ layer.weight
    if isinstance(layer, nn.Conv2d):
        return functional.conv_transpose2d(x, layer.weight)
    if isinstance(layer, LogSumPool):
        wide = x.repeat_interleave(layer.side, dim=2).repeat_interleave(layer.side, dim=3)
        return wide[:, :, : given[1], : given[2]] / layer.side**2
    return x.reshape(-1, *given) if isinstance(layer, nn.Flatten) else x


def _cut(pictures: Float[Tensor, "units channels height width"]) -> Tensor:
    """Without the rows and columns, at the borders, that no unit sees."""
    seen = pictures.abs().amax(dim=(0, 1)) > 0
    for dim in (0, 1):
        places = seen.any(dim=1 - dim).nonzero()
        if len(places):
            first, last = int(places[0]), int(places[-1])
            pictures = pictures.narrow(dim + 2, first, last - first + 1)
    return pictures

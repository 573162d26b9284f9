"""Stand-ins for layers and losses in a cohort, so that a step of many networks is one pure function.

Random numbers are drawn outside, from each network's own generator, and handed in as a buffer; running
averages come out in `updated` instead of being changed in place. Each network is given the very numbers that
it would draw alone.
"""

import copy
import functools
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from handrail.layers import normalisation
from handrail.layers.noise import (
    Dropout,
    GaussianNoise,
    NoisyLinear,
    fill_words,
    keep_mask,
    keep_threshold,
    words_for,
)
from handrail.layers.normalisation import BatchNormRows
from handrail.layers.pooling import StochasticPool, draw_by_share, mean_by_share
from handrail.objectives import likelihoods
from handrail.objectives.objective import Objective, are_classes, zero_one

_FEW = 16  # classes: with more of them torch's own kernel, which goes row by row, is quick


class Drawing(nn.Module):
    """A layer that takes its random numbers from the buffer `drawn`.

    neutral: the number that changes nothing.
    """

    neutral = 0.0
    drawn: Tensor
    shape: tuple[int, ...]
    "What it needs for the batch that it saw last, for one network."

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.shape = ()
        self.register_buffer("drawn", torch.tensor(self.neutral), persistent=False)

    def stand_for(self, levels: Sequence[float], like: Tensor) -> None:
        """Set the levels of the networks' own layers, and one of their parameters."""
        self.levels, self.like = list(levels), like
        self._known: tuple[Sequence[Generator], dict[Generator, float], list[int]] | None = None
        self._wide: dict[int, list[Tensor]] = {}
        self.vectors = self._vectors(torch.tensor(levels, dtype=torch.float64, device=like.device))

    def _vectors(self, levels: Tensor) -> list[Tensor]:
        """Numbers of each network that `_scale` needs."""
        return [levels.to(self.like.dtype)]

    def draw(self, shape: tuple[int, ...], generators: Sequence[Generator]) -> Tensor:
        """What the networks draw, each from its own generator: `[networks, *shape]`.

        A layer whose setting is 0 draws nothing. Networks that share a generator, as those of one seed may,
        get the same numbers.
        """
        drawers, places = self._drawers(generators)
        raw = self._allocate((len(drawers), *shape))
        for part, (generator, level) in zip(raw, drawers.items(), strict=True):
            if level:
                self._fill(part, level, generator)
        if places:
            raw = raw[places]
        return self._scale(raw, shape, *self._broadcast(len(shape)))

    def _broadcast(self, dimensions: int) -> list[Tensor]:
        """The numbers of each network, shaped to go with so many dimensions."""
        if dimensions not in self._wide:
            shape = (-1, *[1] * dimensions)
            self._wide[dimensions] = [vector.view(shape) for vector in self.vectors]
        return self._wide[dimensions]

    def _drawers(self, generators: Sequence[Generator]) -> tuple[dict[Generator, float], list[int]]:
        """Each generator once, and for each network its generator's place where some are shared; cached."""
        if self._known is None or self._known[0] is not generators:
            drawers = dict(zip(generators, self.levels, strict=True))
            places = {generator: place for place, generator in enumerate(drawers)}
            some_shared = 1 < len(drawers) < len(self.levels)
            own_places = [places[generator] for generator in generators] if some_shared else []
            self._known = (generators, drawers, own_places)
        return self._known[1:]

    def _allocate(self, shape: tuple[int, ...]) -> Tensor:
        return torch.zeros(shape, dtype=self.like.dtype, device=self.like.device)

    def _fill(self, part: Tensor, level: float, generator: Generator) -> None:
        """Draw as the layer does alone."""
        raise NotImplementedError

    def _scale(self, raw: Tensor, shape: tuple[int, ...], *vectors: Tensor) -> Tensor:
        """The numbers drawn, as the layer needs them."""
        return raw * vectors[0]

    @staticmethod
    def level(layer: nn.Module) -> float:
        """The setting of the layer that this one stands for."""
        raise NotImplementedError

    @staticmethod
    def draws_alike(level: float) -> Any:
        """What must be equal for two networks of one seed to draw the same numbers."""
        return level > 0


class Drop(Drawing):
    """y = x · drawn, for `handrail.layers.noise.Dropout`."""

    neutral = 1.0

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        self.shape = tuple(x.shape)
        return x * self.drawn

    def _vectors(self, levels: Tensor) -> list[Tensor]:
        thresholds = [keep_threshold(level) for level in self.levels]
        first = torch.tensor(thresholds, dtype=torch.float32, device=levels.device)
        return [first, (1 / (1 - levels)).to(self.like.dtype)]

    def _allocate(self, shape: tuple[int, ...]) -> Tensor:
        words = words_for(torch.Size(shape[1:]).numel())
        return torch.zeros((shape[0], words), dtype=torch.int64, device=self.like.device)

    def _fill(self, part: Tensor, level: float, generator: Generator) -> None:
        fill_words(part, generator)

    def _scale(self, raw: Tensor, shape: tuple[int, ...], *vectors: Tensor) -> Tensor:
        first, scale = vectors
        bits = raw.view(torch.int16)[:, : torch.Size(shape).numel()].view(-1, *shape)
        return keep_mask(bits, first, scale, self.like.dtype)

    @staticmethod
    def level(layer: nn.Module) -> float:
        return cast(nn.Dropout, layer).p


class TorchDrop(Drop):
    """y = x · drawn, for `torch.nn.Dropout`."""

    def _vectors(self, levels: Tensor) -> list[Tensor]:
        return [(1 - levels).to(self.like.dtype)]

    def _allocate(self, shape: tuple[int, ...]) -> Tensor:
        return torch.ones(shape, dtype=self.like.dtype, device=self.like.device)

    def _fill(self, part: Tensor, level: float, generator: Generator) -> None:
        part.bernoulli_(1 - level, generator=generator)

    @staticmethod
    def draws_alike(level: float) -> Any:
        """The share itself: the numbers are drawn by it."""
        return level

    def _scale(self, raw: Tensor, shape: tuple[int, ...], *vectors: Tensor) -> Tensor:
        return raw / vectors[0]


class StochasticPooling(Drawing):
    """For `handrail.layers.pooling.StochasticPool`: `drawn` says which value of each window is taken."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__(layer)
        pool = cast(StochasticPool, layer)
        self.shape_after, self.options = pool.shape_after, {"window": pool.window, "stride": pool.stride}

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return mean_by_share(x, **self.options)
        self.shape = self.shape_after(x.shape)
        return draw_by_share(x, self.drawn, **self.options)

    def _fill(self, part: Tensor, level: float, generator: Generator) -> None:
        part.uniform_(generator=generator)

    @staticmethod
    def level(layer: nn.Module) -> float:
        """It has no setting, and always draws."""
        return 1.0


class Noise(Drawing):
    """y = x + drawn."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        self.shape = tuple(x.shape)
        return x + self.drawn

    def _fill(self, part: Tensor, level: float, generator: Generator) -> None:
        part.normal_(generator=generator)

    @staticmethod
    def level(layer: nn.Module) -> float:
        return cast(GaussianNoise | NoisyLinear, layer).std


class NoisyWeights(Noise):
    """y = (W + drawn)·x + b."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__(layer)
        linear = cast(NoisyLinear, layer)
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, x: Tensor) -> Tensor:
        self.shape = tuple(self.weight.shape)
        return functional.linear(x, self.weight + self.drawn if self.training else self.weight, self.bias)


class BatchNorm(nn.Module):
    """Batch normalisation whose new running averages stand in `updated` after a pass in training.

    A batch of one row has no spread and goes by the averages so far, as `layers.normalisation.BatchNormRows`.
    """

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        norm = cast(nn.BatchNorm1d, layer)
        self.weight: Tensor | None = norm.weight
        self.bias: Tensor | None = norm.bias
        self.eps, self.momentum = norm.eps, norm.momentum
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(norm, name))
        self.updated: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        over = [0, *range(2, x.ndim)]
        rows = x.numel() // x.shape[1]
        mean, variance, self.updated = self.running_mean, self.running_var, {}
        if mean is None or variance is None or (self.training and rows > 1):
            variance, mean = torch.var_mean(x, over, correction=0)
            if self.training:
                self._update(mean.detach(), variance.detach() * rows / (rows - 1))
        wide = (1, -1, *(1 for _ in over[1:]))
        scaled = (x - mean.view(wide)) * torch.rsqrt(variance + self.eps).view(wide)
        weight, bias = self.weight, self.bias
        return scaled if weight is None or bias is None else scaled * weight.view(wide) + bias.view(wide)

    def _update(self, mean: Tensor, variance: Tensor) -> None:
        """Set what the running averages will be after this batch, where there are any."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        count = self.num_batches_tracked + 1
        # Without a momentum it is the mean of all batches so far, each of the same weight.
        share = 1 / count.to(mean.dtype) if self.momentum is None else self.momentum
        self.updated = {
            "running_mean": torch.lerp(self.running_mean, mean, share),
            "running_var": torch.lerp(self.running_var, variance, share),
            "num_batches_tracked": count,
        }


STAND_INS: dict[type[nn.Module], type[nn.Module]] = {
    Dropout: Drop,
    nn.Dropout: TorchDrop,
    GaussianNoise: Noise,
    NoisyLinear: NoisyWeights,
    StochasticPool: StochasticPooling,
    nn.BatchNorm1d: BatchNorm,
    nn.BatchNorm2d: BatchNorm,
    nn.BatchNorm3d: BatchNorm,
    BatchNormRows: BatchNorm,
    normalisation.BatchNorm: BatchNorm,
}


def stand_in(layer: nn.Module) -> type[nn.Module] | None:
    """The class that stands for a layer in a cohort; None where it can stay as it is."""
    return STAND_INS.get(type(layer))  # not for classes made from these, which may do something else


def replace_layers(network: nn.Module) -> nn.Module:
    """Put stand-ins into the network, in place; names of parameters and buffers stay."""
    for name, child in network.named_children():
        kind = stand_in(child)
        setattr(network, name, replace_layers(child) if kind is None else kind(child).train(child.training))
    return network


def stand_in_loss(objective: Objective) -> Objective:
    """The objective with its loss in operations that take the rows of all networks at once, if needed."""
    loss = objective.loss
    if getattr(loss, "func", loss) is not likelihoods.cross_entropy:
        return objective
    other = copy.copy(objective)
    other.loss = functools.partial(cross_entropy, **getattr(loss, "keywords", {}))
    return other


def cross_entropy(outputs: Tensor, targets: Tensor, *, label_smoothing: float | Tensor = 0.0) -> Tensor:
    """ln Σ exp(zᵢ − max z) − (z_target − max z), for `handrail.objectives.likelihoods.cross_entropy`."""
    if outputs.ndim != 2 or outputs.shape[1] > _FEW or not are_classes(targets):
        smoothing: Any = label_smoothing  # one for each network, where they differ
        return likelihoods.cross_entropy(outputs, targets, label_smoothing=smoothing)
    lower = outputs - outputs.amax(dim=1, keepdim=True).detach()
    shares = zero_one(outputs, targets)
    if isinstance(label_smoothing, Tensor) or label_smoothing > 0:
        shares = shares * (1 - label_smoothing) + label_smoothing / outputs.shape[1]
    return lower.exp().sum(dim=1).log() - (lower * shares).sum(dim=1)

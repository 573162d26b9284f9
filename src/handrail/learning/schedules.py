"""Schedules: how the learning rate changes while training.

Factories of torch's schedulers from the optimizer and the number of steps (parameter updates) of the whole
training. All are stepped once after each update, except `on_plateau`, which is stepped after each validation
with its loss: `steps_each_batch` tells them apart. η₀ is the optimizer's own learning rate, k the updates
done so far.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any, SupportsFloat

from pydantic import Field
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from handrail.components import Slot, build, component
from handrail.components.arguments import Count, Fraction, NonNegative, Positive, Rate
from handrail.errors import RecipeError


def steps_each_batch(schedule: LRScheduler) -> bool:
    """Whether to call `step()` after each update; a plateau schedule gets each validation's loss instead."""
    return not isinstance(schedule, ReduceLROnPlateau)


def schedule_state(schedule: LRScheduler) -> dict[str, Any]:
    """What a checkpoint can hold of a schedule's state; its functions are rebuilt from the recipe."""
    return {key: value for key, value in schedule.state_dict().items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(_is_plain(item) for item in value.values())
    return value is None or isinstance(value, int | float | str | Tensor)


@component("schedule")
def constant(optimizer: Optimizer, steps: int) -> LRScheduler:
    """Constant: η = η₀."""
    return LambdaLR(optimizer, lambda k: 1.0)


@component("schedule")
def step(
    optimizer: Optimizer,
    steps: int,
    *,
    every: Count | Fraction = 1 / 3,
    factor: Fraction = 0.1,
) -> LRScheduler:
    """Step: η = η₀ · factor^⌊k / every⌋.

    Arguments:
        every: a whole number of updates, or a fraction of the training below 1.
        factor: what the learning rate is multiplied by each time.

    Source: Krizhevsky, Sutskever & Hinton 2012
    """
    length = _length(every, steps)
    return LambdaLR(optimizer, lambda k: factor ** (k // length))


@component("schedule")
def time_decay(optimizer: Optimizer, steps: int, *, decay: Positive = 0.001) -> LRScheduler:
    """Time decay: η = η₀ / (1 + decay·k): an infinite sum, and finite squares, as the theory asks.

    Arguments:
        decay: per update; the learning rate has halved after 1/decay updates.

    Source: Robbins & Monro 1951
    """
    return LambdaLR(optimizer, lambda k: 1 / (1 + decay * k))


@component("schedule")
def cosine(optimizer: Optimizer, steps: int, *, final: Rate = 0.0) -> LRScheduler:
    """Cosine: η = η₀ · (f + (1 − f)·½(1 + cos(π·k / steps))), from η₀ down to f·η₀.

    Arguments:
        final: f, what is left at the end as a fraction of η₀.

    Source: Loshchilov & Hutter 2017
    """
    total = max(steps, 1)
    return LambdaLR(optimizer, lambda k: _between(1.0, final, k / total))


@component("schedule")
def warm_up(
    optimizer: Optimizer,
    steps: int,
    *,
    length: Count | Fraction = 0.05,
    then: Annotated[Any, Slot("schedule")] = "constant",
) -> LRScheduler:
    """Warm-up: η = η₀ · (k + 1) / length for the first updates, then another schedule for the rest.

    Arguments:
        length: a whole number of updates, or a fraction of the training below 1.
        then: any schedule that is a formula of the step; it counts from the warm-up's end.

    Raises: `RecipeError` when `then` is not a formula of the step (`on_plateau`).

    Source: Goyal et al. 2017
    """
    first = _length(length, steps)
    rest = build("schedule", then, optimizer, max(steps - first, 1), where="warm_up.then")
    if not isinstance(rest, LambdaLR):
        name = "ReduceLROnPlateau" if isinstance(rest, ReduceLROnPlateau) else type(rest).__name__
        raise RecipeError(
            f"warm_up.then: found {name}, expected a schedule that is a formula of the step: "
            "constant, step, time_decay, cosine or one_cycle."
        )
    return LambdaLR(optimizer, [_warm(after, first) for after in rest.lr_lambdas])


def _warm(after: Callable[[int], float], first: int) -> Callable[[int], float]:
    return lambda k: (k + 1) / first if k < first else after(k - first)


@component("schedule")
def one_cycle(
    optimizer: Optimizer,
    steps: int,
    *,
    max_learning_rate: Positive | None = None,
    rise: Fraction = 0.3,
    start: Fraction = 0.04,
    final: Fraction = 4e-6,
) -> LRScheduler:
    """One cycle: along a cosine from start·η to the peak η, and along another one down to final·η.

    torch's own divides by zero where the rise is one update long and has no peak in very short trainings;
    this one equals it elsewhere. The momentum stays as it is.

    Arguments:
        max_learning_rate: the peak; the optimizer's learning rate where not given.
        rise: fraction of the training until the peak.
        start, final: learning rate at the start and at the end as fractions of the peak.

    Source: Smith & Topin 2018
    """
    summit = max(rise * steps - 1, 0.0)
    descent = steps - 1 - summit

    def height(k: int) -> float:
        if k < summit:
            return _between(start, 1.0, k / summit)
        return _between(1.0, final, (k - summit) / descent) if descent > 0 else 1.0

    peaks = [
        1.0 if max_learning_rate is None else max_learning_rate / group.get("initial_lr", group["lr"])
        for group in optimizer.param_groups
    ]
    return LambdaLR(optimizer, [_scale(height, peak) for peak in peaks])


def _scale(curve: Callable[[int], float], by: float) -> Callable[[int], float]:
    return lambda k: by * curve(k)


@component("schedule")
def on_plateau(
    optimizer: Optimizer,
    steps: int,
    *,
    factor: Fraction = 0.1,
    patience: Annotated[int, Field(ge=0)] = 10,
    threshold: Rate = 1e-4,
    smallest: NonNegative = 0.0,
) -> LRScheduler:
    """On plateau: η ← η·factor once the validation loss has not improved in more than `patience` validations.

    torch's own asks for a loss below best · (1 − threshold), which lies *above* a best that is negative; for
    positive losses this is the same.

    Arguments:
        threshold: an improvement is a loss below best − threshold · |best|.
        smallest: η never falls below it.

    Source: Bengio 2012
    """
    return _OnPlateau(optimizer, factor=factor, patience=patience, share=threshold, min_lr=smallest)


class _OnPlateau(ReduceLROnPlateau):
    """torch's, with a threshold that suits losses of either sign: a share of the size of the best."""

    def __init__(
        self, optimizer: Optimizer, *, factor: float, patience: int, share: float, min_lr: float
    ) -> None:
        self.share = share
        super().__init__(optimizer, factor=factor, patience=patience, min_lr=min_lr)

    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:
        self.threshold_mode = "abs"  # here, as checkpoints of other versions may say otherwise
        self.threshold = self.share * abs(self.best) if math.isfinite(self.best) else 0.0
        super().step(metrics, epoch)


def _length(part: float, steps: int) -> int:
    """Whole updates, at least one, from a number of updates or a fraction of all."""
    return int(part) if part >= 1 else max(1, round(part * steps))


def _between(first: float, last: float, done: float) -> float:
    """From `first` to `last` along half a cosine as `done` goes from 0 to 1; it stays there."""
    return last + (first - last) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))

"""Optimizers: how a gradient becomes a change of the parameters.

Factories of `torch.optim.Optimizer`s from the parameters (tensors, or torch's parameter groups). torch's own
where it has them, fused into one kernel where the parameters' device allows; ours where a printed formula
differs. Notation: θ parameters, g gradient, η learning rate, k the step. Clipping keeps gradients within
bounds before they are used; it changes `.grad` in place.
"""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import Optimizer

from handrail.components import component
from handrail.components.arguments import Count, Fraction, NonNegative, Positive, Rate
from handrail.errors import RecipeError
from handrail.learning.lecture_optimizers import AdamInsideRoot

Parameters = Iterable[Tensor] | Iterable[dict[str, Any]]
FUSED_DEVICES = frozenset({"cpu", "cuda"})


def needs_closure(optimizer: Optimizer) -> bool:
    """Whether `step` needs a function that computes loss and gradients anew: L-BFGS tries several points."""
    return isinstance(optimizer, torch.optim.LBFGS)


WHOLE_BATCHES = ("lbfgs", "rprop")  # made for the gradient of all rows: `batch_size: auto` gives them all
# Each number is changed by its own gradients alone, so that networks can be stacked in one tensor.
ELEMENTWISE = (
    *("sgd", "momentum", "nesterov", "rprop", "adagrad"),
    *("adadelta", "rmsprop", "rmsprop_momentum", "adam", "adamw"),
)
RATE_INSIDE = ("rprop", "rmsprop_momentum")  # the learning rate is part of the state
DECAY_APART = ("adamw",)  # weight decay does not go through the gradient


@component("optimizer")
def sgd(
    parameters: Parameters, *, learning_rate: Positive = 0.01, weight_decay: NonNegative = 0.0
) -> Optimizer:
    """Gradient descent: θ ← θ − η·g; batch, mini-batch or stochastic by the batch size.

    Arguments:
        weight_decay: λ; adds λ·θ to the gradient, also of biases (the penalty `l2` spares them).

    Source: Cauchy 1847; Robbins & Monro 1951
    """
    return _fuse(torch.optim.SGD, parameters, lr=learning_rate, weight_decay=weight_decay)


@component("optimizer")
def momentum(
    parameters: Parameters,
    *,
    learning_rate: Positive = 0.01,
    momentum: Rate = 0.9,
    form: Literal["accelerating", "average"] = "accelerating",
    weight_decay: NonNegative = 0.0,
) -> Optimizer:
    """Gradient descent with a velocity, in both printed forms; v₀ = 0 and θ ← θ + η·v.

    accelerating: v ← α·v − g, up to 1/(1 − α) times as fast as gradient descent.
    average: v ← α·v − (1 − α)·g, a moving average of the gradients, as fast as gradient descent.

    Arguments:
        momentum: α, how much of the velocity is kept at each step.
        weight_decay: λ; adds λ·θ to the gradient.

    Source: Polyak 1964; Rumelhart, Hinton & Williams 1986
    """
    dampening = momentum if form == "average" else 0.0
    settings = {"momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
    optimizer = _fuse(torch.optim.SGD, parameters, lr=learning_rate, **settings)
    if form == "average" and momentum > 0:
        _start_at_rest(optimizer)
    return optimizer


def _start_at_rest(optimizer: Optimizer) -> None:
    """Velocities of zero: torch would take the whole first gradient as velocity, whatever the dampening."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter, requires_grad=False)


@component("optimizer")
def nesterov(
    parameters: Parameters,
    *,
    learning_rate: Positive = 0.01,
    momentum: Fraction = 0.9,
    weight_decay: NonNegative = 0.0,
) -> Optimizer:
    """Nesterov's momentum: v ← α·v − η·g(θ + α·v), θ ← θ + v: the gradient is taken where the velocity leads.

    As in torch, the parameters held between steps are θ + α·v, so that one gradient a step is enough; η
    stands outside the stored velocity, which matters only where it changes.

    Arguments:
        momentum: α, how much of the velocity is kept at each step.
        weight_decay: λ; adds λ·θ to the gradient.

    Source: Nesterov 1983; Sutskever et al. 2013
    """
    settings = {"momentum": momentum, "nesterov": True, "weight_decay": weight_decay}
    return _fuse(torch.optim.SGD, parameters, lr=learning_rate, **settings)


@component("optimizer")
def rprop(
    parameters: Parameters,
    *,
    learning_rate: Positive = 0.01,
    decrease: Fraction = 0.5,
    increase: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 1.2,
    smallest: Positive = 1e-6,
    largest: Positive = 50.0,
) -> Optimizer:
    """RProp: θ ← θ − Δ·sign(g), each parameter with its own Δ; for whole batches, not for mini-batches.

    Where g keeps its sign Δ grows by `increase`; where not, Δ shrinks by `decrease` and θ waits a step.

    Arguments:
        learning_rate: Δ at the start.
        smallest, largest: limits of Δ.

    Raises: `RecipeError` when `smallest` is above `largest`.

    Source: Riedmiller & Braun 1993; Igel & Hüsken 2003 (the iRprop− form)
    """
    if smallest > largest:
        raise RecipeError(f"rprop: found smallest = {smallest} above largest = {largest}; expected it below.")
    factors, limits = (decrease, increase), (smallest, largest)
    return torch.optim.Rprop(_groups(parameters), lr=learning_rate, etas=factors, step_sizes=limits)


@component("optimizer")
def adagrad(
    parameters: Parameters, *, learning_rate: Positive = 0.01, delta: NonNegative = 1e-10
) -> Optimizer:
    """AdaGrad: r ← r + g², θ ← θ − η·g / (√r + δ): steps shrink with all that has been seen.

    Source: Duchi, Hazan & Singer 2011
    """
    return _fuse(torch.optim.Adagrad, parameters, lr=learning_rate, eps=delta)


@component("optimizer")
def adadelta(
    parameters: Parameters, *, learning_rate: Positive = 1.0, rho: Rate = 0.9, delta: Positive = 1e-6
) -> Optimizer:
    """AdaDelta: Δ = −g·√(u + δ) / √(r + δ), θ ← θ + η·Δ, with r and u the moving averages of g² and Δ².

    Arguments:
        learning_rate: η, a factor on the step; the paper has 1.
        rho: how much of the averages is kept at each step.

    Source: Zeiler 2012
    """
    return torch.optim.Adadelta(_groups(parameters), lr=learning_rate, rho=rho, eps=delta)


@component("optimizer")
def rmsprop(
    parameters: Parameters, *, learning_rate: Positive = 0.001, rho: Rate = 0.9, delta: NonNegative = 1e-8
) -> Optimizer:
    """RMSProp: r ← ρ·r + (1 − ρ)·g², θ ← θ − η·g/(√r + δ): about the sign of the gradient, for mini-batches.

    Arguments:
        rho: how much of the average is kept at each step.
        delta: keeps the step finite where gradients are zero.

    Source: Tieleman & Hinton 2012
    """
    return torch.optim.RMSprop(_groups(parameters), lr=learning_rate, alpha=rho, eps=delta)


@component("optimizer")
def adam(
    parameters: Parameters,
    *,
    learning_rate: Positive = 0.001,
    beta_1: Rate = 0.9,
    beta_2: Rate = 0.999,
    delta: Positive = 1e-8,
    delta_inside: bool = False,
) -> Optimizer:
    """Adam: s ← β₁s + (1 − β₁)g, r ← β₂r + (1 − β₂)g², both corrected for starting at 0; θ ← θ − η·ŝ/(√r̂+δ).

    Arguments:
        beta_1, beta_2: how much of the averages of g and g² is kept at each step (the lecture's ρ₁ and ρ₂).
        delta: δ, keeps the step finite where gradients are zero.
        delta_inside: ŝ/√(r̂ + δ) as the lecture prints it; the same δ then damps far more (√δ beside √r̂).

    Source: Kingma & Ba 2015
    """
    betas = (beta_1, beta_2)
    if delta_inside:
        return AdamInsideRoot(_groups(parameters), learning_rate=learning_rate, betas=betas, delta=delta)
    return _fuse(torch.optim.Adam, parameters, lr=learning_rate, betas=betas, eps=delta)


@component("optimizer")
def adamw(
    parameters: Parameters,
    *,
    learning_rate: Positive = 0.001,
    beta_1: Rate = 0.9,
    beta_2: Rate = 0.999,
    delta: Positive = 1e-8,
    weight_decay: NonNegative = 0.01,
) -> Optimizer:
    """AdamW: Adam's step after θ ← θ − η·λ·θ, a decay that the gradient's size does not rescale.

    Arguments:
        weight_decay: λ, for every parameter, biases included.

    Source: Loshchilov & Hutter 2019
    """
    settings = {"betas": (beta_1, beta_2), "eps": delta, "weight_decay": weight_decay}
    return _fuse(torch.optim.AdamW, parameters, lr=learning_rate, **settings)


@component("optimizer")
def lbfgs(
    parameters: Parameters,
    *,
    learning_rate: Positive = 1.0,
    iterations: Count = 20,
    history: Count = 10,
    line_search: bool = True,
) -> Optimizer:
    """L-BFGS: Newton's steps with the curvature guessed from the last gradients; for whole batches.

    Its `step` needs a closure that computes loss and gradients (see `needs_closure`).

    Arguments:
        iterations: at most so many inside one step.
        history: how many past gradients are kept.
        line_search: search along each direction until the strong Wolfe conditions hold; else step by the
            learning rate.

    Source: Liu & Nocedal 1989
    """
    return torch.optim.LBFGS(
        _groups(parameters),
        lr=learning_rate,
        max_iter=iterations,
        history_size=history,
        line_search_fn="strong_wolfe" if line_search else None,
    )


@component("clip")
def by_value(parameters: Iterable[Tensor], *, limit: Positive = 1.0) -> None:
    """Clip each value of the gradient to [−limit, limit]; its direction may change.

    Source: Mikolov 2012
    """
    clip_grad_value_(parameters, limit)


@component("clip")
def by_norm(parameters: Iterable[Tensor], *, limit: Positive = 1.0) -> None:
    """Shorten the whole gradient to the length `limit` where it is longer: g ← g · min(1, limit/‖g‖).

    Source: Pascanu, Mikolov & Bengio 2013
    """
    clip_grad_norm_(parameters, limit)


def _groups(parameters: Parameters) -> list[Any]:
    """As lists: iterators could be read only once, and `_fuse` looks before torch does."""
    return [
        {**group, "params": list(group["params"])} if isinstance(group, dict) else group
        for group in parameters
    ]


def _fuse(optimizer: Callable[..., Optimizer], parameters: Parameters, **settings: Any) -> Optimizer:
    """One of torch's optimizers, fused into one kernel where all parameters allow it."""
    groups = _groups(parameters)
    parts = [group["params"] if isinstance(group, dict) else [group] for group in groups]
    tensors = [tensor for part in parts for tensor in part]
    fused = all(tensor.device.type in FUSED_DEVICES and tensor.is_floating_point() for tensor in tensors)
    return optimizer(groups, **settings, fused=fused)

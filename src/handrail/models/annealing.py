"""The constant of a restricted Boltzmann machine: by enumeration, or by annealed importance sampling."""

import itertools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from handrail.models.rbm import RBM

MOST_ENUMERATED = 20  # binary units
_STATES = 1 << 13  # at once
# Where the temperatures lie: a 29th of them up to 0.5, eight of them up to 0.9, the others above.
_STEPS = ((0.5, 1 / 29), (0.9, 8 / 29))


def base_biases(rows: Float[Tensor, "rows visible"], visible: str) -> Float[Tensor, " visible"]:
    """Biases of visible units that are independent: log p / (1 − p) of binary ones, half a row being added to
    either side, and means of Gaussian ones.

    Source: Hinton 2012
    """
    if visible == "gaussian":
        return rows.mean(dim=0)
    ones = rows.double().sum(dim=0).clamp(0, len(rows)) + 0.5
    return torch.log(ones / (len(rows) + 1 - ones)).to(rows)


@dataclass(frozen=True)
class LogZ:
    """log Z, its standard error, and how it was found."""

    value: float
    error: float
    method: str


def log_z(
    model: RBM,
    base: Float[Tensor, " visible"],
    *,
    chains: int = 100,
    temperatures: int = 3000,
    seed: int = 0,
) -> LogZ:
    """Exact where one side has at most 20 binary units, else by `anneal`."""
    visible, units = model.weights.shape
    if model.hidden == "binary" and units <= MOST_ENUMERATED:
        return LogZ(enumerate_hidden(model), 0.0, "exact, by enumeration")
    if model.visible == "binary" and visible <= MOST_ENUMERATED:
        return LogZ(enumerate_visible(model), 0.0, "exact, by enumeration")
    return anneal(model, base, chains=chains, temperatures=temperatures, seed=seed)


@torch.no_grad()
def enumerate_hidden(model: RBM) -> float:
    """log Σ over the states of binary hidden units of the sum, or integral, over the visible ones."""
    weights, bias, own = _double(model)
    parts = []
    for h in _states(len(own), weights.device):
        given = h @ weights.T
        if model.visible == "binary":
            rest = torch.nn.functional.softplus(given + bias).sum(dim=1)
        else:
            rest = given @ bias + given.square().sum(dim=1) / 2 + len(bias) * math.log(2 * math.pi) / 2
        parts.append(torch.logsumexp(h @ own + rest, dim=0))
    return float(torch.logsumexp(torch.stack(parts), dim=0))


@torch.no_grad()
def enumerate_visible(model: RBM) -> float:
    """log Σ over the states of binary visible units of exp(−F)."""
    weights, bias, own = _double(model)
    parts = [
        torch.logsumexp(v @ bias + model.kind.free(v @ weights + own).sum(dim=1), dim=0)
        for v in _states(len(bias), weights.device)
    ]
    return float(torch.logsumexp(torch.stack(parts), dim=0))


def _double(model: RBM) -> tuple[Tensor, Tensor, Tensor]:
    return model.weights.double(), model.visible_bias.double(), model.hidden_bias.double()


def _states(units: int, device: torch.device) -> list[Tensor]:
    """All states of so many binary units, some at a time."""
    places = torch.arange(units, device=device)
    codes = torch.arange(1 << units, device=device).split(_STATES)
    return [(part.unsqueeze(1) >> places & 1).double() for part in codes]


def temperatures_of(count: int) -> Float[Tensor, " count"]:
    """Inverse temperatures from 0 to 1, denser towards 1. Source: Salakhutdinov & Murray 2008"""
    parts, start, used = [], 0.0, 0
    for stop, share in _STEPS:
        some = max(1, round(count * share))
        parts.append(torch.linspace(start, stop, some + 1, dtype=torch.float64)[:-1])
        start, used = stop, used + some
    return torch.cat([*parts, torch.linspace(start, 1.0, max(2, count - used), dtype=torch.float64)])


@torch.no_grad()
def anneal(
    model: RBM,
    base: Float[Tensor, " visible"],
    *,
    chains: int = 100,
    temperatures: int = 14_500,
    seed: int = 0,
) -> LogZ:
    """log Z by annealed importance sampling: chains go from a machine without weights to this one.

    log p_β*(v) = (1 − β)·term(v, base) + β·term(v, b) + Σⱼ f(β·(cⱼ + v·Wⱼ)), whose constant is known at
    β = 0; each chain takes one Gibbs step a temperature, and log w = Σ log p_β'*(v) − log p_β*(v). Then
    log Z = log Z₀ + log mean w, with the standard error std(w) / (mean(w)·√chains).

    Arguments:
        base: visible biases of the machine without weights, from the means of the data.

    Source: Neal 2001; Salakhutdinov & Murray 2008
    """
    device = model.weights.device
    generator, kind = torch.Generator(device).manual_seed(seed), model.kind
    base = base.to(model.weights)
    betas = temperatures_of(temperatures).tolist()
    v = model.draw_visible(base.expand(chains, -1), generator)
    inputs = model.hidden_input(v)
    weights = torch.zeros(chains, dtype=torch.float64, device=device)
    for place, (before, after) in enumerate(itertools.pairwise(betas)):
        gap = model.visible_term(v, model.visible_bias) - model.visible_term(v, base)
        weights += (after - before) * gap.double()
        weights += (kind.free(after * inputs) - kind.free(before * inputs)).sum(dim=1).double()
        if place < len(betas) - 2:
            h = model.draw_hidden(after * inputs, generator)
            given = torch.addmm((1 - after) * base + after * model.visible_bias, after * h, model.weights.T)
            v = model.draw_visible(given, generator)
            inputs = model.hidden_input(v)
    mean = float(torch.logsumexp(weights, dim=0)) - math.log(chains)
    error = float((weights - mean).exp().std()) / math.sqrt(chains)
    method = f"annealed importance sampling, {chains:,} chains, {len(betas):,} temperatures"
    return LogZ(_base_constant(model, base) + mean, error, method)


def _base_constant(model: RBM, base: Tensor) -> float:
    """log Z of the machine without weights."""
    free = float(model.kind.free(base.new_zeros(1, dtype=torch.float64)))
    if model.visible == "binary":
        own = float(torch.nn.functional.softplus(base.double()).sum())
    else:
        own = len(base) * math.log(2 * math.pi) / 2
    return own + model.weights.shape[1] * free

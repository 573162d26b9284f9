"""The constant of a model of densities: by enumeration, or by annealed importance sampling."""

import itertools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from handrail.layers.energy_model import EnergyModel

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
    model: EnergyModel,
    base: Float[Tensor, " visible"],
    *,
    chains: int = 100,
    temperatures: int = 3000,
    seed: int = 0,
) -> LogZ:
    """Exact where the model has few enough binary units to sum over their states, else by `anneal`."""
    exact = model.exact_log_z()
    if exact is not None:
        return LogZ(exact, 0.0, "exact, by enumeration")
    return anneal(model, base, chains=chains, temperatures=temperatures, seed=seed)


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
    model: EnergyModel,
    base: Float[Tensor, " visible"],
    *,
    chains: int = 100,
    temperatures: int = 14_500,
    seed: int = 0,
) -> LogZ:
    """log Z by annealed importance sampling: chains go from independent units to this model.

    The model says what lies between (`EnergyModel.annealing_path`). Each chain takes one Gibbs step a
    temperature, and log w = Σ log p_β'(x) − log p_β(x), without the constants. Then log Z = log Z₀ + log mean
    w, with the standard error std(w) / (mean(w)·√chains).

    Arguments:
        base: visible biases of the independent units, from the means of the data.

    Source: Neal 2001; Salakhutdinov & Murray 2008
    """
    device = model.log_z.device
    path = model.annealing_path(base, chains=chains, generator=torch.Generator(device).manual_seed(seed))
    betas = temperatures_of(temperatures).tolist()
    weights = torch.zeros(chains, dtype=torch.float64, device=device)
    for place, (before, after) in enumerate(itertools.pairwise(betas)):
        weights += path.gain(before, after)
        if place < len(betas) - 2:
            path.step(after)
    mean = float(torch.logsumexp(weights, dim=0)) - math.log(chains)
    error = float((weights - mean).exp().std()) / math.sqrt(chains)
    method = f"annealed importance sampling, {chains:,} chains, {len(betas):,} temperatures"
    return LogZ(path.base_log_z + mean, error, method)

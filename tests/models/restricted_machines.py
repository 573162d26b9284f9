"""What both restricted machines are measured against: their own free energy, over all states or derived."""

import itertools
from typing import Any, TypeVar

import torch
from torch import Tensor

from handrail.models.conv_rbm import ConvRBM
from handrail.models.rbm import RBM

Machine = TypeVar("Machine", RBM, ConvRBM)


def randomise(model: Machine, *, spread: float) -> Machine:
    """The model with weights and biases of this standard deviation, from torch's own generator."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=spread)
    return model


def all_states(width: int) -> Tensor:
    """The 2ʷ states of w binary units."""
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=width)))


def pseudo_likelihood(model: RBM | ConvRBM, v: Tensor) -> Tensor:
    """Σ_i log p(v_i | the other units), each by the two free energies that unit i decides between."""
    log_p = -model.free_energy(v).double()
    total = torch.zeros(len(v), dtype=torch.float64)
    for unit in range(v.shape[1]):
        flipped = v.clone()
        flipped[:, unit] = 1 - flipped[:, unit]
        total += log_p - torch.logaddexp(log_p, -model.free_energy(flipped).double())
    return total


def score(model: RBM | ConvRBM, row: Tensor) -> Tensor:
    """−(∇²log p + ½·‖∇log p‖²) of one row, by automatic differentiation (Hyvärinen 2005)."""

    def log_density(v: Tensor) -> Tensor:
        return -model.free_energy(v.unsqueeze(0))[0]

    first: Any = torch.autograd.functional.jacobian(log_density, row)
    second: Any = torch.autograd.functional.hessian(log_density, row)
    return -(second.diagonal() + first.square() / 2).sum()

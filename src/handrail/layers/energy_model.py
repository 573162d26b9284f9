"""What every model that learns a density by an energy offers to its rule and its task."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

MOST_ENUMERATED = 20  # binary units whose states are summed over
_STATES = 1 << 13  # at once
_JUDGED = 64  # visible units that training is validated by


class AnnealingPath(ABC):
    """Chains on a path of densities p_β, from independent units at β = 0, whose constant is known, to the
    model at β = 1. They begin with rows drawn at β = 0.
    """

    @property
    @abstractmethod
    def base_log_z(self) -> float:
        """log Z at β = 0."""

    @abstractmethod
    def gain(self, before: float, after: float) -> Float[Tensor, " chains"]:
        """log p_after − log p_before where each chain is, without the constants."""

    @abstractmethod
    def step(self, beta: float) -> None:
        """One Gibbs step of each chain at that inverse temperature."""


class EnergyModel(nn.Module):
    """log p(x) = −F(x) − log Z, with the free energy F; log Z is 0 until it is found (`models.annealing`).

    A row gets log p(x), and the figure that training is validated by, which needs no Z. Until Z is known, the
    second stands in both places.

    Arguments:
        width: visible units.
        visible: their kind, `binary` or `gaussian`.
    """

    judged: Tensor
    log_z: Tensor
    log_z_error: Tensor

    def __init__(self, width: int, *, visible: str = "binary") -> None:
        super().__init__()
        self.visible = visible
        chosen = torch.randperm(width, generator=torch.Generator().manual_seed(0))[:_JUDGED]
        self.register_buffer("judged", chosen.sort().values, persistent=False)
        self.register_buffer("log_z", torch.zeros((), dtype=torch.float64))
        self.register_buffer("log_z_error", torch.zeros((), dtype=torch.float64))

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows 2"]:
        figure = self.judge(x.flatten(1))
        return torch.stack([self.score(x) if self.log_z != 0 else figure, figure], dim=1)

    def score(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, " rows"]:
        """log p(x) in nats, where log Z has been found."""
        return -self.free_energy(x.flatten(1)) - self.log_z.to(x)

    @abstractmethod
    def set_visible_bias(self, bias: Float[Tensor, " visible"]) -> None:
        """Give the visible units these biases."""

    @abstractmethod
    def free_energy(self, v: Float[Tensor, "rows visible"]) -> Float[Tensor, " rows"]:
        """F(v): minus the log-density but for a constant."""

    @abstractmethod
    def judge(
        self, v: Float[Tensor, "rows visible"], units: Sequence[int] | None = None
    ) -> Float[Tensor, " rows"]:
        """What training is validated by.

        Arguments:
            units: those that a pseudo-likelihood is made from; by default the fixed ones, `judged`.
        """

    @abstractmethod
    def exact_log_z(self) -> float | None:
        """log Z by a sum over all states; None where there are too many."""

    @abstractmethod
    def annealing_path(
        self, base: Float[Tensor, " visible"], *, chains: int, generator: torch.Generator
    ) -> AnnealingPath:
        """Chains that lead from independent units to this model.

        Arguments:
            base: visible biases at β = 0, from the means of the data.
        """


def binary_states(
    units: int, device: torch.device, *, at_once: int = _STATES, dtype: torch.dtype = torch.float64
) -> Iterator[Float[Tensor, "states units"]]:
    """All states of so many binary units, some at a time; of none, one state."""
    places = torch.arange(units, device=device)
    for start in range(0, 1 << units, at_once):
        codes = torch.arange(start, min(start + at_once, 1 << units), device=device)
        yield (codes.unsqueeze(1) >> places & 1).to(dtype)

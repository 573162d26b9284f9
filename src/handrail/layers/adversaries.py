"""What a rule of two players asks of a model: a generator, a critic, and an average of the generator."""

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.layers.energy_score import energy_score

_DRAWS, _SEED = 512, 0  # that a row is judged by
_AT_ONCE = 1024


class Adversaries(nn.Module):
    """Two players: a generator makes rows of latent numbers, and a critic tells them from real ones.

    In evaluation a row gets its energy score E‖x − G‖ − ½·E‖G − G′‖, over the same 512 draws for all rows, of
    the average of the generator's weights. A subclass sets the players with `play`.

    Arguments:
        latent: numbers that a row is made of, each N(0, 1).
    """

    generator: nn.Module
    critic: nn.Module
    average: nn.Module
    judged: Tensor

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.latent = latent
        fixed = torch.randn(_DRAWS, latent, generator=torch.Generator().manual_seed(_SEED))
        self.register_buffer("judged", fixed, persistent=False)

    def play(self, generator: nn.Module, critic: nn.Module) -> None:
        """Set the players; the average begins at the generator."""
        self.generator, self.critic = generator, critic
        self.average = copy.deepcopy(generator).requires_grad_(False).eval()

    @property
    def tied_parameters(self) -> int:
        """Those of the average, which follow from the generator's."""
        return sum(parameter.numel() for parameter in self.average.parameters())

    def train(self, mode: bool = True) -> "Adversaries":
        super().train(mode)
        self.average.eval()
        return self

    def set_range(self, rows: Float[Tensor, "rows width"]) -> None:
        """Note between which values training rows lie, for a generator that keeps to them."""

    def draw_latent(self, rows: int, generator: torch.Generator) -> Float[Tensor, "rows latent"]:
        """Latent numbers, on the device of the model."""
        return torch.randn(rows, self.latent, generator=generator).to(self.judged)

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows 1"]:
        return energy_score(x.flatten(1), self.draws()).unsqueeze(1)

    def draws(self) -> Float[Tensor, "draws width"]:
        """The rows that others are judged by, flat."""
        return self.average(self.judged).flatten(1)

    @torch.no_grad()
    def generate(
        self, rows: int, *, steps: int = 0, means: bool = False, generator: torch.Generator
    ) -> Float[Tensor, "rows width"]:
        """New rows, flat; there are no chains, so that the steps do not matter."""
        counts = [min(_AT_ONCE, rows - start) for start in range(0, rows, _AT_ONCE)]
        return torch.cat([self.average(self.draw_latent(some, generator)).flatten(1) for some in counts])

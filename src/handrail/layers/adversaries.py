"""What a rule of two players asks of a model: a generator, a critic, and an average of the generator."""

import copy

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from handrail.layers.conditional import Conditional
from handrail.layers.energy_score import class_energy_scores, energy_score

_DRAWS, _FEWEST, _SEED = 512, 32, 0  # that a row is judged by; the fewest for a class
_AT_ONCE = 1024


class Adversaries(nn.Module):
    """Two players: a generator makes rows of latent numbers, and a critic tells them from real ones.

    In evaluation a row gets its energy score E‖x − G‖ − ½·E‖G − G′‖, over the same 512 draws for all rows, of
    the average of the generator's weights. Under a condition the 512 are divided among the classes, 32 or
    more for each, and a row gets its score under classes with their shares, then under each of them. A
    subclass sets the players with `play`.

    Arguments:
        latent: numbers that a row is made of, each N(0, 1).
        condition: what both players are told of a row, behind their own inputs.
    """

    generator: nn.Module
    critic: nn.Module
    average: nn.Module
    judged: Tensor

    def __init__(self, latent: int, condition: Conditional | None = None) -> None:
        super().__init__()
        self.latent, self.condition = latent, condition
        count = _DRAWS if condition is None else max(_DRAWS // condition.classes, _FEWEST) * condition.classes
        fixed = torch.randn(count, latent, generator=torch.Generator().manual_seed(_SEED))
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

    def tell(self, x: Float[Tensor, "rows ..."], codes: Tensor) -> Float[Tensor, "rows ..."]:
        """What a player is given: x, under a condition with the class behind, else whatever the codes are."""
        return x if self.condition is None else self.condition.join(x.flatten(1), codes)

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows scores"]:
        if self.condition is None:
            return energy_score(x.flatten(1), self.draws()).unsqueeze(1)
        draws = self.draws().unflatten(0, (self.condition.classes, -1))
        return class_energy_scores(x.flatten(1), draws, self.condition.class_shares)

    def draws(self) -> Float[Tensor, "draws width"]:
        """The rows that others are judged by, flat; under a condition as many of each class, in turn."""
        classes = 1 if self.condition is None else self.condition.classes
        codes = torch.arange(1, classes + 1, device=self.judged.device)
        codes = codes.repeat_interleave(len(self.judged) // classes)
        return self.average(self.tell(self.judged, codes)).flatten(1)

    @torch.no_grad()
    def generate(
        self,
        rows: int,
        *,
        steps: int = 0,
        means: bool = False,
        given: Int64[Tensor, " rows"] | None = None,
        generator: torch.Generator,
    ) -> Float[Tensor, "rows width"]:
        """New rows, flat; there are no chains, so that the steps do not matter.

        Arguments:
            given: under a condition, the code of each row; None draws classes with their shares.
        """
        if given is None:
            drawn = None if self.condition is None else self.condition.draw(rows, generator)
            given = self.judged.new_zeros(rows, dtype=torch.int64) if drawn is None else drawn
        parts = given.split(_AT_ONCE)
        latent = (self.draw_latent(len(some), generator) for some in parts)
        made = [self.average(self.tell(z, some)) for z, some in zip(latent, parts, strict=True)]
        return torch.cat(made).flatten(1)

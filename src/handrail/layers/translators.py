"""What a rule of unpaired translation asks of a model: two generators, two critics, averages, some rows."""

import copy

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from handrail.layers.energy_score import class_energy_scores

_REFERENCES = 256  # training rows of each domain
_AT_ONCE = 1024
DOMAINS = 2


class Translators(nn.Module):
    """Two generators, each of which makes rows of one domain into rows of the other, and two critics.

    Domains have the codes 1 and 2. Generator k makes rows of domain k into rows of the other, critic k scores
    rows as rows of domain k. In evaluation a row gets its energy score under what the averages of the
    generators' weights make of 256 training rows of each domain, which are kept with the weights: under the
    mixture of both domains, then under domain 1 and domain 2. A subclass sets the players with `play`.

    Arguments:
        width: numbers in a row.
    """

    generators: nn.ModuleList
    critics: nn.ModuleList
    averages: nn.ModuleList
    references: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("references", torch.randn(DOMAINS, _REFERENCES, width))  # until rows are kept

    def play(self, generators: list[nn.Module], critics: list[nn.Module]) -> None:
        """Set the players; the averages begin at the generators."""
        self.generators, self.critics = nn.ModuleList(generators), nn.ModuleList(critics)
        self.averages = copy.deepcopy(self.generators).requires_grad_(False).eval()

    @property
    def tied_parameters(self) -> int:
        """Those of the averages, which follow from the generators'."""
        return sum(parameter.numel() for parameter in self.averages.parameters())

    def train(self, mode: bool = True) -> "Translators":
        super().train(mode)
        self.averages.eval()
        return self

    def set_range(self, rows: Float[Tensor, "rows width"]) -> None:
        """Note between which values training rows lie, for generators that keep to them."""

    def refer(self, domain: int, rows: Float[Tensor, "rows width"]) -> None:
        """Keep rows of a domain, from the first on, each several times where there are few."""
        places = torch.arange(_REFERENCES) % len(rows)
        self.references[domain - 1] = rows[places.to(rows.device)]

    @torch.no_grad()
    def translate(
        self, x: Float[Tensor, "rows ..."], codes: Int64[Tensor, " rows"]
    ) -> Float[Tensor, "rows width"]:
        """Each row of domain 1 or 2, by its code, as a row of the other; flat."""
        rows, codes = x.flatten(1), codes.to(x.device)
        made = torch.zeros_like(rows)
        for place, average in enumerate(self.averages):
            for own in torch.nonzero(codes == place + 1)[:, 0].split(_AT_ONCE):
                made[own] = average(rows[own]).flatten(1)
        return made

    def draws(self) -> Float[Tensor, "domains draws width"]:
        """What becomes of the reference rows, by the domain that they are made into."""
        first, second = self.averages
        return torch.stack([second(self.references[1]).flatten(1), first(self.references[0]).flatten(1)])

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows 3"]:
        even = self.references.new_full((DOMAINS,), 1 / DOMAINS)
        return class_energy_scores(x.flatten(1), self.draws(), even)

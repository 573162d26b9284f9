"""Layers whose units stand at places among the rows, which k-means finds before anything else is learned."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.errors import DataError, RecipeError
from handrail.learning.kmeans import kmeans

_ROWS = 20_000
_ROWS_A_UNIT = 20


def layers_to_place(model: nn.Module) -> list[nn.Module]:
    """The layers that have a method `place` for their `centres` `[units, inputs]`, from the first."""
    return [module for module in model.modules() if callable(getattr(module, "place", None))]


class Placing:
    """Centres of a layer by k-means on what the layer is given, over one epoch.

    Up to 20,000 rows (20 a unit, if that is more) are all kept; of more rows a sample is, drawn without
    replacement.

    Arguments:
        layer: one of `layers_to_place`.
        seed: of the sample and of k-means++.
    """

    def __init__(self, layer: nn.Module, seed: int) -> None:
        self.layer: Any = layer
        self.units = len(self.layer.centres)
        self.size = max(_ROWS, _ROWS_A_UNIT * self.units)
        self.generator = torch.Generator().manual_seed(seed)
        self.parts: list[tuple[Tensor, Tensor]] = []

    def add(self, rows: Float[Tensor, "rows inputs"]) -> None:
        """Rows of a batch; each draws a key, and the largest keys stay."""
        self.parts.append((rows, torch.rand(len(rows), generator=self.generator, dtype=torch.float64)))
        if sum(len(keys) for _, keys in self.parts) >= 2 * self.size:
            self.parts = [self._largest()]

    def _largest(self) -> tuple[Tensor, Tensor]:
        rows, keys = (torch.cat(column) for column in zip(*self.parts, strict=True))
        keys, chosen = keys.topk(min(self.size, len(keys)))
        return rows[chosen.to(rows.device)], keys

    def finish(self) -> None:
        """Run k-means, from seeds by k-means++, and place the layer's units.

        Raises: `RecipeError` when there are more units than different rows.
        """
        rows, _ = self._largest()
        try:
            clusters = kmeans(rows, self.units, self.generator)
        except DataError as error:
            name = type(self.layer).__name__
            text = f"the units of {name} cannot be placed by k-means: {error} Take fewer units."
            raise RecipeError(f"model: {text}") from None
        self.layer.place(clusters.centres)
        self.parts = []

    def state_dict(self) -> dict[str, Any]:
        """The rows kept so far with their keys, and the random state."""
        return {"parts": [list(part) for part in self.parts], "chance": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the same rows and draws."""
        self.parts = [(rows, keys) for rows, keys in state["parts"]]
        self.generator.set_state(state["chance"])

"""A history of made rows, of which a critic is shown some beside the newest."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


class Pool:
    """A history of made rows: with probability ½ a new row is kept in place of one from it, which is shown.

    Else the new row is shown. While the pool is not full, new rows are kept and shown. No place is used twice
    for one batch.

    Arguments:
        size: how many rows are kept; with 0 the newest are always shown.

    Source: Shrivastava et al. 2017
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.rows: Tensor | None = None

    def exchange(
        self, made: Float[Tensor, "rows ..."], generator: torch.Generator
    ) -> Float[Tensor, "rows ..."]:
        """What is shown in place of these rows."""
        if not self.size:
            return made
        kept = made.new_zeros((0, *made.shape[1:])) if self.rows is None else self.rows
        room = min(self.size - len(kept), len(made))
        kept, shown = torch.cat([kept, made[:room]]), made.clone()
        later = room + torch.nonzero(torch.rand(len(made) - room, generator=generator) < 0.5)[:, 0]
        places = torch.randperm(len(kept), generator=generator)[: len(later)]
        later = later[: len(places)]
        shown[later.to(made.device)] = kept[places.to(made.device)]
        kept[places.to(made.device)] = made[later.to(made.device)]
        self.rows = kept
        return shown

    def state_dict(self) -> dict[str, Any]:
        return {} if self.rows is None else {"rows": self.rows}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        self.rows = state["rows"].to(device) if "rows" in state else None

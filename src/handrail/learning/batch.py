"""Rows on their way to a step."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from handrail.data.rows import Values, count, cut, take, to_device


@dataclass(frozen=True)
class Batch:
    """Rows: inputs `[rows, …]`, targets, and a weight a row where the recipe asks for weights.

    A whole part may lie elsewhere (see `handrail.data.rows`); what `take` and `cut` answer with are tensors
    on `device`.
    """

    inputs: Any
    targets: Any
    weights: Tensor | None = None
    device: torch.device | None = None

    def __len__(self) -> int:
        return count(self.inputs)

    def take(self, rows: Tensor) -> "Batch":
        """The rows of these positions."""
        weights = None if self.weights is None else self.weights.index_select(0, rows.to(self.weights.device))
        return self._here(take(self.inputs, rows), take(self.targets, rows), weights)

    def cut(self, start: int, stop: int) -> "Batch":
        """Neighbouring rows, of tensors without a copy."""
        weights = None if self.weights is None else self.weights[start:stop]
        return self._here(cut(self.inputs, start, stop), cut(self.targets, start, stop), weights)

    def _here(self, inputs: Values, targets: Values, weights: Tensor | None) -> "Batch":
        if self.device is None:
            return Batch(inputs, targets, weights)
        weights = None if weights is None else weights.to(self.device)
        return Batch(to_device(inputs, self.device), to_device(targets, self.device), weights, self.device)

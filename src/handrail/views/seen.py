"""What a view may look at: the network of a run, and its training and validation rows."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import nn

from handrail.data.part import Part
from handrail.data.rows import Rows
from handrail.errors import DataError
from handrail.network import model_in
from handrail.pipeline import Pipeline
from handrail.pipeline.ensemble import first_of
from handrail.recipe import Recipe
from handrail.training.seeds import derive

_SEED = 17


@dataclass(eq=False)
class Seen:
    """A trained network and rows; of replicas, the first that answers.

    Arguments:
        pipeline: encoder, network and task.
        recipe: by which it was trained.
        parts: reads training and validation rows again; called once, and only where a view needs rows.
    """

    pipeline: Pipeline
    recipe: Recipe
    parts: Callable[[], tuple[Part, Part]]

    @cached_property
    def _both(self) -> tuple[Part, Part]:
        return self.parts()

    @property
    def train(self) -> Part:
        """Training rows; of a streamed part a random sample."""
        return self._both[0].sample

    @property
    def validation(self) -> Part:
        """Validation rows."""
        return self._both[1]

    @property
    def network(self) -> nn.Module:
        """The network with what stands in front of its model, in evaluation."""
        return first_of(self.pipeline.network).eval()

    @property
    def model(self) -> Any:
        """What was chosen in the recipe."""
        return model_in(self.network)

    def some(self, part: Part, most: int) -> Part:
        """At most so many rows of a part, drawn at random but always the same, in their order."""
        if len(part) <= most:
            return part
        rng = np.random.default_rng(derive(_SEED, "views", part.name))
        return part.pick(np.sort(rng.choice(len(part), most, replace=False)))

    def encode(self, part: Part) -> Rows:
        """Rows as the network takes them."""
        return part.encode_with(self.pipeline.encoder)

    def refuse(self, view: str, need: str) -> DataError:
        """What is raised where a view makes no sense."""
        return DataError(f"{view}: needs {need}; this is a network for {self.pipeline.task.name}.")

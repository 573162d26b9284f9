"""What an encoder of one column promises: images, series, audio and text each have one."""

from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from jaxtyping import Float
from torch import Tensor, nn

from handrail.data.rows import Stored, Windows
from handrail.data.stores.store import Store
from handrail.shapes import InputShape


class ColumnEncoder(nn.Module):
    """From one column to the rows that a network is trained on; learned by `fit` from training rows only.

    `rows` is done once, before training, and should leave things small (bytes, codes). `front` is what is
    left to be done on the device, batch by batch, as the first layer of the network.
    """

    kind: ClassVar[str]
    "The kind of column that it encodes."
    name: str
    "The column."

    @classmethod
    def fit(cls, column: pl.Series, store: Store | None, settings: Any) -> Self:
        """Learn from training rows: sizes, means, vocabularies.

        Arguments:
            column: cells; places in the store, where there is one.
            settings: the section of the recipe for this kind, such as `handrail.recipe.encoding.Images`.
        """
        raise NotImplementedError

    @property
    def shape(self) -> InputShape:
        """What the network gets from `front`."""
        raise NotImplementedError

    def rows(self, column: pl.Series, store: Store | None) -> Tensor | Stored | Windows:
        """Encoded rows, on the CPU. They must not depend on the rows beside them."""
        raise NotImplementedError

    def front(self) -> nn.Module:
        """Encoded rows to what the network takes. Its numbers come from `facts`: its buffers are not
        persistent.
        """
        return nn.Identity()

    def simple(self, rows: Tensor) -> Float[Tensor, "rows width"]:
        """A few hundred finite numbers a row (at most about 1,000), for the linear baseline."""
        raise NotImplementedError

    def unseen(self, column: pl.Series, store: Store | None) -> np.ndarray:
        """Rows that hold what training did not have and the network cannot know."""
        return np.zeros(0, dtype=np.int64)

    def facts(self) -> dict[str, Any]:
        """Plain data from which `from_facts` makes this encoder again, to the bit."""
        raise NotImplementedError

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Self:
        """The way back."""
        raise NotImplementedError

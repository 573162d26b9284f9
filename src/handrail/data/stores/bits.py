"""`BitStore`: series of bits as targets, with steps at which nothing is asked."""

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from handrail.data.stores.series import SeriesStore
from handrail.errors import DataError


class BitStore(SeriesStore):
    """Series `[channels, length]` of 0 and 1, NaN where nothing is asked."""

    kind: ClassVar[str] = "bits"

    @classmethod
    def of_arrays(cls, arrays: Sequence[np.ndarray], names: Sequence[str], *, longest: int = 0) -> Self:
        """As of `SeriesStore`. Raises: `DataError` also for values that are neither 0, 1 nor missing."""
        for array, name in zip(arrays, names, strict=True):
            odd = array[~np.isnan(array) & (array != 0) & (array != 1)]
            if len(odd):
                raise DataError(f"{name} holds {odd[0]:g}; expected 0 and 1, or nothing where none is asked.")
        return super().of_arrays(arrays, names, longest=longest)

    def codes(
        self, places: Int[np.ndarray, " n"], length: int, *, unasked: int
    ) -> UInt8[Tensor, "n length channels"]:
        """0, 1 and the code `unasked`, which also stands behind the end of a series.

        Raises: `DataError` for a series with more steps, whose end nobody could answer.
        """
        longest = int(self.lengths[places].max(initial=0))
        if longest > length:
            name = self.name(int(places[self.lengths[places].argmax()]))
            raise DataError(
                f"{name} has {longest:,} steps, and the network reads {length:,}; set data.series.length: "
                f"{longest} and train it again."
            )
        codes = torch.full((len(places), length, self.channels), unasked, dtype=torch.uint8)
        for row, place in enumerate(places):
            item = self.item(int(place))
            asked = np.where(np.isnan(item), unasked, item).astype(np.uint8)
            codes[row, : item.shape[1]] = torch.from_numpy(asked.T)
        return codes

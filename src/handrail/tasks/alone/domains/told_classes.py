"""The classes of the label that a network may be told: their codes, and how the data writes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import polars as pl
import torch
from jaxtyping import Int64
from torch import Tensor

from handrail.data.columns.values import as_labels
from handrail.data.labels import Value, written_values
from handrail.data.part import Part
from handrail.errors import DataError, did_you_mean
from handrail.tasks.alone.points import label_codes
from handrail.tools.interface import argument_name
from handrail.tools.words import list_some


@dataclass(frozen=True)
class ToldClasses:
    """Classes of a label among training rows; code k from 1 is the k-th of them, and 0 is none.

    Arguments:
        column: the label.
        names: of the classes, in order.
        values: the same as the data writes them.
    """

    column: str
    names: tuple[str, ...]
    values: tuple[Value, ...]

    @classmethod
    def of(cls, part: Part, label: str | None) -> Self | None:
        """Those of a part; None without a label, with too many classes, and where rows are streamed."""
        _, names = label_codes(part.sample, label)
        if label is None or not names or part.sample is not part:
            return None
        known = part.raw[label].drop_nulls()
        values = written_values(known, as_labels(known), names, is_text=part.table.is_text)
        return cls(label, names, values)

    def codes(self, part: Part) -> Int64[Tensor, " rows"]:
        """The code of each row of a part."""
        if len(part.raw) != len(part):  # streamed, and nothing told
            return torch.zeros(len(part), dtype=torch.int64)
        places = list(range(1, len(self.names) + 1))
        labels = as_labels(part.raw[self.column])
        codes = labels.replace_strict(list(self.names), places, default=0, return_dtype=pl.Int64)
        return torch.from_numpy(codes.to_numpy().copy())

    def code(self, given: Mapping[str, Any], *, where: str = "") -> int:
        """The code of a class that was asked for by its column; `where` is the argument that did.

        Raises: `DataError` for another column, and for a class that no training row has.
        """
        where = where or argument_name("given")
        for name in given:
            if name != self.column:
                raise DataError(f"{where}: the network was told no column '{name}', but '{self.column}'.")
        value = given[self.column]
        for text in (str(value), str(as_labels(pl.Series([value]))[0])):
            if text in self.names:
                return self.names.index(text) + 1
        known = list_some((f"'{name}'" for name in self.names), most=12, last=" or ")
        hint = did_you_mean(value, self.names, listed=False)
        raise DataError(
            f"{where}: found the class '{value}' of '{self.column}', which no training row has; expected "
            f"{known}.{hint}"
        )

    def written(self, codes: Int64[Tensor, " rows"]) -> pl.Series:
        """The classes of these codes as the data writes them."""
        return pl.Series(self.column, self.values, strict=False).gather(pl.Series(codes.cpu().numpy() - 1))

    def facts(self) -> dict[str, Any]:
        """Plain data that makes these again."""
        return {"column": self.column, "names": list(self.names), "values": list(self.values)}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any] | None) -> Self | None:
        """What `facts` returned; None where there were none."""
        return None if facts is None else cls(facts["column"], tuple(facts["names"]), tuple(facts["values"]))

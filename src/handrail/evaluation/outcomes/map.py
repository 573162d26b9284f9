"""Rows on a map: how near they are to their prototypes, and whether the map keeps together what is alike."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from handrail.evaluation.forms import Form, NoInterval, Ratio, Share
from handrail.evaluation.outcomes import Statistic
from handrail.evaluation.outcomes.probes import CodeOutcome


@dataclass(frozen=True, eq=False)
class Ways:
    """Where the second-nearest unit of each row lies.

    Arguments:
        lengths: of the shortest way along the map from the nearest prototype to the second-nearest, over
            prototypes of neighbours, in encoded units.
        torn: whether the two units are not neighbours; a reason where all units of the map are.
    """

    lengths: Float[np.ndarray, " rows"]
    torn: Bool[np.ndarray, " rows"] | NoInterval


@dataclass(frozen=True, eq=False)
class MapOutcome(CodeOutcome):
    """The nearest unit of each row.

    With a row's distance d to the nearest prototype, and the length l of the way from there along the map to
    the second-nearest: quantisation_error = mean d, map_error = mean (d + l), topographic_error = share of
    rows whose two units are not neighbours.

    Arguments:
        units: of the rows, counted from 0 row by row.
        distances: d, in encoded units.
        width: units in a row of the map.
        ways: None of prototypes that lie on no map.

    Source: Kaski & Lagus 1996 (map error); Kiviluoto 1996 (topographic error)
    """

    units: Int[np.ndarray, " rows"]
    distances: Float[np.ndarray, " rows"]
    width: int = 1
    ways: Ways | None = None
    remark: str = ""
    task: str = "map"

    @property
    def rows(self) -> int:
        return len(self.units)

    @property
    def work(self) -> int:
        return 3 if self.probes is None else 5

    def why_undefined(self, name: str) -> str:
        if name in ("map_error", "topographic_error") and self.ways is None:
            return "its prototypes lie on no map"
        if name == "topographic_error" and self.ways is not None and isinstance(self.ways.torn, NoInterval):
            return self.ways.torn.reason
        return super().why_undefined(name)

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        selected = set(names)

        def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
            total = weights.sum(axis=0)
            metrics = self._shares(weights, selected)
            for name in selected & {"map_error", "quantisation_error", "topographic_error"}:
                values = self._values(name)
                unknown = np.full(weights.shape[1], np.nan)
                metrics[name] = unknown if values is None else values @ weights / total
            return metrics

        return [statistic]

    def _values(self, name: str) -> np.ndarray | None:
        """What a metric is the mean of; None where it has no meaning."""
        if name == "quantisation_error":
            return self.distances
        if self.ways is None:
            return None
        if name == "map_error":
            return self.distances + self.ways.lengths
        return None if isinstance(self.ways.torn, NoInterval) else self.ways.torn

    def forms(self, names: Iterable[str]) -> dict[str, Form]:
        forms, ones = self._probe_forms(), np.ones(self.rows)
        for name in ("map_error", "quantisation_error", "topographic_error"):
            values = self._values(name)
            if values is not None:
                forms[name] = Share(values, ones > 0) if values.dtype == bool else Ratio(values, ones)
        return {name: forms[name] for name in names}

    def errors(self) -> np.ndarray:
        """The distance to the nearest prototype."""
        return self.distances

    def _describe(self, row: int) -> str:
        down, across = divmod(int(self.units[row]), self.width)
        return f"unit in row {down + 1}, column {across + 1}"

    def columns(self) -> dict[str, Any]:
        columns: dict[str, Any] = place_columns(self.units, self.width)
        columns["distance"] = self.distances
        if self.ways is not None and not isinstance(self.ways.torn, NoInterval):
            columns["torn"] = self.ways.torn
        return columns | super().columns()


def place_columns(units: Int[np.ndarray, " rows"], width: int) -> dict[str, np.ndarray]:
    """The row and the column of each unit on the map, from 1, for the table of predictions."""
    return {"map_row": units // width + 1, "map_column": units % width + 1}

"""A part whose rows stay in their files until they are used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from handrail.data.columns.schema import Schema, read_frame
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows
from handrail.data.streaming.encode import Wanted, encode
from handrail.data.streaming.order import scatter
from handrail.data.streaming.parquet import ParquetRows


@dataclass
class Encoded:
    """The rows of a part as an encoder gave them."""

    encoder: Any = None
    rows: Any = None


@dataclass(frozen=True, eq=False, kw_only=True)
class StreamedPart(Part):
    """Rows by number in their source; `raw` and `features` are empty, with the right columns.

    The order of `rows` and `target` is that in which encoded rows are written, which is random for training
    rows.

    Arguments:
        source: the files.
        schema: how their columns are read.
        known: the sample, in memory.
        levels: counts over all rows, where `known` does not hold them all.
        folder: where encoded rows go, in a file without a name.
        beside: parts that are encoded in the same reading of the source.
        seed: of the random order of rows.
        strict: whether infinite numbers are refused.
        kept: what was encoded last.
    """

    source: ParquetRows
    schema: Schema
    known: Part
    levels: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    folder: Path | None = None
    beside: list["StreamedPart"] = field(default_factory=list, repr=False)
    seed: int = 0
    strict: bool = True
    kept: Encoded = field(default_factory=Encoded, repr=False)

    @property
    def hashes(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """They were needed when the rows were divided, and are not kept."""
        raise AssertionError("the hashes of streamed rows are not kept")

    @property
    def sample(self) -> Part:
        """A random sample of the rows, or all where they are few."""
        return self.known

    @property
    def level_counts(self) -> Mapping[str, pl.DataFrame]:
        """Over all rows."""
        return self.levels

    def encode_with(self, encoder: RowEncoder) -> Rows:
        """The rows in a file; it is written once for an encoder, together with those of the parts beside."""
        if self.kept.encoder is not encoder:
            parts = [
                self,
                *(part for part in self.beside if part is not self and part.kept.encoder is not encoder),
            ]
            wanted = [Wanted(part.name, part.rows, part.table, part.strict) for part in parts]
            for part, rows in zip(
                parts, encode(self.source, self.schema, encoder, wanted, folder=self.folder), strict=True
            ):
                part.kept.encoder, part.kept.rows = encoder, rows
        return self.kept.rows

    def pick(self, places: np.ndarray) -> Part:
        """A few of the rows, read from their files."""
        some = np.asarray(places, dtype=np.int64)
        raw = self.source.fetch(self.rows[some])
        features, _ = read_frame(raw, self.schema)
        return Part(
            self.name, raw, features, self.target[torch.from_numpy(some)], self.rows[some], self.table
        )

    def join(self, other: Part) -> "StreamedPart":
        """Both parts as one, in an order of its own; of the other sample as large a share as there is of this
        one.
        """
        assert isinstance(other, StreamedPart), "parts of one source are all streamed, or none is"
        rows, target = np.concatenate([self.rows, other.rows]), torch.cat([self.target, other.target])
        order = scatter(np.argsort(rows, kind="stable"), self.seed)
        count = min(len(other.known), round(len(self.known) / len(self) * len(other)))
        some = np.sort(np.random.default_rng([self.seed, 37]).choice(len(other.known), count, replace=False))
        return replace(
            self,
            name=f"{self.name} and {other.name}",
            rows=rows[order],
            target=target[torch.from_numpy(order)],
            known=self.known.join(other.known.pick(some)),
            beside=[],
            kept=Encoded(),
        )

    def readable(self, row: int, names: Sequence[str]) -> dict[str, str | None]:
        """The values of a row, read from its file."""
        return self.pick(np.array([row])).readable(0, names)

"""Learned vectors for the levels of categories."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


def embedding_width(levels: int) -> int:
    """min(50, round(1.6·levels^0.56)) numbers for a column of that many levels.

    Source: Howard & Gugger 2020 (the rule of thumb of fastai's tabular learner).
    """
    return min(50, round(1.6 * levels**0.56))


class EmbedColumns(nn.Module):
    """Replaces the last columns of encoded rows, which hold codes, by a learned vector each.

    x [rows, plain + c] ↦ [rows, plain + Σ widths]; code 0 (rare or unseen) begins at zero.

    Arguments:
        sizes: number of codes of each of the c columns.

    Source: Guo & Berkhahn 2016.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, embedding_width(size)) for size in sizes)
        with torch.no_grad():
            for table in self.tables:
                table.weight.mul_(0.1)  # pyright: ignore
                table.weight[0] = 0  # pyright: ignore

    @property
    def extra_columns(self) -> int:
        """Columns that are there afterwards minus those that were there before."""
        return sum(table.embedding_dim - 1 for table in self.tables)  # pyright: ignore

    def forward(self, x: Float[Tensor, "rows encoded"]) -> Float[Tensor, "rows width"]:
        plain = x.shape[1] - len(self.tables)
        codes = x[:, plain:].long()
        vectors = [table(codes[:, index]) for index, table in enumerate(self.tables)]
        return torch.cat([x[:, :plain], *vectors], dim=1)

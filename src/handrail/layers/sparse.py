"""Matrices of which few entries are not zero."""

import warnings

import torch
from jaxtyping import Float, Int
from torch import Tensor


def sparse_matrix(
    counts: Int[Tensor, " rows"], columns: Int[Tensor, " entries"], values: Float[Tensor, " entries"]
) -> Tensor:
    """A square matrix by its entries, row after row and in rising columns; products take time by these alone.

    Arguments:
        counts: how many entries each row has.
    """
    starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)]).int()  # as the products need them
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        size = (len(counts), len(counts))
        return torch.sparse_csr_tensor(starts, columns.int(), values, size, check_invariants=True)

"""k-means on the rows of a tensor: seeds by k-means++, Lloyd's iterations, both in bounded memory.

Rows are taken a few thousand at a time, so that little more than a number or two a row is needed beside them,
however many centres there are. Everything comes in the precision of the rows; sums are in double.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from handrail.errors import DataError

Rows = Float[Tensor, "n width"]
Centres = Float[Tensor, "k width"]
Codes = Int[Tensor, " n"]
Squares = Float[Tensor, " n"]

_AT_ONCE = {"cpu": 2**17}  # distances: what a processor's cache holds
_AT_ONCE_ELSEWHERE = 2**24
_CLOSE = 1e-3  # of the lengths: below, products lose the digits of a squared distance


class Clusters(NamedTuple):
    """Centres, and of each row the number of its nearest centre and the squared distance to it.

    iterations: how many changes of the centres it took.
    """

    centres: Centres
    codes: Codes
    squares: Squares
    iterations: int

    @property
    def inertia(self) -> float:
        """Σ of the squared distances."""
        return float(self.squares.double().sum())


def kmeans(
    rows: Rows, k: int, generator: Generator, *, iterations: int = 300, tolerance: float = 1e-4
) -> Clusters:
    """Seeds by k-means++, then Lloyd's iterations; see `seed_centres` and `lloyd`."""
    return lloyd(rows, seed_centres(rows, k, generator), iterations=iterations, tolerance=tolerance)


def seed_centres(rows: Rows, k: int, generator: Generator) -> Centres:
    """k different rows, each drawn in proportion to its squared distance from those before it (k-means++).

    Of 2 + ⌊log k⌋ draws the one is taken that lowers the sum of the squared distances most.

    Arguments:
        generator: on the processor; wherever the rows lie, the draws are the same.

    Raises: `DataError` when there are fewer than k different rows.

    Source: Arthur & Vassilvitskii 2007
    """
    if not 1 <= k <= len(rows):
        raise DataError(f"found {len(rows)} rows for {k} centres; expected 1 to {len(rows)} centres.")
    chosen = [int(torch.randint(len(rows), (), generator=generator))]
    closest = squared_distances(rows, rows[chosen])[:, 0]
    draws = 2 + int(math.log(k))
    while len(chosen) < k:
        sums = closest.double().cumsum(dim=0)
        if not sums[-1] > 0:
            found = len(chosen)
            raise DataError(f"found {found} different rows for {k} centres; expected 1 to {found} centres.")
        marks = torch.rand(draws, generator=generator, dtype=torch.float64).to(sums.device) * sums[-1]
        candidates = torch.searchsorted(sums, marks, right=True).clamp(max=len(rows) - 1)
        squares = torch.minimum(squared_distances(rows, rows[candidates]), closest.unsqueeze(1))
        best = int(squares.double().sum(dim=0).argmin())
        chosen.append(int(candidates[best]))
        closest = squares[:, best].contiguous()
    return rows[chosen].clone()


def squared_distances(rows: Rows, centres: Centres) -> Float[Tensor, "n k"]:
    """‖x − c‖² of each row and centre, for few centres; of equal rows exactly 0."""
    shift = centres.mean(dim=0)
    moved = centres - shift
    lengths = moved.square().sum(dim=1)
    squares = rows.new_empty(len(rows), len(centres))
    for start, stop in _pieces(rows, max(len(centres), rows.shape[1])):
        part = rows[start:stop] - shift
        sizes = part.square().sum(dim=1, keepdim=True) + lengths
        piece = torch.addmm(sizes, part, moved.T, alpha=-2)
        row, centre = (piece < _CLOSE * sizes).nonzero(as_tuple=True)
        piece[row, centre] = (rows[start:stop][row] - centres[centre]).square().sum(dim=1)
        squares[start:stop] = piece
    return squares


def own_squares(rows: Rows, codes: Codes, centres: Centres) -> Squares:
    """The squared distance of each row to the centre of its code."""
    squares = rows.new_empty(len(rows))
    for start, stop in _pieces(rows, rows.shape[1]):
        squares[start:stop] = _between(rows[start:stop], centres[codes[start:stop]])
    return squares


def nearest(rows: Rows, centres: Centres) -> Codes:
    """The number of each row's nearest centre, the first of equals."""
    return _joined([codes for _, codes in _nearest_by_piece(rows, centres)])


def assign(rows: Rows, centres: Centres) -> tuple[Codes, Squares]:
    """The number of each row's nearest centre and the squared distance to it, in one pass."""
    found = [(codes, _between(part, centres[codes])) for part, codes in _nearest_by_piece(rows, centres)]
    codes, squares = zip(*found, strict=True)
    return _joined(codes), _joined(squares)


def _nearest_by_piece(rows: Rows, centres: Centres) -> Iterator[tuple[Rows, Codes]]:
    """Some rows at a time, with the numbers of their nearest centres."""
    shift = centres.mean(dim=0)
    moved = centres - shift
    lengths = moved.square().sum(dim=1)
    for start, stop in _pieces(rows, centres.shape[0]):
        part = rows[start:stop]
        # ‖c‖² − 2x·c: what the centres' distances differ in
        yield part, torch.addmm(lengths, part - shift, moved.T, alpha=-2).argmin(dim=1)


def _between(rows: Rows, others: Rows) -> Squares:
    """The squared distance of each row from its partner."""
    return (rows - others).square().sum(dim=1)


def _joined(pieces: Sequence[Tensor]) -> Tensor:
    """The pieces one after the other; one alone is not copied."""
    return pieces[0] if len(pieces) == 1 else torch.cat(list(pieces))


def totals(rows: Rows, codes: Codes, k: int) -> tuple[Float[Tensor, "k width"], Float[Tensor, " k"]]:
    """The sum of the rows of each code, and their number, in double precision; those of parts add up."""
    sums = torch.zeros(k, rows.shape[1], dtype=torch.float64, device=rows.device)
    for start, stop in _pieces(rows, k):
        part, own = rows[start:stop], codes[start:stop]
        if rows.is_cuda:  # where `index_add` adds in any order
            sums += (own == torch.arange(k, device=rows.device).unsqueeze(1)).to(rows.dtype) @ part
        else:
            sums += rows.new_zeros(sums.shape).index_add_(0, own, part)
    return sums, torch.bincount(codes, minlength=k).double()


class NearestSums:
    """Of each centre the sum of the rows that are nearest to it, and their weight, gathered batch by batch.

    In double precision, so that the order of the rows does not show in the means.
    """

    def __init__(self, centres: Centres) -> None:
        self.sums = torch.zeros(centres.shape, dtype=torch.float64, device=centres.device)
        self.weights = self.sums.new_zeros(len(centres))

    def add(self, rows: Rows, codes: Codes, weights: Squares | None = None) -> None:
        """Rows of these codes; without weights each counts 1."""
        if weights is None:
            self.sums.index_add_(0, codes, rows.double())
            self.weights += torch.bincount(codes, minlength=self.weights.shape[0])
        else:
            self.sums.index_add_(0, codes, rows.double() * weights.double().unsqueeze(1))
            self.weights.index_add_(0, codes, weights.double())

    def clear(self) -> None:
        """Begin again at nothing."""
        self.sums.zero_()
        self.weights.zero_()

    def state_dict(self) -> dict[str, Tensor]:
        return {"sums": self.sums, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on with these, on the device of the centres."""
        self.sums, self.weights = (state[name].to(self.sums.device) for name in ("sums", "weights"))


def update(rows: Rows, codes: Codes, centres: Centres) -> Centres:
    """The mean of each centre's rows; a centre without rows takes the row that is farthest from its own."""
    sums, counts = totals(rows, codes, len(centres))
    empty = (counts == 0).nonzero().flatten()
    if len(empty):
        far = own_squares(rows, codes, centres).topk(len(empty)).indices
        moved = rows[far].double()
        sums.index_add_(0, codes[far], -moved)
        counts.index_add_(0, codes[far], -torch.ones_like(counts[empty]))
        sums[empty], counts[empty] = moved, 1.0
    means = sums / counts.clamp(min=1).unsqueeze(1)
    return torch.where(counts.unsqueeze(1) > 0, means, centres.double()).to(rows.dtype)


def lloyd(rows: Rows, centres: Centres, *, iterations: int = 300, tolerance: float = 1e-4) -> Clusters:
    """Give each row to its nearest centre, move each centre to the mean of its rows, until nothing changes.

    Arguments:
        tolerance: also stop when the centres' squared moves sum up to no more than this, in units of the mean
            variance of a column.

    Source: Lloyd 1957 (1982); MacQueen 1967
    """
    limit = tolerance * float(rows.var(dim=0, correction=0).mean())
    codes, changes, settled = nearest(rows, centres), 0, False
    while changes < iterations and not settled:
        moved = update(rows, codes, centres)
        change = float((moved - centres).double().square().sum())
        before, centres = codes, moved
        codes = nearest(rows, centres)
        settled = change <= limit or torch.equal(codes, before)
        changes += 1
    return Clusters(centres, codes, own_squares(rows, codes, centres), changes)


def _pieces(rows: Tensor, numbers: int) -> Iterator[tuple[int, int]]:
    """Rows from and to, in pieces for which so many numbers a row stay small."""
    size = max(64, _AT_ONCE.get(rows.device.type, _AT_ONCE_ELSEWHERE) // numbers)
    for start in range(0, max(1, rows.shape[0]), size):
        yield start, min(start + size, rows.shape[0])

"""How heads address a memory of vectors: by content, and by location from where they stood before.

All heads are addressed at once: their weights over the locations are one tensor.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

_SMALL = 1e-6  # under the root of a squared length, so that an empty location has a derivative
_LEAST = 1e-12  # of a weight, whose logarithm is taken

MemoryMatrix = Float[Tensor, "rows locations width"]
Weights = Float[Tensor, "rows heads locations"]
Numbers = Float[Tensor, "rows heads"]
Vectors = Float[Tensor, "rows heads width"]


def cosine_similarity(keys: Vectors, memory: MemoryMatrix) -> Weights:
    """K[u, v] = u·v / (|u|·|v|) of each key and each location, with |u| = √(u·u + 10⁻⁶).

    Source: Graves, Wayne & Danihelka 2014, equation 6
    """
    products = keys @ memory.transpose(1, 2)
    key_lengths, lengths = ((each * each).sum(dim=2).add(_SMALL).rsqrt() for each in (keys, memory))
    return products * key_lengths.unsqueeze(2) * lengths.unsqueeze(1)


def content_weights(keys: Vectors, strengths: Numbers, memory: MemoryMatrix) -> Weights:
    """w(i) = exp(β·K[k, M(i)]) / Σ_j exp(β·K[k, M(j)]): how alike locations are to a key.

    Arguments:
        strengths: β of each head, from 0 on; the larger, the sharper.

    Source: Graves, Wayne & Danihelka 2014, equation 5
    """
    return torch.softmax(cosine_similarity(keys, memory) * strengths.unsqueeze(2), dim=2)


def interpolate(content: Weights, last: Weights, gates: Numbers) -> Weights:
    """w_g = g·w_c + (1 − g)·w_{t−1}: between the content and where the head stood.

    Source: Graves, Wayne & Danihelka 2014, equation 7
    """
    return torch.lerp(last, content, gates.unsqueeze(2))


def shift_circular(weights: Weights, shifts: Float[Tensor, "rows heads moves"]) -> Weights:
    """w̃(i) = Σ_j w_g(j)·s(i − j), indices modulo the locations.

    Arguments:
        shifts: s, how much each move counts: of 2·r + 1 moves the first is r locations back, the last r on.

    Source: Graves, Wayne & Danihelka 2014, equation 8
    """
    moves, locations = shifts.shape[2], weights.shape[2]
    reach = moves // 2
    ring = functional.pad(weights, (reach, reach), mode="circular")
    # Location i + r − k of the ring's middle comes to i by the move k − r.
    pieces = [ring.narrow(2, moves - 1 - move, locations) for move in range(moves)]
    total = pieces[0] * shifts[:, :, :1]
    for move in range(1, moves):
        total = torch.addcmul(total, pieces[move], shifts[:, :, move : move + 1])
    return total


def sharpen(weights: Weights, powers: Numbers) -> Weights:
    """w(i) = w̃(i)^γ / Σ_j w̃(j)^γ, computed as the softmax of γ·log w̃, which no large γ brings to 0 / 0.

    Arguments:
        powers: γ of each head, from 1 on.

    Source: Graves, Wayne & Danihelka 2014, equation 9
    """
    return torch.softmax(weights.clamp(min=_LEAST).log() * powers.unsqueeze(2), dim=2)


def erase_and_add(memory: MemoryMatrix, weights: Weights, erase: Vectors, add: Vectors) -> MemoryMatrix:
    """M(i) = M(i)·Π_h (1 − w_h(i)·e_h) + Σ_h w_h(i)·a_h.

    Arguments:
        weights: of the heads that write.
        erase: e, from 0 (nothing is erased) to 1.
        add: a.

    Source: Graves, Wayne & Danihelka 2014, equations 3 and 4
    """
    if weights.shape[1] == 1:
        kept = torch.addcmul(memory, memory, weights.transpose(1, 2) * erase, value=-1)
    else:
        kept = memory * (1 - weights.unsqueeze(3) * erase.unsqueeze(2)).prod(dim=1)
    return torch.baddbmm(kept, weights.transpose(1, 2), add)


def read(memory: MemoryMatrix, weights: Weights) -> Vectors:
    """r_h = Σ_i w_h(i)·M(i).

    Source: Graves, Wayne & Danihelka 2014, equation 2
    """
    return weights @ memory

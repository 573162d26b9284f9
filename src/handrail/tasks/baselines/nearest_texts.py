"""The training rows whose texts are most like others."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

_AT_ONCE = 1 << 24  # numbers

Bags = Float[Tensor, "rows words"]


def nearest_texts(known: Bags, asked: Bags, *, count: int) -> Int[Tensor, "asked nearest"]:
    """For each text the places of those that share most with it, the most alike first; of equals the first.

    Likeness is the cosine between logarithms of one plus how often each word occurs.

    Arguments:
        known, asked: such logarithms, as the encoder of texts gives them for linear models.
        count: of the nearest, at most.

    Source: Salton, Wong & Yang 1975
    """
    known = functional.normalize(known, dim=1)
    size = max(1, _AT_ONCE // max(1, len(known)))
    places = []
    for some in functional.normalize(asked, dim=1).split(size):
        likeness = (some @ known.T * 1e6).round()  # what rounding does must not decide
        order = likeness.argsort(dim=1, descending=True, stable=True)
        places.append(order[:, : min(count, len(known))])
    return torch.cat(places) if places else torch.zeros(0, count, dtype=torch.int64)

"""Scores of several networks as the scores of one, whose probabilities are the mean of theirs."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Scores = Sequence[Float[Tensor, "rows outputs ..."]]


def mean_of_softmax(scores: Scores) -> Float[Tensor, "rows outputs ..."]:
    """log(1/K · Σₖ softmax(sₖ)), over the outputs: its softmax is the mean."""
    return torch.logsumexp(torch.stack([one.log_softmax(dim=1) for one in scores]), dim=0) - math.log(len(scores))


def mean_of_sigmoid(scores: Scores) -> Float[Tensor, "rows outputs ..."]:
    """log p − log(1 − p) with p = 1/K · Σₖ σ(sₖ): its sigmoid is the mean."""
    stacked = torch.stack(list(scores))
    return torch.logsumexp(functional.logsigmoid(stacked), dim=0) - torch.logsumexp(functional.logsigmoid(-stacked), dim=0)

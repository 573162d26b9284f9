"""Training rows for a rule that begins with a look at them."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.learning.rule import Batch
from handrail.network import model_inputs

MOST_ROWS = 65_536
_NUMBERS = 1 << 26  # in a sample


@torch.no_grad()
def sample_rows(
    network: nn.Module, rows: Batch, generator: torch.Generator, *, most: int = MOST_ROWS
) -> Float[Tensor, "sample width"]:
    """Training rows as the model is given them, flat: all of them, or a random sample of at most `most`."""
    width = model_inputs(network, rows.cut(0, 1).inputs).numel()
    most = max(1, min(most, _NUMBERS // max(width, 1)))
    places = torch.randperm(len(rows), generator=generator)[:most].sort().values
    training = network.training
    network.eval()  # as they are, not augmented
    parts = [model_inputs(network, rows.take(part).inputs).flatten(1) for part in places.split(8192)]
    network.train(training)
    return torch.cat(parts)

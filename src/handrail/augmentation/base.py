"""What augmentations of images share: nothing happens in evaluation, and chance comes from torch's global
generator.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Border = Literal["edge", "mirror", "black"]


class Augmentation(nn.Module):
    """Pixels between 0 and 1 in, as many out, each row changed differently; in evaluation they come back as
    they are.

    The numbers are drawn on the device of the pixels. The engine seeds and saves torch's global generators.
    """

    def forward(
        self, x: Float[Tensor, "rows channels height width"]
    ) -> Float[Tensor, "rows channels height width"]:
        """The batch, changed while training."""
        return self.changed(x) if self.training and len(x) else x

    def changed(
        self, x: Float[Tensor, "rows channels height width"]
    ) -> Float[Tensor, "rows channels height width"]:
        """The batch after the change."""
        raise NotImplementedError


def uniform(x: Tensor, low: float, high: float) -> Float[Tensor, " rows"]:
    """A number for each row of `x`, even between `low` and `high`, on its device."""
    return torch.empty(len(x), device=x.device).uniform_(low, high)


def chosen(x: Tensor, probability: float) -> Float[Tensor, "rows 1 1 1"]:
    """Which rows of `x` are taken, each with that probability: true or false."""
    return (torch.rand(len(x), device=x.device) < probability)[:, None, None, None]

"""Images mixed in pairs, and their targets with them."""

import torch
from torch import Tensor

from handrail.augmentation.base import Augmentation, Images
from handrail.components import component
from handrail.components.arguments import Positive
from handrail.shapes import ImageShape


@component("augmentation")
class Mixup(Augmentation):
    """Each image is mixed with another of its batch: x' = λ·x + (1 − λ)·x[order], λ ~ Beta(α, α).

    The loss is mixed alike, λ·loss(y) + (1 − λ)·loss(y[order]): `mixture` keeps λ and the order of the last
    batch for it. The paper's code draws one λ a batch; one an image is less noisy.

    Arguments:
        inputs: shape of the images.
        alpha: 0.1 to 0.4 keeps most images nearly pure; 1 mixes evenly.

    Source: Zhang 2018
    """

    mixture: tuple[Tensor, Tensor] | None
    "λ and order, `[rows]`, of the last training batch; None after evaluation, and before the first batch."

    def __init__(self, inputs: ImageShape, *, alpha: Positive = 0.2) -> None:
        super().__init__()
        self.alpha = alpha
        self.mixture = None

    def forward(self, x: Images) -> Images:
        self.mixture = None
        return super().forward(x)

    def change(self, x: Images) -> Images:
        alpha = torch.tensor(self.alpha, device=x.device)
        share = torch.distributions.Beta(alpha, alpha, validate_args=False).sample((len(x),))
        order = torch.randperm(len(x), device=x.device)
        self.mixture = (share, order)
        return torch.lerp(x[order], x, share.to(x.dtype)[:, None, None, None])

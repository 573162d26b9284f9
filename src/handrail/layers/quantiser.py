"""A book of code vectors, and for each vector the nearest of them."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

_RARE = 0.02  # of an even share: a code that is used less is put where there is something
_AGAIN = 0.2  # of an even share: as if it had been used so often
_LEAST = 1e-9  # of a squared distance, so that something can be drawn where all are codes already
_MOST = 1e30  # of a squared distance: sums of them are numbers
_AT_ONCE = 1 << 24  # distances

Vectors = Float[Tensor, "vectors width"]


class VectorQuantiser(nn.Module):
    """q(z) = e_k with k = argmin_j ‖z − e_j‖ at each place; backwards, gradients pass as if q(z) were z.

    In training the codes follow the vectors that choose them, by averages that decay, and one that is hardly
    used begins anew at a vector of the batch, drawn by its squared distance to the nearest code. Nothing of
    this is learned by gradient. What pulls z to its code is added by the model (‖z − sg(e_k)‖²).

    Arguments:
        codes, width: the number of codes, and of numbers in each.
        decay: of the averages, for each step.

    Source: van den Oord, Vinyals & Kavukcuoglu 2017 (averages: appendix A.1); Dhariwal et al. 2020
    (restarts); Arthur & Vassilvitskii 2007 (by squared distances)
    """

    vectors: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, codes: int, width: int, *, decay: float = 0.99) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("vectors", torch.randn(codes, width))
        self.register_buffer("counts", torch.zeros(codes))
        self.register_buffer("sums", torch.zeros(codes, width))

    def forward(self, z: Float[Tensor, "rows width high wide"]) -> Float[Tensor, "rows width high wide"]:
        flat = z.movedim(1, -1).flatten(0, -2)  # [rows · high · wide, width]
        if self.training:
            self._follow(flat.detach())
        nearest = self.look_up(self.tokens(z))
        return z + (nearest - z).detach()

    @torch.no_grad()
    def tokens(self, z: Float[Tensor, "rows width high wide"]) -> Int[Tensor, "rows high wide"]:
        """The number of the nearest code at each place, from 0."""
        flat = z.movedim(1, -1)
        return self._nearest(flat.flatten(0, -2)).view(flat.shape[:-1])

    def look_up(self, tokens: Int[Tensor, "rows high wide"]) -> Float[Tensor, "rows width high wide"]:
        """The codes of these numbers."""
        return functional.embedding(tokens, self.vectors).movedim(-1, 1)

    def _nearest(self, flat: Vectors) -> Int[Tensor, " vectors"]:
        lengths = self.vectors.square().sum(dim=1)
        parts = flat.split(max(1, _AT_ONCE // len(self.vectors)))
        return torch.cat([(lengths - 2 * part @ self.vectors.T).argmin(dim=1) for part in parts])

    @torch.no_grad()
    def _follow(self, flat: Vectors) -> None:
        """One step of the averages; codes that are hardly used begin anew first."""
        even = len(flat) / len(self.vectors)
        rare = self.counts < _RARE * even
        far = (flat - self.vectors[self._nearest(flat)]).square().sum(dim=1)
        far = far.nan_to_num(posinf=_MOST).clamp(_LEAST, _MOST)  # a loss that is no number is told elsewhere
        drawn = flat[torch.multinomial(far, len(self.vectors), replacement=True)]
        self.counts.masked_fill_(rare, _AGAIN * even)
        self.vectors.copy_(torch.where(rare[:, None], drawn, self.vectors))
        self.sums.copy_(torch.where(rare[:, None], drawn * _AGAIN * even, self.sums))
        chosen = self._nearest(flat)
        counts = torch.bincount(chosen, minlength=len(self.vectors)).to(self.counts)
        sums = torch.zeros_like(self.sums).index_add_(0, chosen, flat.to(self.sums))
        self.counts.lerp_(counts, 1 - self.decay)
        self.sums.lerp_(sums, 1 - self.decay)
        self.vectors.copy_(self.sums / self.counts.clamp_min(1e-6)[:, None])

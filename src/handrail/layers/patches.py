"""Small patches of pictures: cut, normalised, whitened, and coded by how near they are to centres."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from handrail.layers.distances import Nearness

Pictures = Float[Tensor, "rows channels height width"]
_FLAT = 0.01  # of the mean variance of a patch: contrasts below count little
_AT_ONCE = 1 << 22  # numbers of the patches, or their codes, at a time


class WhitePatches(nn.Module):
    """z = (p̃ − μ)·W with p̃ = (p − p̄) / √(var p + v) for each patch p, and W = (Σ + ε)^(−1/2), ZCA whitening.

    μ and Σ are the mean and the covariance of normalised patches, v a hundredth of their mean variance
    before; `learn` finds them. Until then z = p̃.

    Arguments:
        channels: of the pictures.
        side: of a patch, in pixels.
        whitening: ε, in units of the variance of a normalised pixel.

    Source: Coates, Lee & Ng 2011; Bell & Sejnowski 1997 (ZCA)
    """

    floor: Tensor
    mean: Tensor
    whitener: Tensor

    def __init__(self, channels: int, *, side: int, whitening: float) -> None:
        super().__init__()
        self.side, self.whitening, self.width = side, whitening, channels * side**2
        self.register_buffer("floor", torch.tensor(_FLAT))
        self.register_buffer("mean", torch.zeros(self.width))
        self.register_buffer("whitener", torch.eye(self.width))

    def forward(self, x: Pictures, *, stride: int = 1) -> Float[Tensor, "rows places numbers"]:
        return (self._normalise(self._cut(x, stride)) - self.mean) @ self.whitener

    def _cut(self, x: Pictures, stride: int) -> Float[Tensor, "rows places numbers"]:
        return functional.unfold(x, self.side, stride=stride).transpose(1, 2)

    def _normalise(self, patches: Float[Tensor, "rows places numbers"]) -> Tensor:
        middle = patches - patches.mean(dim=2, keepdim=True)
        return middle / (middle.square().mean(dim=2, keepdim=True) + self.floor).sqrt()

    @torch.no_grad()
    def learn(self, x: Pictures, *, stride: int) -> None:
        """Find μ, Σ and v by the patches of these pictures, of which some hundred are held at a time."""
        variance = torch.zeros((), dtype=torch.float64, device=x.device)
        sums, squares, count = variance.new_zeros(self.width), variance.new_zeros(self.width, self.width), 0
        parts = x.split(256)
        for part in parts:
            variance += self._cut(part, stride).double().var(dim=2, correction=0).mean(dim=1).sum()
        self.floor.copy_((variance / len(x) * _FLAT).clamp_min(1e-12))
        for part in parts:
            patches = self._normalise(self._cut(part, stride)).flatten(0, 1).double()
            sums += patches.sum(dim=0)
            squares += patches.T @ patches
            count += len(patches)
        mean = sums / count
        values, vectors = torch.linalg.eigh(squares / count - mean.outer(mean))
        scale = (values.clamp_min(0) + self.whitening).rsqrt()
        self.mean.copy_(mean)
        self.whitener.copy_(vectors * scale @ vectors.T)


class PatchCodes(nn.Module):
    """The codes of all patches of a picture, summed over each quarter: f_k = Σ max(0, d̄ − d_k).

    d_k is the distance of a whitened patch to centre k, d̄ their mean. Pictures are coded a few at a time.

    Arguments:
        patches: what whitens them.
        centres: where they begin; they are learned like any weights.
        stride: of the patches.

    Source: Coates, Lee & Ng 2011
    """

    def __init__(
        self, patches: WhitePatches, centres: Float[Tensor, "centres numbers"], *, stride: int
    ) -> None:
        super().__init__()
        self.patches, self.nearness, self.stride = patches, Nearness(centres), stride

    def forward(self, x: Pictures) -> Float[Tensor, "rows centres 2 2"]:
        height, width = ((side - self.patches.side) // self.stride + 1 for side in x.shape[2:])
        if torch.compiler.is_compiling():
            return self._code(x, height, width)
        numbers = height * width * max(self.nearness.centres.shape)
        parts = x.split(max(1, _AT_ONCE // numbers))
        return torch.cat([self._code(part, height, width) for part in parts])

    def unit_pictures(self) -> Float[Tensor, "centres channels side side"]:
        """The centres, as whitened patches."""
        side = self.patches.side
        return self.nearness.centres.detach().unflatten(1, (-1, side, side))

    def _code(self, x: Pictures, height: int, width: int) -> Float[Tensor, "rows centres 2 2"]:
        """The codes of pictures with this many places for a patch."""
        patches = self.patches(x, stride=self.stride)
        codes = self.nearness(patches.flatten(0, 1)).unflatten(0, (-1, height, width))
        down, across = (height + 1) // 2, (width + 1) // 2
        halves = [codes[:, :down], codes[:, down:]]
        quarters = [
            part.sum(dim=(1, 2)) for half in halves for part in (half[:, :, :across], half[:, :, across:])
        ]
        return torch.stack(quarters, dim=2).unflatten(2, (2, 2))

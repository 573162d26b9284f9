"""Capsules: groups of units whose length says whether something is there, and whose direction says how."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.layers.initialisations import make_generator

Capsules = Float[Tensor, "rows capsules dims"]
Couplings = Float[Tensor, "rows outputs capsules"]

_TINY = 1e-7
_NUMBERS_AT_ONCE = 2**20  # of predictions: 4 MB, about what a processor's cache holds between two looks


def squash(sums: Float[Tensor, "*rows dims"]) -> Float[Tensor, "*rows dims"]:
    """v = ‖s‖² / (1 + ‖s‖²) · s / ‖s‖: the same direction, a length below 1.

    Source: Sabour, Frosst & Hinton 2017, equation 1
    """
    squares = sums.square().sum(dim=-1, keepdim=True)
    return sums * ((squares + _TINY**2).sqrt() / (1 + squares))


def length_scores(capsules: Capsules) -> Float[Tensor, "rows capsules"]:
    """log(v / (1 − v)) of the lengths v = ‖capsule‖: a score whose sigmoid is the length; from −16 to 16.

    Of a squashed sum s it is log ‖s‖².
    """
    lengths = (capsules.square().sum(dim=2) + _TINY**2).sqrt()
    return lengths.log() - (1 - lengths).clamp_min(_TINY).log()


def route(
    predictions: Float[Tensor, "rows outputs capsules dims"], *, iterations: int
) -> tuple[Float[Tensor, "rows outputs dims"], Couplings]:
    """Dynamic routing by agreement: what each output capsule becomes, and who contributed how much to it.

    b ← 0; then `iterations` times: c = softmax of b over the outputs; s_j = Σᵢ c_ij·û_j|i; v_j = squash(s_j);
    b_ij ← b_ij + û_j|i · v_j, but for the last time. The gradient flows through all iterations.

    Arguments:
        predictions: û, what each capsule predicts for each output.

    Returns: v, and the last c, which is 1 in sum over the outputs.

    Source: Sabour, Frosst & Hinton 2017, procedure 1
    """
    logits = predictions.new_zeros(predictions.shape[:3])
    capsules, couplings = logits, logits
    for iteration in range(1, iterations + 1):
        couplings = logits.softmax(dim=1)
        capsules = squash(torch.einsum("rji,rjid->rjd", couplings, predictions))
        if iteration < iterations:
            logits = logits + torch.einsum("rjid,rjd->rji", predictions, capsules)
    return capsules, couplings


class PrimaryCapsules(nn.Module):
    """Capsules from a convolution: `types` groups of `dims` maps, a capsule of each type at each position.

    Capsules stand type by type, and within a type in reading order.

    Arguments:
        channels: of the maps that come in.
        types, dims: kinds of capsules, and numbers of each capsule.
        kernel, stride: of the convolution, which has no border.

    Source: Sabour, Frosst & Hinton 2017
    """

    def __init__(self, channels: int, *, types: int, dims: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.types = types
        self.convolution = nn.Conv2d(channels, types * dims, kernel, stride=stride)

    def forward(self, x: Float[Tensor, "rows channels height width"]) -> Capsules:
        maps = self.convolution(x).unflatten(1, (self.types, -1))  # [rows, types, dims, lower, narrower]
        return squash(maps.float().flatten(3).transpose(2, 3).flatten(1, 2))


class RoutedCapsules(nn.Module):
    """û_j|i = W_ij·u_i, then routing: a capsule goes where its prediction agrees with those of others.

    W begins normal, so that the capsules' sums begin about half as long as 1. It computes in single
    precision, whatever stands around it: routing is a softmax of sums that grow with each iteration.

    Arguments:
        capsules, dims: how many come in, and their numbers.
        outputs, output_dims: the same of what goes out.
        iterations: of the routing.

    Source: Sabour, Frosst & Hinton 2017
    """

    def __init__(self, capsules: int, dims: int, *, outputs: int, output_dims: int, iterations: int) -> None:
        super().__init__()
        self.iterations, self.outputs = iterations, outputs
        drawn = torch.randn(capsules, dims, outputs * output_dims, generator=make_generator())
        self.weight = nn.Parameter(drawn * (outputs / math.sqrt(capsules * output_dims)))

    def forward(self, x: Capsules) -> Float[Tensor, "rows outputs output_dims"]:
        # A few rows at a time: routing looks at the predictions again and again.
        numbers = self.weight.shape[0] * self.weight.shape[2]
        parts = x.split(max(1, _NUMBERS_AT_ONCE // numbers))
        return torch.cat([self._route(part)[0] for part in parts])

    def couplings(self, x: Capsules) -> Couplings:
        """c_ij at the end: the share of capsule i that goes to each output."""
        return self._route(x)[1]

    def _route(self, x: Capsules) -> tuple[Tensor, Couplings]:
        with torch.autocast(x.device.type, enabled=False):
            predictions = torch.bmm(x.transpose(0, 1), self.weight)  # [capsules, rows, outputs · dims]
            predictions = predictions.unflatten(2, (self.outputs, -1)).permute(1, 2, 0, 3)
            return route(predictions, iterations=self.iterations)

    def extra_repr(self) -> str:
        capsules, dims, numbers = self.weight.shape
        shapes = f"{capsules} of {dims} to {self.outputs} of {numbers // self.outputs}"
        return f"{shapes}, iterations={self.iterations}"

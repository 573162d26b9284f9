"""Batch normalisation that takes a batch with a single value a channel."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm


class BatchNorm(_BatchNorm):
    """y = γ·(x − mean) / √(variance + ε) + β, by channel, over the rows and positions of a batch.

    In evaluation mean and variance are those of all of training. It takes 1 to 3 dimensions and, unlike
    torch's, a batch with a single value a channel, which goes by what training has seen so far.

    Source: Ioffe & Szegedy 2015
    """

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions will do."""

    def forward(self, input: Float[Tensor, "rows channels *size"]) -> Float[Tensor, "rows channels *size"]:
        if self.training and input.numel() == input.shape[1]:
            return functional.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(input)

    def scale_and_shift(self) -> tuple[Float[Tensor, " channels"], Float[Tensor, " channels"]]:
        """γ / √(variance + ε) and β − mean·scale: in evaluation y = scale·x + shift."""
        assert self.running_mean is not None
        assert self.running_var is not None
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return scale, self.bias - self.running_mean * scale


class BatchNormRows(nn.BatchNorm1d):
    """y = γ·(x − mean) / √(variance + ε) + β over rows; a last batch of one row goes as in `BatchNorm`.

    Source: Ioffe & Szegedy 2015
    """

    def forward(self, input: Float[Tensor, "rows units"]) -> Float[Tensor, "rows units"]:
        if self.training and len(input) == 1:
            return functional.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(input)

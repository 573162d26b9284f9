"""Convolution over the words of a text."""

from typing import Annotated

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import Count, Rate
from handrail.layers.noise import Dropout
from handrail.layers.steps import TokenVectors, counts
from handrail.shapes import TokenShape


@component("model", name="text_cnn")
class TextCNN(nn.Module):
    """Filters over neighbouring tokens, each where it answers most: max over t of ReLU(W·x_{t…t+k−1} + b).

    Padding counts as the zero vector and no filter begins on it, so that it changes no answer.

    Arguments:
        embedding: numbers for each token.
        windows: how many neighbouring tokens the filters see, k; there are `filters` of each.
        filters: of each size.
        dropout: share of filters set to zero in training.

    Source: Kim 2014
    """

    def __init__(
        self,
        inputs: TokenShape,
        outputs: int,
        *,
        embedding: Count = 64,
        windows: Annotated[list[Count], Field(min_length=1)] = [3, 4, 5],  # noqa: B006 - shown as the default
        filters: Count = 100,
        dropout: Rate = 0.5,
    ) -> None:
        super().__init__()
        # Small at first, so that words that are rare, and hardly change, say little.
        self.vectors = TokenVectors(inputs.vocabulary, embedding, std=0.1)
        self.filters = nn.ModuleList(nn.Conv1d(embedding, filters, window) for window in windows)
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(filters * len(windows), outputs)

    def forward(self, x: Int[Tensor, "rows length"]) -> Float[Tensor, "rows outputs"]:
        vectors = self.vectors(x).transpose(1, 2)  # [rows, embedding, length]
        # [rows, length].
        begins_outside = torch.arange(x.shape[1], device=x.device) >= counts(x).unsqueeze(1)
        strongest = [self._strongest(layer, vectors, begins_outside) for layer in self.filters]
        return self.head(self.dropout(torch.cat(strongest, dim=1)))

    @staticmethod
    def _strongest(
        layer: nn.Module, vectors: Float[Tensor, "rows embedding length"], outside: Tensor
    ) -> Float[Tensor, "rows filters"]:
        answers = layer(functional.pad(vectors, (0, layer.kernel_size[0] - 1)))  # pyright: ignore
        return answers.masked_fill(outside.unsqueeze(1), -torch.inf).amax(dim=2).relu()

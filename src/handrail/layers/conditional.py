"""The class that a model may be told beside its rows, as numbers of which one is 1."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import one_hot


class Conditional(nn.Module):
    """A condition y of p(x | y): code k from 1 tells class k, and code 0 tells nothing.

    A model that has one names it `condition`; its `generate` then takes the codes of the rows as `given`.

    Arguments:
        classes: how many there are, from the shape of the outputs.

    Source: Mirza & Osindero 2014
    """

    shares: Tensor
    "Of each code among the training rows."

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.register_buffer("shares", torch.ones(classes + 1) / (classes + 1))

    def count(self, codes: Int64[Tensor, " rows"]) -> None:
        """Take the shares of the codes from training rows."""
        counts = torch.bincount(codes, minlength=self.classes + 1)
        self.shares.copy_(counts.to(self.shares) / len(codes))

    @property
    def class_shares(self) -> Float[Tensor, " classes"]:
        """Of each class among the training rows that have one; even where none has."""
        known = self.shares[1:]
        return known / known.sum() if known.sum() > 0 else torch.full_like(known, 1 / self.classes)

    def draw(self, rows: int, generator: torch.Generator) -> Int64[Tensor, " rows"]:
        """Codes of classes with their shares among the training rows."""
        drawn = torch.multinomial(self.class_shares.cpu(), rows, replacement=True, generator=generator)
        return drawn.to(self.shares.device) + 1

    def join(
        self, rows: Float[Tensor, "rows width"], codes: Int64[Tensor, " rows"]
    ) -> Float[Tensor, "rows told"]:
        """Rows with the numbers of their classes behind; all of these are 0 for code 0."""
        told = one_hot(codes, self.classes + 1)[:, 1:]
        return torch.cat([rows, told.to(rows)], dim=1)  # [rows, width + classes]


class ClassMaps(nn.Module):
    """Pictures that are flat, with the numbers of a class behind, as pictures with a constant map a class."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Float[Tensor, "rows numbers"]) -> Float[Tensor, "rows maps height width"]:
        channels, height, width = self.shape
        pixels = channels * height * width
        told = x[:, pixels:, None, None].expand(-1, -1, height, width)
        return torch.cat([x[:, :pixels].reshape(-1, *self.shape), told], dim=1)

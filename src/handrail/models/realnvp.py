"""The normalising flow RealNVP: an exact density, by a map from rows to normal numbers that can be undone."""

import math
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Activation, Count
from handrail.errors import RecipeError
from handrail.layers.coding import dense_layers
from handrail.layers.real_rows import refuse_other_kinds
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, NoTarget, SeriesShape, VolumeShape, numbers_in

Rows = Float[Tensor, "rows width"]
_BEGINNING = 0.01  # of the usual first weights, so that a coupling begins near the identity
_FEWEST = 2  # numbers in a row: each half of them moves the other


class Coupling(nn.Module):
    """y = x where the mask is 1, else y = x·exp(s) + t, with s and t by a network of the masked numbers.

    Only s is bounded, by a tanh whose size is learned for each number. It begins near the identity.

    Source: Dinh, Sohl-Dickstein & Bengio 2017
    """

    mask: Tensor

    def __init__(self, mask: Float[Tensor, " width"], hidden: list[int], activation: object) -> None:
        super().__init__()
        self.register_buffer("mask", mask)
        width = len(mask)
        layers = dense_layers([width, *hidden, 2 * width], activation)
        last = layers[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            last.weight.mul_(_BEGINNING)
            last.bias.zero_()
        self.network = nn.Sequential(*layers)
        self.size = nn.Parameter(torch.ones(width))

    def _moves(self, x: Rows) -> tuple[Rows, Rows]:
        scale, shift = self.network(x * self.mask).chunk(2, dim=1)
        moved = 1 - self.mask
        return self.size * scale.tanh() * moved, shift * moved

    def forward(self, x: Rows) -> tuple[Rows, Float[Tensor, " rows"]]:
        """y, and log |∂y/∂x|."""
        scale, shift = self._moves(x)
        return x * scale.exp() + shift, scale.sum(dim=1)

    def undo(self, y: Rows) -> Rows:
        """x of y."""
        scale, shift = self._moves(y)
        return (y - shift) * (-scale).exp()


@component("model", name="realnvp")
class RealNVP(nn.Module):
    """log p(x) = log N(f(x); 0, I) + log |∂f/∂x|, with f a chain of couplings that move half of the numbers
    each, by what the other half says; the halves take turns. The density is exact, in nats.

    Arguments:
        inputs: real numbers; images, series and volumes are flattened.
        couplings: how many.
        hidden: units of each hidden layer of a coupling's network.
        activation: of these.

    Raises: `RecipeError` for fewer than two numbers a row, and for columns of zeros and ones, categories and
    gaps, which have no density of this kind.

    Source: Dinh, Sohl-Dickstein & Bengio 2017
    """

    alone: ClassVar[Alone] = Alone("density", epochs=200, patience=20)
    rules: ClassVar[tuple[str, ...]] = ("gradient",)
    visible: ClassVar[str] = "gaussian"
    told: ClassVar[str] = "exact: the map to normal numbers can be undone"

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        couplings: Count = 6,
        hidden: list[Count] = [64, 64],  # noqa: B006 - never changed; shown as the default
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        self.width = numbers_in(inputs)
        if self.width < _FEWEST:
            found = f"found {self.width} number a row, expected two or more; use another."
            raise RecipeError(f"model.realnvp: {found}")
        refuse_other_kinds("realnvp", inputs)
        turns = torch.arange(self.width) % 2
        masks = [(turns if turn % 2 else 1 - turns).float() for turn in range(couplings)]
        self.couplings = nn.ModuleList([Coupling(mask, hidden, activation) for mask in masks])

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows 1"]:
        return self.score(x).unsqueeze(1)

    def settle(self) -> None:
        """Nothing has to be found: the density is exact."""

    def score(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, " rows"]:
        """log p(x) in nats."""
        code, gain = self._through(x.flatten(1))
        return gain - code.square().sum(dim=1) / 2 - self.width * math.log(2 * math.pi) / 2

    def _through(self, x: Rows) -> tuple[Rows, Float[Tensor, " rows"]]:
        gain = x.new_zeros(len(x))
        for coupling in self.couplings:
            x, more = coupling(x)
            gain = gain + more
        return x, gain

    def encode(self, x: Float[Tensor, "rows ..."]) -> Rows:
        """f(x): as many numbers as the row has."""
        return self._through(x.flatten(1))[0]

    def decode(self, code: Rows) -> Rows:
        """The row of each code."""
        for coupling in reversed([*self.couplings]):
            assert isinstance(coupling, Coupling)
            code = coupling.undo(code)
        return code

    def generate(self, rows: int, *, steps: int = 0, means: bool = False, generator: torch.Generator) -> Rows:
        """Rows of normal numbers that are drawn; `means` makes no difference, as nothing else is."""
        code = torch.randn(rows, self.width, generator=generator)
        return self.decode(code.to(next(self.parameters())))

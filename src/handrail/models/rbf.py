"""The radial basis network."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, Initialisation, Positive
from handrail.layers.initialisations import initialise
from handrail.shapes import ImageShape, SeriesShape, VolumeShape, numbers_in

Basis = Literal["gaussian", "multiquadric", "inverse_multiquadric", "thin_plate"]
_NEIGHBOURS = 2  # Moody & Darken's


class RadialUnits(nn.Module):
    """φ(r) with r = ‖x − c‖/σ, for the centre c and the width σ of each unit: [rows, inputs] ↦ [rows, units].

    Centres begin as draws of N(0, 1), as inputs are standardised. σ is the root mean square of a centre's
    distances to the two nearest others, unless it is given. Both are parameters, σ by its logarithm.

    Arguments:
        basis: gaussian e^(−r²/2), multiquadric √(1 + r²), inverse_multiquadric 1/√(1 + r²) or thin_plate
            r²·log r.
        width: σ of all units.

    Source: Broomhead & Lowe 1988; widths: Moody & Darken 1989
    """

    def __init__(self, inputs: int, units: int, *, basis: Basis, width: float | None) -> None:
        super().__init__()
        self.basis, self.width = basis, width
        self.centres = nn.Parameter(torch.randn(units, inputs))
        self.log_widths = nn.Parameter(torch.zeros(units))
        self._set_widths()

    @torch.no_grad()
    def place(self, centres: Float[Tensor, "units inputs"]) -> None:
        """Move the centres, and with them the widths that follow from them."""
        self.centres.copy_(centres)
        self._set_widths()

    @torch.no_grad()
    def _set_widths(self) -> None:
        if self.width is not None:
            self.log_widths.fill_(math.log(self.width))
            return
        units, inputs = self.centres.shape
        if units == 1:
            self.log_widths.fill_(math.log(inputs) / 2)  # of standardised rows, from their mean
            return
        distances = torch.cdist(self.centres, self.centres, compute_mode="donot_use_mm_for_euclid_dist")
        distances.fill_diagonal_(torch.inf)
        near = distances.topk(min(_NEIGHBOURS, units - 1), largest=False).values
        self.log_widths.copy_(near.square().mean(dim=1).sqrt().clamp_min(1e-6).log())

    def forward(self, x: Float[Tensor, "rows inputs"]) -> Float[Tensor, "rows units"]:
        lengths = self.centres.square().sum(dim=1)
        products = torch.addmm(lengths, x, self.centres.T, alpha=-2)
        squares = (products + x.square().sum(dim=1, keepdim=True)).clamp_min(0)
        squares = squares * (-2 * self.log_widths).exp()
        if self.basis == "gaussian":
            return (-squares / 2).exp()
        if self.basis == "thin_plate":
            squares = squares.clamp_min(1e-12)  # 0·log 0 is 0, its derivative no number
            return squares * squares.log() / 2
        return (1 + squares).sqrt() if self.basis == "multiquadric" else (1 + squares).rsqrt()

    def extra_repr(self) -> str:
        units, inputs = self.centres.shape
        return f"{inputs}, {units}, basis={self.basis}"


@component("model", name="rbf")
class RBF(nn.Module):
    """Radial basis network: y = Σₖ wₖ·φ(‖x − cₖ‖/σₖ) + b, or with local lines Σₖ (Aₖ·x + wₖ)·φ(…) + b.

    It learns in both ways. `least_squares` places the centres by k-means in a first epoch and solves for w, A
    and b in a second. `gradient` changes everything, centres and widths included. They begin as draws of
    N(0, 1), so inputs should be standardised, or where `transfer.start` names a run that placed them. A
    penalty on weights, or weight decay, draws centres towards 0 too.

    Arguments:
        inputs: images, series and volumes are flattened.
        units: radial units, each with a centre.
        basis: φ; see `RadialUnits`.
        width: σ of all units; where not given, by the distances to the two nearest centres.
        local_linear: a line around each centre in place of a constant.
        initialisation: how w and A begin.

    Source: Broomhead & Lowe 1988; widths: Moody & Darken 1989
    """

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: int,
        *,
        units: Count = 100,
        basis: Basis = "gaussian",
        width: Positive | None = None,
        local_linear: bool = False,
        initialisation: Initialisation = "xavier",
    ) -> None:
        super().__init__()
        numbers = numbers_in(inputs)
        self.local_linear = local_linear
        self.units = RadialUnits(numbers, units, basis=basis, width=width)
        self.head = nn.Linear(units * (1 + numbers) if local_linear else units, outputs)
        initialise(self, initialisation)

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows outputs"]:
        x = x.flatten(1)
        radial = self.units(x)
        if not self.local_linear:
            return self.head(radial)
        lines = radial.unsqueeze(2) * x.unsqueeze(1)  # [rows, units, inputs]
        return self.head(torch.cat([radial, lines.flatten(1)], dim=1))

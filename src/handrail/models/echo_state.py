"""The echo state network: a reservoir that is never taught, and a linear readout of its state."""

import functools
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, NonNegative, Share
from handrail.components.pictures import Lines, Picture, Points
from handrail.layers.reservoir import Reservoir
from handrail.shapes import InputShape, SeriesShape

Carried = tuple[Float[Tensor, "units rows"], Float[Tensor, "rows channels"]]

_FORGOTTEN = 1e-3
_ROWS_AT_ONCE = 4096
_SHOWN = 8  # units
_CIRCLE = 200  # points


@component("model")
class EchoState(nn.Module):
    """ŷ = V·[x; u] + c, for the state x of a reservoir after a series and the last input u.

    The reservoir (`handrail.layers.reservoir`) is drawn once and stays as it is; V and c are learned, in one
    pass over the rows: usually by `least_squares` with a ridge that is chosen on validation rows. States and
    readout have double precision.

    Arguments:
        inputs: channels and length.
        units: of the reservoir.
        spectral_radius: of the connections among units, scaled before leaking; the nearer to 1, the longer
            they remember.
        leak: how much of a unit's state is new at each step.
        input_scale, bias_scale: the largest weight from an input, and the largest bias.
        degree: how many others each unit hears.
        summary: what is read: the state after the last step, or the mean over all.

    Raises: `RecipeError` for states that do not forget how they began.

    Source: Jaeger 2001
    """

    rules: ClassVar[tuple[str, ...]] = ("least_squares", "gradient")
    usual: ClassVar[Any] = {"least_squares": {"ridge": "auto"}}

    def __init__(
        self,
        inputs: SeriesShape,
        outputs: int,
        *,
        units: Count = 500,
        spectral_radius: NonNegative = 0.9,
        leak: Share = 0.5,
        input_scale: NonNegative = 0.2,
        bias_scale: NonNegative = 0.2,
        degree: Count = 10,
        summary: Literal["last", "mean"] = "last",
    ) -> None:
        super().__init__()
        self.reservoir = Reservoir(
            inputs.channels,
            units,
            spectral_radius=spectral_radius,
            leak=leak,
            input_scale=input_scale,
            bias_scale=bias_scale,
            degree=degree,
        )
        self.summary, self.length = summary, inputs.length
        self.head = nn.Linear(units + inputs.channels, outputs, dtype=torch.float64)

    def forward(self, x: Float[Tensor, "rows channels length"]) -> Float[Tensor, "rows outputs"]:
        some = [self.features(rows) for rows in x.split(_ROWS_AT_ONCE)]
        return self.head(torch.cat(some) if len(some) > 1 else some[0]).to(x.dtype)

    def features(self, x: Float[Tensor, "rows channels length"]) -> Float[Tensor, "rows features"]:
        """What the readout is given: states, then inputs."""
        if self.summary == "last":
            return torch.cat([self.reservoir(x).T, x[:, :, -1].double()], dim=1)
        total = functools.reduce(torch.add, self.reservoir.states(x))
        return torch.cat([total.T / x.shape[2], x.double().mean(dim=2)], dim=1)

    @functools.cached_property
    def carries(self) -> bool:
        """Whether a state after a series is as it would be after a longer one, so that it can go on from it.

        That is, whether nothing that came before is remembered beyond 10⁻³; see `handrail.tasks.dynamics`.
        """
        return self.summary == "last" and self.reservoir.remembers(self.length) < _FORGOTTEN

    def begin(self, x: Float[Tensor, "rows channels length"]) -> Carried:
        """The state after a series, and its last input."""
        return self.reservoir(x), x[:, :, -1]

    def go_on(self, state: Carried, x: Float[Tensor, "rows channels steps"]) -> Carried:
        """As `begin`, after further steps."""
        return self.reservoir(x, state[0]), x[:, :, -1]

    def read(self, state: Carried) -> Float[Tensor, "rows outputs"]:
        """Scores of a state."""
        units, last = state
        return self.head(torch.cat([units.T, last.double()], dim=1)).to(last.dtype)

    def pictures(self, shape: InputShape) -> Sequence[Picture]:
        """The eigenvalues of the connections."""
        found = self.reservoir.eigenvalues()
        angle = np.linspace(0, 2 * np.pi, _CIRCLE)
        both = np.concatenate([found, np.exp(1j * angle)])
        places = np.stack([np.real(both), np.imag(both)], axis=1)
        groups = np.repeat([0, 1], [len(found), _CIRCLE])
        largest = float(np.abs(found).max())
        note = f"Of the connections among units; the largest has the size {largest:.4g}."
        names, axes = ("eigenvalue", "size 1"), ("real part", "imaginary part")
        return [Points("Spectrum of the reservoir", places, groups, names, note=note, axes=axes)]

    @torch.no_grad()
    def activity(self, x: Float[Tensor, "rows channels length"]) -> Sequence[Picture]:
        """The states of some units over the first row."""
        states = [state[:_SHOWN, 0] for state in self.reservoir.states(x[:1])]
        curves = torch.stack(states, dim=1).cpu().numpy()
        named = {f"unit {number}": curve for number, curve in enumerate(curves, start=1)}
        note = f"{len(curves)} of {self.reservoir.units:,} units, from rest, while the first row is read."
        steps = np.arange(1, x.shape[2] + 1, dtype=np.float64)
        return [Lines("States of the reservoir", steps, named, note=note, axes=("step", "state"))]

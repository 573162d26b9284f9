"""The liquid state machine: spiking units that never learn, and a readout of their rates."""

from collections.abc import Sequence
from itertools import islice, pairwise
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, NonNegative, Positive
from handrail.components.pictures import Picture, Tiles
from handrail.errors import RecipeError
from handrail.layers.liquid import Liquid
from handrail.shapes import ImageShape, SeriesShape
from handrail.tools.words import plural

_ROWS_AT_ONCE = 256
_SHOWN = 100  # units


@component("model")
class LiquidState(nn.Module):
    """V·r + c, where r holds the share of steps in which each unit of a liquid spikes, part by part of time.

    The liquid (`handrail.layers.liquid`) is drawn once and stays as it is; V and c are learned: in one pass
    by `least_squares`, or by `gradient`. What its units do hangs on what came after what in the inputs, which
    no linear readout of the inputs themselves can tell wherever it happens.

    Arguments:
        inputs: series; or pictures, read from left to right, a column of pixels a step, as sounds are.
        units: of the liquid.
        parts: stretches of time of equal length, of each of which the readout is given the rates.
        membrane: steps in which a potential falls to 1/e.
        input_scale: the standard deviation of the input currents for standardised inputs, in thresholds.
        weight: the mean size of the weights from excitatory units, in thresholds.
        inhibition: how much larger those from inhibitory units are.
        background: what the potentials of units without input come to rest at; below 1 they are silent.

    Raises: `RecipeError` for more parts than there are steps.

    Source: Maass, Natschläger & Markram 2002
    """

    rules: ClassVar[tuple[str, ...]] = ("least_squares", "gradient")
    usual: ClassVar[Any] = {"least_squares": {"ridge": "auto"}}
    smooth: ClassVar[bool] = False
    "Smooth: an answer has a derivative by the inputs. Spikes have none."

    def __init__(
        self,
        inputs: SeriesShape | ImageShape,
        outputs: int,
        *,
        units: Count = 500,
        parts: Count = 4,
        membrane: Positive = 10.0,
        input_scale: NonNegative = 4.0,
        weight: NonNegative = 0.1,
        inhibition: NonNegative = 2.0,
        background: NonNegative = 0.9,
    ) -> None:
        super().__init__()
        channels, steps = _read_as(inputs)
        if parts > steps:
            expected = f"expected {steps} or fewer: the inputs have {plural(steps, 'step')}."
            raise RecipeError(f"model.liquid_state.parts: found {parts}, {expected}")
        self.liquid = Liquid(
            channels,
            units,
            membrane=membrane,
            input_scale=input_scale,
            weight=weight,
            inhibition=inhibition,
            background=background,
        )
        bounds = [round(steps * part / parts) for part in range(parts + 1)]
        self.lengths = [end - start for start, end in pairwise(bounds)]
        self.head = nn.Linear(parts * units, outputs)

    def forward(
        self, x: Float[Tensor, "rows channels steps"] | Float[Tensor, "rows channels height steps"]
    ) -> Float[Tensor, "rows outputs"]:
        return self.head(torch.cat([self.rates(some) for some in x.split(_ROWS_AT_ONCE)]))

    def rates(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows features"]:
        """The share of the steps of each part in which each unit spikes: part by part, unit by unit."""
        spikes = self.liquid.spikes(_in_time(x))
        none = torch.zeros(())
        parts = [sum(islice(spikes, steps), start=none) / steps for steps in self.lengths]
        return torch.cat(parts).T

    @torch.no_grad()
    def activity(self, x: Float[Tensor, "rows ..."]) -> Sequence[Picture]:
        """The spikes of some units over the steps of each row."""
        spikes = torch.stack(list(self.liquid.spikes(_in_time(x)))).permute(2, 1, 0)
        units = spikes.shape[1]
        never = units - int(spikes.amax(dim=(0, 2)).sum())
        shown = torch.linspace(0, units - 1, min(units, _SHOWN), device=x.device).round().long()
        share = f"Units spike in {100 * float(spikes.mean()):.1f} % of the steps"
        note = (
            f"A picture a row of data: a line a unit, {len(shown)} of {units:,}, and a column a step, white "
            f"where it spikes. {share}; {never:,} never do in these rows."
        )
        return [Tiles("Spikes", spikes[:, shown].cpu().numpy(), note=note, columns=1)]


def _read_as(inputs: SeriesShape | ImageShape) -> tuple[int, int]:
    """Numbers of a step, and steps."""
    if isinstance(inputs, SeriesShape):
        return inputs.channels, inputs.length
    return inputs.channels * inputs.height, inputs.width


def _in_time(x: Tensor) -> Float[Tensor, "rows channels steps"]:
    return x.flatten(1, -2)

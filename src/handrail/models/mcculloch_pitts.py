"""Networks of McCulloch–Pitts neurons."""

from typing import Annotated, ClassVar, Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from handrail.components import component
from handrail.layers.threshold import ThresholdLayer

_MOST = 1024


@component("model", name="mcculloch_pitts")
class McCullochPitts(nn.Module):
    """McCulloch–Pitts neurons: each fires where Σ w·x ≥ θ; two layers of them compute any truth table.

    Nothing is trained: `learning: truth_table` sets weights and thresholds, or Python code does by hand. The
    score is +1 where an output fires, else −1.

    Arguments:
        hidden: units of the hidden layer, of which those that are not needed never fire; 0 for a single
            layer; `auto` is as many as any truth table needs (outputs · 2^(inputs − 1)), at most 1,024.

    Source: McCulloch & Pitts 1943
    """

    rules: ClassVar[tuple[str, ...]] = ("truth_table",)

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        hidden: Annotated[int, Field(ge=0, lt=2**20)] | Literal["auto"] = "auto",
    ) -> None:
        super().__init__()
        units = min(outputs * 2 ** (inputs - 1), _MOST) if hidden == "auto" else hidden
        self.hidden = ThresholdLayer(inputs, units) if units else nn.Identity()
        self.output = ThresholdLayer(units or inputs, outputs)

    def forward(self, x: Float[Tensor, "rows inputs"]) -> Float[Tensor, "rows outputs"]:
        return 2 * self.output(self.hidden(x)) - 1

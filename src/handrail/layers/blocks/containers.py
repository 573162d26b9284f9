"""Lists of layers as one layer."""

from typing import Annotated, Any

from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import Slot, component
from handrail.components.arguments import Count
from handrail.errors import RecipeError
from handrail.layers.blocks.stack import stack_layers
from handrail.shapes import ImageShape, InputShape, SeriesShape, VolumeShape, describe

Maps = SeriesShape | ImageShape | VolumeShape
Numbers = int | SeriesShape | ImageShape | VolumeShape
Layers = Annotated[Any, Slot("layer", many=True)]
_CONVOLUTIONS: dict[int, Any] = {2: nn.Conv1d, 3: nn.Conv2d, 4: nn.Conv3d}


class Residual(nn.Module):
    """y = F(x) + shortcut(x)."""

    def __init__(self, body: list[nn.Module], shortcut: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)
        self.shortcut = shortcut

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows ..."]:
        return self.body(x) + self.shortcut(x)


@component("layer")
def residual(inputs: Numbers, *, layers: Layers = ("relu",)) -> nn.Module:
    """A way around a list of layers: y = F(x) + x, or F(x) + W·x where they change channels or size.

    Arguments:
        layers: F, a list of layers and activations.

    Raises: `RecipeError` when a layer does not fit, or F gives a shape that cannot be added to x.

    Source: He et al. 2016 (Deep Residual Learning)
    """
    body, outputs = stack_layers(layers, inputs, where="residual.layers")
    return Residual(body, _shortcut(inputs, outputs))


def _shortcut(inputs: InputShape, outputs: InputShape) -> nn.Module:
    if inputs == outputs:
        return nn.Identity()
    if isinstance(inputs, int) and isinstance(outputs, int):
        return nn.Linear(inputs, outputs, bias=False)
    if type(inputs) is type(outputs) and isinstance(inputs, Maps) and isinstance(outputs, Maps):
        stride = -(-inputs[1] // outputs[1])
        if all(-(-before // stride) == after for before, after in zip(inputs[1:], outputs[1:], strict=True)):
            make = _CONVOLUTIONS[len(inputs)]
            return make(inputs[0], outputs[0], 1, stride=stride, bias=False)
    raise RecipeError(
        f"residual.layers: turn {describe(inputs)} into {describe(outputs)}, which cannot be added; "
        "expected the same size, such as by padding: same, or one divided by a stride."
    )


@component("layer")
def repeat(inputs: Numbers, *, times: Count = 2, layers: Layers = ("relu",)) -> nn.Module:
    """A list of layers several times in a row, each time with weights of its own.

    Arguments:
        times: how often.
        layers: a list of layers and activations.

    Raises: `RecipeError` when a layer does not fit.
    """
    modules: list[nn.Module] = []
    shape: InputShape = inputs
    for _ in range(times):
        added, shape = stack_layers(layers, shape, where="repeat.layers")
        modules += added
    return nn.Sequential(*modules)

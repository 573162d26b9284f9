"""Layers one after the other: built for the shape that the one before gives, with mistakes that say where."""

from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import Slot, build, component, find, is_object, parse
from handrail.components.arguments import Count
from handrail.errors import RecipeError
from handrail.layers.convolution import CONVOLUTIONS, activation_of_channels
from handrail.shapes import (
    ImageShape,
    InputShape,
    SeriesShape,
    TokenShape,
    VolumeShape,
    accepted_shapes,
    describe,
    shape_name,
)
from handrail.tools.words import list_some

Maps = SeriesShape | ImageShape | VolumeShape
Numbers = int | Maps
_NUMBERS_OR_MAPS = (int, SeriesShape, ImageShape, VolumeShape)
Layers = Annotated[Any, Slot("layer", many=True)]


def stack_layers(layers: list[Any], inputs: InputShape, *, where: str) -> tuple[list[nn.Module], InputShape]:
    """The modules of a list of layers or activations, and the shape that the last one gives.

    Arguments:
        layers: components of the kind `layer` or `activation`, or modules.
        inputs: the shape of the rows that the first one is given.
        where: what messages call the list.

    Raises: `RecipeError` at the first layer that does not fit the one before, with its place in the list.
    """
    modules: list[nn.Module] = []
    for index, spec in enumerate(layers):
        place = f"{where}[{index}]"
        try:
            modules.append(_build_layer(spec, inputs, place))
        except RecipeError as error:
            texts = [text if text.startswith(place) else f"{place}.{text}" for text in error.problems]
            raise RecipeError(texts) from error
        inputs = _measure(modules[-1], inputs, f"{place}: {_name(spec)} cannot take {describe(inputs)}")
    return modules, inputs


def _build_layer(spec: Any, inputs: InputShape, place: str) -> nn.Module:
    if is_object(spec):
        return build("layer", spec, inputs, where=place)
    name, _ = parse(spec, "layer")
    entry = find("layer", name)
    activation = entry.kind == "activation"
    kinds = _NUMBERS_OR_MAPS if activation else accepted_shapes(entry.target, "inputs")
    if not isinstance(inputs, kinds):
        needs = list_some([shape_name(kind) for kind in kinds], last=" or ")
        raise RecipeError(f"{place}: {name} needs {needs}, found {describe(inputs)}.{_hint(inputs, kinds)}")
    if activation:
        return activation_of_channels(spec, inputs if isinstance(inputs, int) else inputs[0])
    return build("layer", spec, inputs, where=place)


def _hint(inputs: InputShape, kinds: tuple[type, ...]) -> str:
    if isinstance(inputs, TokenShape) and SeriesShape in kinds:
        return " Put embedding before it."
    return " Put flatten or global_pool before it." if not isinstance(inputs, int) and int in kinds else ""


@torch.no_grad()
def _measure(module: nn.Module, inputs: InputShape, failure: str) -> InputShape:
    """The shape that a layer gives, seen from two rows of zeros."""
    sizes = (inputs,) if isinstance(inputs, int) else inputs
    rows = (
        torch.ones(2, inputs.length, dtype=torch.long)
        if isinstance(inputs, TokenShape)
        else torch.zeros(2, *sizes)
    )
    try:
        outputs = module.eval()(rows)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise RecipeError(f"{failure}: {error}") from error
    finally:
        module.train()
    if not isinstance(outputs, Tensor) or outputs.ndim not in (2, 3, 4, 5) or len(outputs) != 2:
        raise RecipeError(f"{failure}: expected one tensor with a row for each row.")
    sizes = tuple(outputs.shape[1:])
    return sizes[0] if len(sizes) == 1 else (SeriesShape, ImageShape, VolumeShape)[len(sizes) - 2](*sizes)


def _name(spec: Any) -> str:
    return type(spec).__name__ if is_object(spec) else parse(spec, "layer")[0]


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
            make = CONVOLUTIONS[len(inputs) - 1]
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

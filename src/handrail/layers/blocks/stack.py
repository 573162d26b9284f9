"""Layers one after the other: built for the shape that the one before gives, with mistakes that say where."""

from typing import Any

import torch
from torch import Tensor, nn

from handrail.components import build, find, is_object, parse
from handrail.errors import RecipeError
from handrail.layers.convolution import activation_of_channels
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

_NUMBERS_OR_MAPS = (int, SeriesShape, ImageShape, VolumeShape)


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
            raise RecipeError(
                text if text.startswith(place) else f"{place}.{text}" for text in error.problems
            ) from error
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

"""What a layer costs by the size of its picture: parameters and products."""

from typing import Annotated

from pydantic import Field

from handrail.components import component
from handrail.components.arguments import Count
from handrail.traces.given import Given, refuse_given
from handrail.traces.steps import Value, steps_of
from handrail.traces.trace import Trace

Some = Annotated[list[Count], Field(min_length=1)]
_TIMES = ("parameters, times as many", "products, times as many")


@component("trace")
def parameters(
    given: Given | None,
    *,
    sides: Some = [28, 224],  # noqa: B006 - never changed; shown as the default
    channels: Some = [1, 3],  # noqa: B006
    units: Count = 100,
    maps: Count = 8,
    kernel: Count = 3,
) -> Trace:
    """Fully connected: (side²·channels + 1)·units parameters; convolution: (kernel²·channels + 1)·maps.

    A unit that sees the whole picture has a weight for each number of it; a map has one small kernel, which
    it uses at every place.

    Arguments:
        sides: of square pictures, in pixels.
        channels: 1 for grey, 3 for colours.
        units: of the fully connected layer.
        maps: of the convolution, each as large as the picture, which is padded.
        kernel: side of its kernels.

    Source: LeCun et al. 1989; Goodfellow, Bengio & Courville 2016 (sparse connectivity, parameter sharing)
    """
    refuse_given(given, "parameters")
    shapes = [(side, depth) for side in sides for depth in channels]
    dense, shared, both = [], [], []
    for side, depth in shapes:
        numbers, seen = side * side * depth, kernel * kernel * depth
        line: dict[str, Value] = {"side": side, "channels": depth}
        full = {"parameters": (numbers + 1) * units, "products": numbers * units}
        few = {"parameters": (seen + 1) * maps, "products": seen * maps * side * side}
        dense.append({**line, "numbers": numbers, **full})
        shared.append({**line, "a window sees": seen, **few})
        both.append(line | dict(zip(_TIMES, (full[name] / few[name] for name in full), strict=True)))
    tables = (
        steps_of(
            f"Fully connected, {units:,} units",
            dense,
            answers=("numbers", "parameters", "products"),
            formula="parameters = (numbers + 1)·units    products = numbers·units",
            note="Each unit has a weight for each number of the picture, and a bias.",
        ),
        steps_of(
            f"Convolution, {maps:,} maps, {kernel}×{kernel}",
            shared,
            answers=("a window sees", "parameters", "products"),
            formula="parameters = (kernel²·channels + 1)·maps    products = kernel²·channels·maps·side²",
            note="The side of the picture is nowhere in its parameters: kernels are shared by all places.",
        ),
        steps_of(
            "Fully connected against convolution",
            both,
            answers=_TIMES,
            note="A map gives side² numbers where a unit gives one; the products are of the whole layers.",
        ),
    )
    subject = f"{units:,} units against {maps:,} maps of {kernel}×{kernel}"
    return Trace("Parameters by picture side", subject, tables, "LeCun et al. 1989")

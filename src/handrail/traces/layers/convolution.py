"""Convolution: a kernel slides over a picture, window by window."""

from typing import Annotated, Any

from pydantic import Field
from torch import nn

from handrail.components import component
from handrail.components.arguments import Count, Finite
from handrail.errors import DataError, did_you_mean
from handrail.tools.files import expand_user
from handrail.traces.given import Given
from handrail.traces.layers.numbers import Picture, Written, gradient_of, picture_of
from handrail.traces.layers.windows.examples import EXAMPLES, KERNELS, Example
from handrail.traces.layers.windows.sliding import Sliding, sliding_of
from handrail.traces.layers.windows.tables import back, drawn, left_out, whole, window_by_window
from handrail.traces.reached import first_reached, plain, refuse_with_run
from handrail.traces.trace import Trace

_FLIP = (
    "The formula of lecture 000 turns the kernel around, both ways, which is what mathematics calls a "
    "convolution; its numbers, and every library of networks, lay the kernel on the window as it stands, a "
    "cross-correlation. Where the kernel is learned, both learn the same. Which it is here: flip."
)


@component("trace")
def convolution(
    given: Given | None,
    *,
    example: Example = "A",
    picture: Written | None = None,
    kernel: Written | None = None,
    bias: Finite | None = None,
    padding: Annotated[int, Field(ge=0)] | None = None,
    stride: Count | None = None,
    dilation: Count | None = None,
    flip: bool = False,
    backward: bool = False,
    gradient: Written | None = None,
    output_map: Annotated[int, Field(ge=0)] = 0,
    windows: Count = 9,
) -> Trace:
    """y(i, j) = Σ over channels, m and n of I(s·i + m, s·j + n) · K(m, n) + b, with the stride s.

    Back, each window tells the kernel what it saw: ∂L/∂K = Σ of ∂L/∂y(i, j) · window(i, j).

    Of a run the first convolution of its network is followed, on the row's picture or series.

    Arguments:
        example: of the lectures; what follows replaces parts of it.
        picture: rows of numbers, channels of rows, one row, or a file of rows with commas (CSV).
        kernel: `sobel_rows`, `sobel_columns`, or numbers in the same forms.
        bias: b.
        padding: zeros on each side; of a single row to its left and right alone.
        stride: s, from one window to the next.
        dilation: from one number of a window to the next.
        flip: turn the kernel around, as the formula of 000 does.
        backward: the way back, too.
        gradient: ∂L/∂y at each place of the map, in the same forms; by default 1, as for L = Σ y.
        output_map: which map of a run's convolution, from 0.
        windows: lines to be shown at most.

    Raises: `DataError` for a kernel that does not fit the picture, numbers that make no picture, a network
        without a convolution, and settings without effect.

    Source: LeCun et al. 1989
    """
    if gradient is not None and not backward:
        raise DataError("gradient: without effect where backward is not asked for; set backward=true.")
    own = {"picture": picture, "kernel": kernel, "bias": bias, "padding": padding, "stride": stride}
    own["dilation"] = dilation
    if given is None:
        subject, laid = _example(example, own)
        if output_map:
            raise DataError("output_map: chooses a map of a run's network; the example has one.")
    else:
        refuse_with_run(own)
        subject, laid = _followed(given, output_map)
    used = laid.flipped if flip else laid
    steps = [window_by_window(used, windows), *whole(laid, flip, windows)]
    if backward:
        steps += back(used, flip, gradient_of(gradient, used.map.shape), windows)
    remarks = (_FLIP, *left_out(used))
    return Trace("Convolution", subject, tuple(steps), "LeCun et al. 1989", drawn(used), remarks)


def _example(name: Example, own: dict[str, Any]) -> tuple[str, Sliding]:
    """The lectures' figure, with the parts that were given in its place."""
    worked = EXAMPLES[name]
    picture, kernel = own["picture"], own["kernel"]
    image = worked.picture if picture is None else picture_of(picture, "picture")
    laid = worked.kernel if kernel is None else _kernel(kernel)
    padding = worked.padding if own["padding"] is None else own["padding"]
    stride, dilation = own["stride"] or worked.stride, own["dilation"] or 1
    is_row = image.shape[1] == laid.shape[1] == 1  # there is no way down
    frame = ((0, 0) if is_row else (padding, padding), (padding, padding))
    bias = worked.bias if own["bias"] is None else own["bias"]
    subject = worked.subject if picture is None else f"a picture of {image.shape[1]}×{image.shape[2]} numbers"
    return subject, Sliding(image, laid, bias, frame, (stride, stride), (dilation, dilation))


def _kernel(written: Written) -> Picture:
    if not isinstance(written, str):
        return picture_of(written, "kernel")
    if written not in KERNELS and not expand_user(written).is_file():
        hint = did_you_mean(written, KERNELS)
        raise DataError(f"kernel: found '{written}', which is no kernel and no file of numbers.{hint}")
    return KERNELS[written] if written in KERNELS else picture_of(written, "kernel")


def _followed(given: Given, output: int) -> tuple[str, Sliding]:
    kinds: Any = nn.Conv1d | nn.Conv2d
    layer, (x, *_) = first_reached(given, kinds, what="convolution of pictures or series")
    seen = plain(x)[0]
    sliding = sliding_of(layer, seen.reshape(len(seen), -1, seen.shape[-1]), output)
    return f"map {output} of the first convolution, {given.subject}", sliding

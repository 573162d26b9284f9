"""Pooling: one number for each window of a picture, and the way back to where it came from."""

from typing import Literal

import numpy as np

from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Tiles
from handrail.errors import DataError
from handrail.layers.pooling import Pool
from handrail.traces.given import Given
from handrail.traces.layers.numbers import Picture, Written, gradient_of, picture_of
from handrail.traces.layers.windows.pooled import Place, Pooled
from handrail.traces.layers.windows.portrait import PORTRAIT
from handrail.traces.layers.windows.shifts import moved_maps, unchanged_shares
from handrail.traces.layers.windows.tables import TOO_LARGE, compact, cut, fits
from handrail.traces.reached import first_reached, plain, refuse_with_run
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.trace import Trace

Kind = Literal["max", "average"]
_EXAMPLES: dict[str, tuple[str, Picture]] = {
    "F": ("example F, lecture 004", np.array([[[6.0, 4, -7, 6], [-7, 5, 8, -2]]])),
    "picture": ("the picture of numbers in lecture 000", PORTRAIT[None]),
}
_REMARK = (
    "Lectures 000 and 004 call pooling invariant to small shifts, 002 calls convolution invariant to all. "
    "Convolution moves along with what it sees (it is equivariant), except at the border; pooling hides "
    "small moves alone: the further things move, the fewer of its numbers stay."
)


@component("trace")
def pooling(
    given: Given | None,
    *,
    example: Literal["F", "picture"] = "F",
    picture: Written | None = None,
    kind: Kind | None = None,
    window: Count | None = None,
    stride: Count | None = None,
    gradient: Written | None = None,
    channel: int = 0,
    windows: Count = 9,
) -> Trace:
    """y = the largest number of each window, or their mean; back, ∂L/∂y goes to where y came from.

    The largest number receives all of ∂L/∂y, the first of equal ones; of a mean each number receives its
    share. What a number receives from several windows is added up. Windows are cut at the far border.

    Of a run the first pooling of its network is followed, on the row's picture or series.

    Arguments:
        example: of the lectures.
        picture: other numbers: rows, channels of rows, one row, or a file of rows with commas (CSV).
        kind: `max` (without a value) or `average`.
        window: side of a window, in numbers; without a value 2.
        stride: from one window to the next; without a value the side of a window.
        gradient: ∂L/∂y for each window, in the forms of `picture`; by default 1, as for L = Σ y.
        channel: which one is followed, from 0.
        windows: lines to be shown at most.

    Raises: `DataError` for numbers that make no picture, a channel that there is not, a gradient of another
        size, a network without pooling, and settings without effect.

    Source: Fukushima 1980; LeCun et al. 1998
    """
    if given is None:
        subject, image = _EXAMPLES[example]
        if picture is not None:
            image = picture_of(picture, "picture")
            subject = f"a picture of {image.shape[1]}×{image.shape[2]} numbers"
        kind, window = kind or "max", window or 2
        step = stride or window
        sides = (window, window), (step, step)
    else:
        refuse_with_run({"picture": picture, "kind": kind, "window": window, "stride": stride})
        subject, kind, image, sides = _followed(given)
    if not 0 <= channel < len(image):
        raise DataError(f"channel: found {channel}, expected a number from 0 to {len(image) - 1}.")
    pooled = Pooled(image[channel], kind, *sides)
    slopes = gradient_of(gradient, pooled.map.shape)
    title = "Max pooling" if kind == "max" else "Average pooling"
    tables = (
        _window_by_window(pooled, slopes, windows),
        *_whole(pooled, slopes),
        unchanged_shares(pooled),
        moved_maps(),
    )
    return Trace(title, subject, tables, "Fukushima 1980; LeCun et al. 1998", _drawn(pooled), (_REMARK,))


def _followed(given: Given) -> tuple[str, Kind, Picture, tuple[Place, Place]]:
    """The row's picture as it reaches the first pooling, with its kind, window and stride."""
    pool, (x, *_) = first_reached(given, Pool, what="pooling by the largest or the mean, without padding,")
    seen = plain(x)[0]
    if seen.ndim > 3:
        raise DataError("run: its first pooling is of volumes, expected pictures or series.")
    image = seen.reshape(len(seen), -1, seen.shape[-1])
    flat = seen.ndim == 2  # a series has no way down
    sides = (1 if flat else pool.window, pool.window), (1 if flat else pool.stride, pool.stride)
    kind: Kind = "max" if pool.kind == "max" else "average"
    return f"the first pooling, {given.subject}", kind, image, sides


def _window_by_window(pooled: Pooled, gradient: np.ndarray, most: int) -> Steps:
    map_, lines = pooled.map, []
    for place, seen in list(pooled.windows())[:most]:
        slope = float(gradient[place])
        line: dict[str, Value] = {"place": np.array(place), "window": compact(pooled.picture[seen])}
        line |= {"y": float(map_[place]), "∂L/∂y": slope}
        lines.append({**line, "∂L/∂window": compact(slope * pooled.shares(seen))})
    down, across = pooled.window
    every = max(pooled.stride)
    large = "" if fits(pooled.picture) else TOO_LARGE
    of_kind = {
        "max": "y = max(window)    ∂y/∂x = 1 where the largest number stands, else 0",
        "average": "y = mean(window)    ∂y/∂x = 1/n for each of its n numbers",
    }
    return steps_of(
        "Window by window",
        lines,
        answers=("y", "∂L/∂window"),
        formula=of_kind[pooled.kind],
        note=f"Windows of {down}×{across}, one every {every} numbers."
        + cut(len(lines), gradient.size)
        + large,
    )


def _whole(pooled: Pooled, gradient: np.ndarray) -> list[Steps]:
    """Picture and map, and their gradients, unless they are too large."""
    x, y, slopes, back = map(compact, (pooled.picture, pooled.map, gradient, pooled.back(gradient)))
    there = steps_of("There", [{"x": x, "y": y}], answers=("y",))
    formula = "∂L/∂x = Σ over the windows that see x"
    lines = [{"∂L/∂y": slopes, "∂L/∂x": back}]
    and_back = steps_of("And back", lines, answers=("∂L/∂x",), formula=formula)
    return ([there] if fits(x, y) else []) + ([and_back] if fits(slopes, back) else [])


def _drawn(pooled: Pooled) -> tuple[Tiles, ...]:
    return Tiles("The picture", pooled.picture[None]), Tiles("Its map", pooled.map[None])

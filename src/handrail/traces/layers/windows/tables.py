"""A sliding kernel as tables and pictures: each window, the whole map, and the way back."""

import numpy as np

from handrail.components.pictures import Tiles
from handrail.traces.layers.windows.sliding import Map, Sliding
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.text import matrix_text, number_text

_WIDEST, _TALLEST = 110, 60  # characters and lines of numbers in a table
_WIDE_WINDOWS = 150  # characters of three windows beside each other
_WINDOWS_TOO_LARGE = " Windows are too large for a table; their sums alone are shown."
TOO_LARGE = " The whole picture is too large for a table; a worksheet shows it and its map (-o NAME.html)."


def window_by_window(used: Sliding, most: int) -> Steps:
    """What the kernel sees and makes of it, for the first windows in reading order."""
    seen, lines = used.windows, []
    readable = _windows_fit(used)
    for place in list(np.ndindex(seen.shape[:2]))[:most]:
        products = seen[place] * used.kernel
        sums = products.sum(axis=(1, 2))
        line: dict[str, Value] = {"place": np.array(place)}
        if readable:
            line |= {
                "window": compact(seen[place]),
                "K": compact(used.kernel),
                "window · K": compact(products),
            }
        if len(sums) > 1:
            line["Σ of each channel"] = sums
        lines.append({**line, "y": float(sums.sum()) + used.bias})
    bias = f" + b, b = {number_text(used.bias)}" if used.bias else ""
    note = _way(used) + cut(len(lines), used.map.size)
    return steps_of(
        "Window by window",
        lines,
        answers=("window · K", "Σ of each channel", "y"),
        formula=f"y = Σ window · K{bias}    number on number",
        note=note + ("" if readable else _WINDOWS_TOO_LARGE) + ("" if fits(used.framed) else TOO_LARGE),
    )


def whole(laid: Sliding, flip: bool, most: int) -> list[Steps]:
    """Picture and map, unless they are too wide; by both readings of the formula where the map is small."""
    if not fits(laid.framed):
        return []
    readings = [flip] if laid.map.size > most else [flip, not flip]
    lines: list[dict[str, Value]] = []
    for flipped in readings:
        used = laid.flipped if flipped else laid
        lines.append({"flip": flipped, "K": compact(used.kernel), "I ∗ K": compact(used.map)})
    note = "K is shown as it is laid on the windows."
    both = " The second line is the other reading of ∗." if len(readings) > 1 else ""
    padded = "With its padding." if laid.framed.size > laid.picture.size else ""
    return [
        steps_of("The whole picture", [{"I": compact(laid.framed)}], note=padded),
        steps_of("The whole map", lines, answers=("I ∗ K",), note=note + both),
    ]


def back(used: Sliding, flip: bool, gradient: Map, most: int) -> list[Steps]:
    """What each window adds to the kernel's gradient, and all gradients in the end."""
    seen, total = used.windows, np.zeros(used.kernel.shape)
    lines: list[dict[str, Value]] = []
    readable = _windows_fit(used)
    for place in list(np.ndindex(gradient.shape))[:most]:
        added = gradient[place] * seen[place]
        total = total + added
        line: dict[str, Value] = {"place": np.array(place), "∂L/∂y": float(gradient[place])}
        if readable:
            line |= {"window": compact(seen[place]), "∂L/∂y · window": compact(added)}
            line["Σ so far"] = compact(total)
        lines.append(line)
    weights, picture = used.back(gradient)
    found: dict[str, Value] = {"∂L/∂K": compact(weights[:, ::-1, ::-1] if flip else weights)}
    found["∂L/∂b"] = float(gradient.sum())
    if fits(picture):
        found["∂L/∂I"] = compact(picture)
    return [
        steps_of(
            "Back, window by window",
            lines,
            answers=("∂L/∂y · window", "Σ so far"),
            formula="∂L/∂K = Σ over the windows of ∂L/∂y · window",
            note="The weights are shared, so what all windows say is added up."
            + cut(len(lines), gradient.size),
        ),
        steps_of(
            "The gradients",
            [found],
            answers=tuple(found),
            formula="∂L/∂b = Σ ∂L/∂y    ∂L/∂I: each window receives ∂L/∂y · K at its place",
            note="K was turned around to be laid on; its gradient is turned back." if flip else "",
        ),
    ]


def left_out(used: Sliding) -> list[str]:
    """A remark on what a stride above 1 does not see."""
    if max(used.stride) == 1:
        return []
    close = Sliding(used.picture, used.kernel, used.bias, used.frame, (1, 1), used.dilation).map
    kept = f"Increasing the stride can be risky: of the {close.size} numbers of stride 1"
    if len(close) == 1 and fits(close):
        values = ", ".join(map(number_text, close[0].tolist()))
        return [f"{kept}, ({values}), {used.map.size} are kept."]
    largest, found = (float(numbers.flat[np.abs(numbers).argmax()]) for numbers in (close, used.map))
    return [
        f"{kept}, {used.map.size} are kept; the largest is {number_text(largest)} of all, "
        f"{number_text(found)} of those kept."
    ]


def drawn(used: Sliding) -> tuple[Tiles, ...]:
    """The picture, and its map."""
    map_ = Tiles(
        "The map", used.map[None], note="Grey is 0, white the largest, black the most negative.", signed=True
    )
    return Tiles("The picture, channel by channel", used.framed), map_


def fits(*beside: np.ndarray, widest: int = _WIDEST) -> bool:
    """Whether matrices that stand beside each other can be read in a table."""
    lines = [[len(" ".join(line)) for line in matrix_text(numbers)] for numbers in beside]
    return sum(map(max, lines)) <= widest and max(map(len, lines)) <= _TALLEST


def _windows_fit(used: Sliding) -> bool:
    window = used.windows[0, 0]
    return fits(window, used.kernel, window * used.kernel, widest=_WIDE_WINDOWS)


def _way(used: Sliding) -> str:
    padding = max(max(side) for side in used.frame)
    around = f", with {padding} of padding around the picture" if padding else ""
    apart = max(used.dilation)
    spread = f", and sees numbers {apart} apart" if apart > 1 else ""
    stacked = " Channels stand one below the other." if len(used.kernel) > 1 else ""
    stride = max(used.stride)
    every = "at every number" if stride == 1 else f"every {stride} numbers"
    return f"A window begins {every}{around}{spread}.{stacked}"


def cut(shown: int, count: int) -> str:
    """A sentence on the windows that are not shown, to be put behind another; none where all are."""
    return f" {count - shown:,} more of {count:,} windows are left out (windows)." if shown < count else ""


def compact(numbers: np.ndarray) -> np.ndarray:
    """One channel as a matrix, and one row of several numbers as a vector."""
    numbers = numbers[0] if numbers.ndim == 3 and len(numbers) == 1 else numbers
    return numbers[0] if len(numbers) == 1 and numbers.ndim == 2 and numbers.size > 1 else numbers

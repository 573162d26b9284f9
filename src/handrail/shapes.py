"""The shapes that pass between data and networks; a network's annotations say which it takes and gives.

A plain `int` is a vector: `inputs` numbers a row, `outputs` scores a row. The others are named tuples, and so
plain tuples to a module from elsewhere.
"""

import inspect
import typing
from collections.abc import Callable
from types import UnionType
from typing import Any, NamedTuple, Self, get_type_hints

from handrail.tools.moved import forward

__getattr__ = forward(__name__)


class TableShape(int):
    """A vector that knows what its numbers are; to whoever does not ask, its width.

    bits: places of numbers that are 0 or 1. choices: places of which one is 1 and the others 0, for each
    category. gaps: where a row's number is missing and stands for what it was filled with, as pairs of its
    place and that of the bit that says so. All other places are real numbers; repeated: values of them that
    many rows share, as pairs of a place and a value.
    """

    bits: tuple[int, ...]
    choices: tuple[tuple[int, ...], ...]
    gaps: tuple[tuple[int, int], ...]
    repeated: tuple[tuple[int, float], ...]

    def __new__(
        cls,
        width: int,
        *,
        bits: tuple[int, ...] = (),
        choices: tuple[tuple[int, ...], ...] = (),
        gaps: tuple[tuple[int, int], ...] = (),
        repeated: tuple[tuple[int, float], ...] = (),
    ) -> Self:
        shape = super().__new__(cls, width)
        shape.bits, shape.choices, shape.gaps, shape.repeated = bits, choices, gaps, repeated
        return shape

    def __getnewargs_ex__(self) -> tuple[tuple[int], dict[str, Any]]:
        return (int(self),), vars(self)


class ImageShape(NamedTuple):
    """Rows `[rows, channels, height, width]`, float32."""

    channels: int
    height: int
    width: int


class VolumeShape(NamedTuple):
    """Rows `[rows, channels, depth, height, width]`, float32: video, scans."""

    channels: int
    depth: int
    height: int
    width: int


class SeriesShape(NamedTuple):
    """Rows `[rows, channels, length]`, float32, time last; series that are shorter end in zeros."""

    channels: int
    length: int


class TokenShape(NamedTuple):
    """Rows `[rows, length]`, int64 below `vocabulary`: 0 is padding (at the end), 1 an unknown token."""

    length: int
    vocabulary: int


class MapShape(NamedTuple):
    """As outputs: scores for every pixel, `[rows, channels, height, width]`."""

    channels: int
    height: int
    width: int


class PictureShape(NamedTuple):
    """As outputs: pictures that the network makes, bytes `[rows, channels, height, width]`."""

    channels: int
    height: int
    width: int


class StepShape(NamedTuple):
    """As outputs: scores at every step, `[rows, length, scores]`; `never` are codes that no answer holds."""

    length: int
    scores: int
    never: tuple[int, ...] = ()


class BoxShape(NamedTuple):
    """As outputs: objects with boxes, at most so many in an image; `classes` without the background."""

    classes: int


class NoTarget(NamedTuple):
    """As outputs: what the network makes of its inputs alone, for a task such as "clusters" or "density".

    classes: how many classes the label has that the network may be told; 0 where there are none.
    """

    task: str
    classes: int = 0


InputShape = int | ImageShape | VolumeShape | SeriesShape | TokenShape
OutputShape = int | MapShape | PictureShape | StepShape | BoxShape | NoTarget

_WORDS = {
    int: "numbers",
    ImageShape: "images",
    VolumeShape: "volumes",
    SeriesShape: "series",
    TokenShape: "tokens",
    MapShape: "a map of scores",
    PictureShape: "pictures",
    StepShape: "scores at every step",
    BoxShape: "boxes",
    NoTarget: "what it finds without a target",
}


def shape_name(kind: type) -> str:
    """The name of a kind of shape in messages."""
    return next(_WORDS[each] for each in kind.__mro__ if each in _WORDS)


def accepted_shapes(target: Callable[..., Any], argument: str) -> tuple[type, ...]:
    """The kinds of shape that the annotation of `argument` (`inputs` or `outputs`) names.

    A class or function from elsewhere that says nothing is taken to accept all.
    """
    function = target.__init__ if inspect.isclass(target) else target
    try:
        annotation = get_type_hints(function).get(argument)
    except (NameError, TypeError):
        annotation = None
    parts = typing.get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    named = tuple(part for part in parts if isinstance(part, type) and part in _WORDS)
    return named or tuple(_WORDS)


def numbers_in(shape: InputShape) -> int:
    """How many numbers there are in a row of that shape."""
    total = 1
    for size in (shape,) if isinstance(shape, int) else shape[:1] if isinstance(shape, TokenShape) else shape:
        total *= size
    return total


def describe(shape: InputShape) -> str:
    """A shape for a message: `120 numbers`, `images [3, 32, 32]`."""
    return f"{shape:,} numbers" if isinstance(shape, int) else f"{_WORDS[type(shape)]} {list(shape)}"

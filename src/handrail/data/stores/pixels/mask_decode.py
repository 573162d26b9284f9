"""One mask file to the values of its pixels. Worker processes import this file, so it does without torch."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Int, UInt8

from handrail.data.stores.pixels.decode import UnreadableError, crop, deep_values, open_picture

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_LEVELS = 64
GREY = 0x010101  # a grey level times this is the same grey as a colour
UNKNOWN = 255
Values = Int[np.ndarray, "height width"]


class SeenMask(NamedTuple):
    """What a file holds. kind: `palette`, `deep` or `colour` (grey too); levels: the different values.

    counts: how many pixels have each of the levels.
    """

    problem: str = ""
    kind: str = ""
    height: int = 0
    width: int = 0
    hash: int = 0
    levels: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()


def values(image: "Image") -> tuple[str, Values]:
    """The kind of mask, and its values: palette indices, 16-bit numbers, or colours as 0xRRGGBB."""
    if image.mode == "P":
        return "palette", np.asarray(image).astype(np.int64)
    if image.mode.startswith("I"):
        return "deep", deep_values(image)
    if image.mode in ("1", "L", "LA"):
        return "colour", grey_values(np.asarray(image.convert("L")))
    parts = np.asarray(image.convert("RGB")).astype(np.int64)
    return "colour", (parts[..., 0] << 16) | (parts[..., 1] << 8) | parts[..., 2]


def grey_values(levels: UInt8[np.ndarray, "height width"]) -> Values:
    """Grey levels as colours."""
    return levels.astype(np.int64) * GREY


def look_mask(path: str) -> tuple[SeenMask, bytes]:
    """What a mask file holds; no bytes, as workers answer with both."""
    try:
        kind, pixels = values(open_picture(path)[0])
    except UnreadableError as error:
        return SeenMask(str(error)), b""
    return describe(kind, pixels), b""


def describe(kind: str, pixels: Values) -> SeenMask:
    """What the values of a mask hold."""
    levels, counts = np.unique(pixels, return_counts=True)
    if len(levels) > MOST_LEVELS:
        return SeenMask(
            f"has {len(levels):,} different values; a mask has one value a class, at most {MOST_LEVELS}. "
            "JPEG and smooth edges blur masks: save it as PNG with one value a class"
        )
    content = f"mask {kind} {pixels.shape} ".encode() + pixels.astype("<i4").tobytes()
    number = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")
    height, width = pixels.shape
    return SeenMask("", kind, height, width, number, tuple(levels.tolist()), tuple(counts.tolist()))


def palette_of(path: str) -> list[int]:
    """The colours of a file with a palette, red, green and blue one after the other; of others nothing.

    Raises: `UnreadableError`.
    """
    return open_picture(path)[0].getpalette() or []


def fit_mask(path: str, size: tuple[int, int], levels: list[int]) -> tuple[SeenMask, bytes]:
    """Each pixel's place in `levels` (sorted), 255 where it is in none; cut like pictures, nearest pixels."""
    try:
        _, pixels = values(open_picture(path)[0])
    except UnreadableError as error:
        return SeenMask(str(error)), bytes(size[0] * size[1])
    return SeenMask(), fit_values(pixels, size, levels)


def fit_values(pixels: Values, size: tuple[int, int], levels: Sequence[int]) -> bytes:
    """`fit_mask` of values that are there already."""
    known = np.asarray(levels, dtype=np.int64)
    places = np.searchsorted(known, pixels).clip(max=len(known) - 1)
    codes = np.where(known[places] == pixels, places, UNKNOWN).astype(np.uint8)
    original = (codes.shape[0], codes.shape[1])
    if original == size:
        return codes.tobytes()
    from PIL import Image

    image = Image.fromarray(codes)
    return image.resize((size[1], size[0]), Image.Resampling.NEAREST, box=crop(original, size)).tobytes()

"""One file to one picture: opened, checked, turned upright, brought to 8 bits of grey or colour.

Worker processes import this file, so it needs Pillow and the standard library alone (NumPy for 16 bits), and
no torch.
"""

import contextlib
import hashlib
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from handrail.data.raw_files import kind_of
from handrail.data.stores.pixels.geometry import crop

if TYPE_CHECKING:
    from PIL.Image import Image

# Pixels: a quarter of a GB in colour, and the number from which Pillow warns of a bomb.
LARGEST = 89_478_485
# Pixels a side: files that are no larger are always decoded whole, as stores may keep them that way.
WHOLE = 256
SUFFIXES = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".bmp", ".dib"), "BMP"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), "PPM"),
    **dict.fromkeys((".jp2", ".j2k"), "JPEG2000"),
    **{".png": "PNG", ".gif": "GIF", ".webp": "WEBP", ".avif": "AVIF"},
}
_FORMATS = frozenset((*SUFFIXES.values(), "MPO", "DIB"))  # others, such as EPS, would start programs
_SAME = {"MPO": "JPEG", "DIB": "BMP"}
_UPRIGHT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # orientation in EXIF → Pillow's Transpose
_DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")


class UnreadableError(Exception):
    """A file that holds no picture; the text goes on after the file's name."""


class Seen(NamedTuple):
    """What was found in a file. problem: why it cannot be used, or empty. top: the largest value of 16 bits,
    else 0.
    """

    problem: str = ""
    format: str = ""
    mode: str = ""
    height: int = 0
    width: int = 0
    grey: bool = False
    hash: int = 0
    animated: bool = False
    top: int = 0


def opened(path: str, *, at_least: tuple[int, int] | None = None) -> tuple["Image", bool]:
    """The picture of a file, decoded and upright, in the mode of the file; and whether it is the first of
    several.

    Arguments:
        at_least: height and width that are needed; a large JPEG is then decoded at a part of its size, twice
            that or more. Whether it is large is a matter of the file alone, so that other files never change
            its pixels.

    Raises: `UnreadableError`.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow warns of is looked for here
            with _open(path) as image:
                _guard(image.size)
                if at_least and image.format == "JPEG" and max(image.size) > WHOLE:
                    _reduce(image, at_least)
                image.load()
                several = getattr(image, "is_animated", False)
                return _upright(_alone(image) if several else image), several
    except Image.DecompressionBombError as error:
        found = re.search(r"\d{8,}", str(error))
        raise UnreadableError(_bomb(int(found.group()) if found else 2 * LARGEST)) from None
    except Image.UnidentifiedImageError:
        raise UnreadableError(_no_image(path)) from None
    except (UnreadableError, MemoryError):
        raise
    except FileNotFoundError:
        raise UnreadableError("does not exist") from None
    except PermissionError:
        raise UnreadableError("cannot be read: permission is denied") from None
    # Decoders raise whatever they like: OSError, SyntaxError, EOFError, struct.error ….
    except Exception as error:
        raise UnreadableError(
            f"is damaged or cut short ({str(error).rstrip('.') or type(error).__name__})"
        ) from None


def _open(path: str) -> "Image":
    """By the usual formats, which load at once, or else by all that are allowed and that Pillow has here."""
    from PIL import Image

    Image.preinit()
    try:
        return Image.open(path, formats=[name for name in Image.ID if name in _FORMATS])
    except Image.UnidentifiedImageError:
        Image.init()
        return Image.open(path, formats=[name for name in Image.ID if name in _FORMATS])


def _alone(image: "Image") -> "Image":
    """The frame without its file, which is closed soon."""
    frame = image.copy()
    frame.format = image.format
    return frame


def _guard(size: tuple[int, int]) -> None:
    if size[0] * size[1] > LARGEST:
        raise UnreadableError(_bomb(size[0] * size[1]))


def _bomb(pixels: int) -> str:
    return f"says that it has {pixels:,} pixels, which could fill the memory; expected at most {LARGEST:,}"


def _no_image(path: str) -> str:
    with Path(path).open("rb") as file:
        start = file.read(4096)
    if not start:
        return "is empty (0 bytes)"
    kind = kind_of(start)
    if kind:
        return f"is no picture that can be read: it seems to be {kind}"
    with contextlib.suppress(UnicodeDecodeError):
        text = start[:60].decode("ascii")
        if text.isprintable() or text.split():
            return f"is no picture: it holds text ({' '.join(text.split())[:30]!r} …)"
    return "is no picture: its content is of an unknown kind"


def _reduce(image: "Image", needed: tuple[int, int]) -> None:
    """Let the JPEG decoder leave out what will not be seen; it halves sides, and what it gives is at least as
    asked.
    """
    shares = (max(needed) / image.width, max(needed) / image.height)
    scale = min(1.0, 2 * max(shares))
    image.draft(image.mode, (max(1, int(image.width * scale)), max(1, int(image.height * scale))))


def _upright(image: "Image") -> "Image":
    from PIL import Image

    try:
        turn = _UPRIGHT.get(image.getexif().get(0x0112, 1))
    except Exception:  # broken EXIF data say nothing
        return image
    if turn is None:
        return image
    turned = image.transpose(Image.Transpose(turn))
    turned.format = image.format
    return turned


def canonical(image: "Image") -> "Image":
    """8 bits of grey (mode L) or colour (RGB). What is transparent stands on white; 16 bits are divided by
    257.

    Raises: `UnreadableError` for floating-point and 32-bit pictures.
    """
    from PIL import Image

    if image.mode in _DEEP:
        return _shallow(image)
    if image.mode == "F":
        raise UnreadableError(
            "holds floating-point numbers; expected 8 or 16 bits a pixel. Save it as an 8-bit PNG"
        )
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        picture = image.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(ground, picture).convert("RGB")
    if image.mode in ("1", "L"):
        return image.convert("L")
    return image.convert("RGB")


def deep_values(image: "Image") -> Any:
    """The 16-bit values as an array. Raises: `UnreadableError` for more than 16 bits."""
    import numpy as np

    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise UnreadableError(
            f"holds values from {values.min():,} to {values.max():,}; expected 8 or 16 bits a pixel"
        )
    return values


def _shallow(image: "Image") -> "Image":
    from PIL import Image

    return Image.fromarray(((deep_values(image) + 128) // 257).astype("uint8"))


def bands(image: "Image") -> list[bytes]:
    """The pixels, channel by channel; one channel where all are equal, however the file stored them."""
    found = [band.tobytes() for band in image.split()]
    return found[:1] if len(found) == 3 and found[0] == found[1] == found[2] else found


def content_hash(height: int, width: int, channels: list[bytes]) -> int:
    """64 bits of blake2b over shape and pixels."""
    total = hashlib.blake2b(f"{height} {width} {len(channels)} ".encode(), digest_size=8)
    for channel in channels:
        total.update(channel)
    return int.from_bytes(total.digest(), "little")


def look(path: str, keep: tuple[int, int, int] | None = None) -> tuple[Seen, bytes]:
    """What a file holds, and its pixels, channel by channel, if it is of the shape (height, width, channels)
    to `keep`.
    """
    try:
        image, animated = opened(path)
        picture = canonical(image)
        top = int(deep_values(image).max()) if image.mode in _DEEP else 0
    except UnreadableError as error:
        return Seen(str(error)), b""
    kind = _SAME.get(image.format or "", image.format or "")
    channels = bands(picture)
    number = content_hash(picture.height, picture.width, channels)
    seen = Seen(
        "", kind, image.mode, picture.height, picture.width, len(channels) == 1, number, animated, top
    )
    wanted = keep is not None and keep[:2] == (picture.height, picture.width) and len(channels) <= keep[2]
    pixels = b"".join(channels * (keep[2] // len(channels))) if wanted and keep else b""
    return seen, pixels


def fitted(image: "Image", size: tuple[int, int], channels: int) -> bytes:
    """A canonical picture scaled (antialiased, bilinear) and cut at the centre to `size`, channel by channel."""
    from PIL import Image

    picture = image.convert("L" if channels == 1 else "RGB")
    original = (picture.height, picture.width)
    if original != size:
        picture = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR, box=crop(original, size))
    return b"".join(band.tobytes() for band in picture.split())


def fit(path: str, size: tuple[int, int], channels: int) -> tuple[Seen, bytes]:
    """The pixels of a file in that size; the problem, should it have come since the file was looked at."""
    try:
        return Seen(), fitted(canonical(opened(path, at_least=size)[0]), size, channels)
    except UnreadableError as error:
        return Seen(str(error)), bytes(size[0] * size[1] * channels)

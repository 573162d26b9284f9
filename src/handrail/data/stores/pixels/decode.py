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
from handrail.tools.file_kinds import special_kind

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
    """What a file holds. problem: why it cannot be used, if so. top: the largest value of 16 bits, else 0.

    transparent: whether some pixel is.
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
    transparent: bool = False


class Crop(NamedTuple):
    """The part of the original that is kept, in its pixels, from its left and its upper edge."""

    left: float
    top: float
    right: float
    bottom: float


def crop(original: tuple[int, int], size: tuple[int, int]) -> Crop:
    """The largest centred part of a picture of `original` (height, width) that has the proportions of `size`.

    With the scale s = max(H / h, W / w), it is H / s high and W / s wide; the same for masks and boxes, which
    so stay upon their pictures.
    """
    (height, width), (new_height, new_width) = original, size
    scale = max(new_height / height, new_width / width)
    kept_height, kept_width = min(new_height / scale, height), min(new_width / scale, width)
    left, top = (width - kept_width) / 2, (height - kept_height) / 2
    return Crop(left, top, left + kept_width, top + kept_height)


def open_picture(path: str, *, at_least: tuple[int, int] | None = None) -> tuple["Image", bool]:
    """The picture of a file, decoded and upright, in the file's mode; and whether it is the first of several.

    Arguments:
        at_least: height and width that are needed; a large JPEG is then decoded at a part of its size, twice
            that or more. Whether it is large is a matter of the file alone, so that other files never change
            its pixels.

    Raises: `UnreadableError`.
    """
    from PIL import Image

    special = special_kind(Path(path))
    if special is not None:
        raise UnreadableError(f"is {special}; expected a file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow warns of is looked for here
            with _open(path) as image:
                pixels = image.size[0] * image.size[1]
                if pixels > LARGEST:
                    raise UnreadableError(_describe_bomb(pixels))
                if at_least and image.format == "JPEG" and max(image.size) > WHOLE:
                    _reduce(image, at_least)
                image.load()
                several = getattr(image, "is_animated", False)
                return _turn_upright(_detach(image) if several else image), several
    except Image.DecompressionBombError as error:
        number = re.search(r"\d{8,}", str(error))
        raise UnreadableError(_describe_bomb(int(number.group()) if number else 2 * LARGEST)) from None
    except Image.UnidentifiedImageError:
        raise UnreadableError(_explain_no_image(path)) from None
    except (UnreadableError, MemoryError):
        raise
    except FileNotFoundError:
        raise UnreadableError("does not exist") from None
    except PermissionError:
        raise UnreadableError("cannot be read: permission is denied") from None
    # Decoders raise whatever they like: OSError, SyntaxError, EOFError, struct.error ….
    except Exception as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise UnreadableError(f"is damaged or cut short ({reason})") from None


def _open(path: str) -> "Image":
    """By the usual formats, which load at once, or else by all allowed ones that Pillow has here."""
    from PIL import Image

    Image.preinit()
    try:
        return Image.open(path, formats=[name for name in Image.ID if name in _FORMATS])
    except Image.UnidentifiedImageError:
        Image.init()
        return Image.open(path, formats=[name for name in Image.ID if name in _FORMATS])


def _detach(image: "Image") -> "Image":
    """The frame without its file, which is about to be closed."""
    frame = image.copy()
    frame.format = image.format
    return frame


def _describe_bomb(pixels: int) -> str:
    return f"says that it has {pixels:,} pixels, which could fill the memory; expected at most {LARGEST:,}"


def _explain_no_image(path: str) -> str:
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
    """Let the JPEG decoder skip detail: it halves sides, and gives at least the size that is asked for."""
    scale = min(1.0, 2 * max(max(needed) / image.width, max(needed) / image.height))
    image.draft(image.mode, (max(1, int(image.width * scale)), max(1, int(image.height * scale))))


def _turn_upright(image: "Image") -> "Image":
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
    """8 bits of grey (mode L) or colour (RGB): transparent parts on white, 16 bits divided by 257.

    Raises: `UnreadableError` for floating-point and 32-bit pictures.
    """
    from PIL import Image

    if image.mode in _DEEP:
        return Image.fromarray(((deep_values(image) + 128) // 257).astype("uint8"))
    if image.mode == "F":
        raise UnreadableError(
            "holds floating-point numbers; expected 8 or 16 bits a pixel. Save it as an 8-bit PNG"
        )
    if _may_be_transparent(image):
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


def _is_transparent(image: "Image") -> bool:
    """Whether a picture that may have transparent pixels has some."""
    if not _may_be_transparent(image):
        return False
    return image.convert("RGBA").getchannel("A").getextrema() != (255, 255)


def _may_be_transparent(image: "Image") -> bool:
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def bands(image: "Image") -> list[bytes]:
    """The pixels, channel by channel; one channel where all are equal, however the file stored them."""
    channels = [band.tobytes() for band in image.split()]
    return channels[:1] if len(channels) == 3 and channels[0] == channels[1] == channels[2] else channels


def content_hash(height: int, width: int, channels: list[bytes]) -> int:
    """64 bits of blake2b over shape and pixels."""
    total = hashlib.blake2b(f"{height} {width} {len(channels)} ".encode(), digest_size=8)
    for channel in channels:
        total.update(channel)
    return int.from_bytes(total.digest(), "little")


def look(path: str, keep: tuple[int, int, int] | None = None) -> tuple[Seen, bytes]:
    """What a file holds; and its pixels, channel by channel, if height, width and channels are as `keep`."""
    try:
        image, animated = open_picture(path)
        picture = canonical(image)
        top = int(deep_values(image).max()) if image.mode in _DEEP else 0
    except UnreadableError as error:
        return Seen(str(error)), b""
    kind = _SAME.get(image.format or "", image.format or "")
    channels = bands(picture)
    number = content_hash(picture.height, picture.width, channels)
    size, grey = (picture.height, picture.width), len(channels) == 1
    seen = Seen("", kind, image.mode, *size, grey, number, animated, top, _is_transparent(image))
    if keep is None or keep[:2] != size or len(channels) > keep[2]:
        return seen, b""
    return seen, b"".join(channels * (keep[2] // len(channels)))


def fit_to(image: "Image", size: tuple[int, int], channels: int) -> bytes:
    """A canonical picture scaled (bilinear, antialiased) and cut at the centre to `size`, by channels."""
    from PIL import Image

    picture = image.convert("L" if channels == 1 else "RGB")
    original = (picture.height, picture.width)
    if original != size:
        picture = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR, box=crop(original, size))
    return b"".join(band.tobytes() for band in picture.split())


def fit(path: str, size: tuple[int, int], channels: int) -> tuple[Seen, bytes]:
    """The pixels of a file in that size; the problem, should it have come since the file was looked at."""
    try:
        return Seen(), fit_to(canonical(open_picture(path, at_least=size)[0]), size, channels)
    except UnreadableError as error:
        return Seen(str(error)), bytes(size[0] * size[1] * channels)

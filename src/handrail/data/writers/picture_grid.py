"""Write pictures that a network made as a single one, side by side."""

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from handrail.errors import HandrailError
from handrail.tools.files import is_taken, write_bytes
from handrail.tools.interface import argument

_GAP, _WHITE = 2, 255  # pixels between two, and their colour
_CHANNELS = 3  # dimensions of a picture, its channels among them


def are_pictures(maps: Sequence[np.ndarray]) -> bool:
    """Whether these are pictures `[height, width, channels]`, and no masks."""
    return bool(maps) and all(each.ndim == _CHANNELS for each in maps)


def write_grid(
    pictures: Sequence[UInt8[np.ndarray, "height width channels"]], path: Path, *, overwrite: bool = False
) -> None:
    """Write pictures of one size as one PNG, in rows of about as many as there are rows.

    Raises: `HandrailError` when the file exists and is not to be replaced, or cannot be written.
    """
    from PIL import Image

    if is_taken(path) and not overwrite:
        raise HandrailError(
            f"'{path}' already exists; choose another --out, or give {argument('overwrite')}."
        )
    height, width, channels = pictures[0].shape
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    size = (rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, channels)
    whole = np.full(size, _WHITE, dtype=np.uint8)
    for place, picture in enumerate(pictures):
        top, left = (place // columns) * (height + _GAP), (place % columns) * (width + _GAP)
        whole[top : top + height, left : left + width] = picture
    data = io.BytesIO()
    Image.fromarray(whole[..., 0] if channels == 1 else whole).save(data, format="PNG")
    write_bytes(path, data.getvalue())

"""Pictures that are arrays already: brought to one form, looked at, and resized."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from handrail.data.stores.pixels.cache import Shelf
from handrail.data.stores.pixels.decode import content_hash, fitted
from handrail.data.stores.pixels.workers import require_pillow
from handrail.errors import DataError

_CHUNK = 2**24  # bytes at once


def canonical_array(array: np.ndarray, source: str) -> np.ndarray:
    """Bytes `[items, channels, height, width]` with 1 or 3 channels; transparent parts on white.

    Raises: `DataError` for other shapes and types.
    """
    if array.dtype != np.uint8:
        raise DataError(f"{source} holds {array.dtype}; expected pictures of bytes (uint8, 0 to 255).")
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[-1] in (1, 3, 4):
        array = array.transpose(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[1] not in (1, 3, 4) or not array.size:
        raise DataError(
            f"{source} has the shape {array.shape}; expected pictures [items, height, width], [items, "
            "height, width, channels] or "
            "[items, channels, height, width] with 1, 3 or 4 channels."
        )
    return _on_white(array) if array.shape[1] == 4 else array


def _on_white(array: np.ndarray) -> np.ndarray:
    alpha = array[:, 3:].astype(np.uint32)
    return ((array[:, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _chunks(pixels: np.ndarray) -> list[np.ndarray]:
    rows = max(1, _CHUNK // max(1, pixels[0].size))
    return [pixels[start : start + rows] for start in range(0, len(pixels), rows)]


def grey_items(pixels: np.ndarray) -> np.ndarray:
    """For each picture whether its channels are equal."""
    if pixels.shape[1] == 1:
        return np.ones(len(pixels), dtype=bool)
    return np.concatenate(
        [
            ((part[:, 0] == part[:, 1]) & (part[:, 0] == part[:, 2])).all(axis=(1, 2))
            for part in _chunks(pixels)
        ]
    )


def hashes_of(pixels: np.ndarray) -> np.ndarray:
    """One `uint64` a picture, as `decode.look` gives for its file."""
    height, width = pixels.shape[2:]
    hashes = np.empty(len(pixels), dtype=np.uint64)
    for place, picture in enumerate(pixels):
        same = len(picture) == 3 and (picture[0] == picture[1]).all() and (picture[0] == picture[2]).all()
        hashes[place] = content_hash(
            height, width, [band.tobytes() for band in (picture[:1] if same else picture)]
        )
    return hashes


def resized(
    shelf: Shelf,
    places: Sequence[int],
    size: tuple[int, int],
    channels: int,
    write: Callable[[int, bytes], None],
) -> None:
    """Have pictures of a shelf written in another size and number of channels, chunk by chunk."""
    rows = max(1, _CHUNK // max(shelf.item_bytes, size[0] * size[1] * channels))
    alike = shelf.shape[2:] == size
    if not alike:
        require_pillow()
    for start in range(0, len(places), rows):
        part = shelf.read(torch.as_tensor(list(places[start : start + rows]), dtype=torch.int64)).numpy()
        write(
            start,
            _channels(part, channels).tobytes()
            if alike
            else b"".join(_fitted(one, size, channels) for one in part),
        )


def _channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    if pixels.shape[1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=1)
    red, green, blue = (pixels[:, band].astype(np.uint32) for band in range(3))
    # ITU-R 601, as Pillow does it.
    return ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).astype(np.uint8)[:, None]


def _fitted(picture: np.ndarray, size: tuple[int, int], channels: int) -> bytes:
    from PIL import Image

    return fitted(
        Image.fromarray(
            picture[0] if len(picture) == 1 else np.ascontiguousarray(picture.transpose(1, 2, 0))
        ),
        size,
        channels,
    )

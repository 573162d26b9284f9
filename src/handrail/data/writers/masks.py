"""Write predicted masks as files: named after their pictures, with the values of the training masks."""

import io
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Protocol

import numpy as np
import polars as pl

from handrail.errors import HandrailError
from handrail.tools.files import is_taken, write_bytes
from handrail.tools.words import list_some, plural


class Masks(Protocol):
    """Predicted masks: the rows that they belong to, the values of their pixels, and colours of these."""

    frame: pl.DataFrame
    maps: list[np.ndarray]
    palette: list[int]


def write_maps(answers: Masks, folder: Path) -> list[Path]:
    """Write each mask as a PNG with the values (and colours) of the training masks into a new folder.

    A mask is named after its picture, with the picture's ending where two would else have one name.

    Raises: `HandrailError` when the folder already exists, or cannot be written.
    """
    from PIL import Image

    if is_taken(folder):
        raise HandrailError(f"'{folder}' already exists; choose another --out.")
    paths = [folder / f"{name}.png" for name in mask_names(_names(answers))]
    for path, values in zip(paths, answers.maps, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        grey = values.ndim == 3 and values.shape[2] == 1
        data, image = io.BytesIO(), Image.fromarray(values[..., 0] if grey else values)
        if answers.palette:
            image.putpalette(
                [*answers.palette, *[0] * (768 - len(answers.palette))]
            )  # a shorter one: fewer bits
        image.save(data, format="PNG")
        write_bytes(path, data.getvalue())
    return paths


def describe_maps(paths: Sequence[Path], answers: Masks) -> str:
    """How many masks were written, of which size, and which have other names than their pictures."""
    height, width = answers.maps[0].shape[:2]
    size = f"{width} × {height} pixels as the network sees pictures"
    if answers.maps[0].ndim == 3:  # pictures that were made, grey or coloured
        return f"{plural(len(paths), 'picture')} ({size})"
    text = f"{plural(len(paths), 'mask')} ({size}, with the values of the training masks)"
    plain = [PurePath(name).stem for name in _names(answers)]
    renamed = [path.name for path, name in zip(paths, plain, strict=True) if path.stem != name]
    if renamed:
        alike = "without it, or a number, some would have the same name"
        how = f"with the picture's ending in the name ({list_some(renamed, most=2)}; {alike})"
        text += f", {len(renamed):,} of them {how},"
    return text


def mask_names(names: Sequence[str]) -> list[str]:
    """Names of masks below a folder, no two the same: 1 for 1.jpg, but 1.jpg beside 1.bmp.

    What would lead out of the folder is left out: the root, and steps upwards.
    """
    inside = ["/".join(_parts(name)) for name in names]
    short = [str(PurePath(name).with_suffix("")) for name in inside]
    counts = Counter(name.lower() for name in short)
    wanted = [name if counts[stem.lower()] > 1 else stem for name, stem in zip(inside, short, strict=True)]
    free = {name for name, count in Counter(name.lower() for name in wanted).items() if count == 1}
    taken: set[str] = set(free)
    for place, name in enumerate(wanted):
        if name.lower() in free:
            continue
        others = (f"{name}_{number}" for number in itertools.count(1))
        wanted[place] = next(other for other in others if other.lower() not in taken)
        taken.add(wanted[place].lower())
    return wanted


def _parts(name: str) -> list[str]:
    path = PurePath(name)
    return [part for part in path.parts if part not in ("..", path.anchor)]


def _names(answers: Masks) -> list[str]:
    """The names of the pictures, or the numbers of the rows."""
    if "file" in answers.frame.columns:
        return [str(name) for name in answers.frame["file"]]
    return [str(number) for number in range(1, len(answers.maps) + 1)]

"""IDX files, in which MNIST and its relatives come; and their like in NPZ archives."""

import math
import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from handrail.data.raw_files import read_bytes, unpack
from handrail.data.sources.cells import convert_types
from handrail.data.sources.media.layout import PART_FOLDERS
from handrail.data.stores.images import ImageStore
from handrail.data.stores.store import place_column
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import Limits

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_DIMENSIONS = 32
_IMAGES = re.compile(
    r"^(?P<start>.*?)(?P<part>train|t10k|test)(?P<dash>[-_]?)images(?P<end>[-._]idx)3"
    r"(?P<rest>-ubyte(\.gz)?)$",
    re.IGNORECASE,
)
_PARTS = {"train": 0, "t10k": 2, "test": 2}


def read_idx(path: Path, limits: Limits | None = None) -> np.ndarray:
    """The array of an IDX file, gzipped or not.

    Two zero bytes, one for the type, one for the number of dimensions, their sizes (big-endian, 32 bits), the
    values.

    Raises: `DataError` when the file is no IDX file, or is cut short.

    Source: LeCun, Cortes & Burges 1998 (the MNIST database).
    """
    data, _ = unpack(read_bytes(path, limits), path, limits)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES or not 0 < data[3] <= _MOST_DIMENSIONS:
        start = data[:4].hex(" ")
        raise DataError(
            f"{path} is no IDX file: it begins with {start}; expected 00 00, a type (08 for bytes) and the "
            "dimensions."
        )
    start = 4 + 4 * data[3]
    if len(data) < start:
        end = f"it ends after {len(data)} bytes, within its header"
        raise DataError(f"{path} is cut short: {end}. Download it again.")
    shape = struct.unpack(f">{data[3]}I", data[4:start])
    kind = np.dtype(_TYPES[data[2]])
    expected = math.prod(shape) * kind.itemsize
    if len(data) - start != expected:
        fault = "is cut short" if len(data) - start < expected else "is longer than it says"
        header = f"{' × '.join(map(str, shape))} values, {expected:,} bytes"
        raise DataError(
            f"{path} {fault}: its header says {header}, and {len(data) - start:,} bytes follow. Download it "
            "again."
        )
    values = np.frombuffer(data, dtype=kind, offset=start).reshape(shape)
    return values.astype(kind.newbyteorder("="), copy=False)


def read_idx_pair(images: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pictures `[items, height, width]` and their labels `[items]`.

    Raises: `DataError` when one cannot be read, or they do not belong together.
    """
    pixels, classes = read_idx(images), read_idx(labels)
    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4):
        what = f"{pixels.dtype} of the shape {pixels.shape}"
        raise DataError(f"{images} holds {what}; expected pictures of bytes [items, height, width].")
    if classes.ndim != 1 or classes.dtype.kind not in "iu":
        what = f"{classes.dtype} of the shape {classes.shape}"
        raise DataError(f"{labels} holds {what}; expected one whole number a picture.")
    if len(pixels) != len(classes):
        counts = f"{len(pixels):,} pictures, and {labels} {len(classes):,} labels"
        raise DataError(f"{images} holds {counts}; expected as many of both.")
    return pixels, classes


def idx_pairs(folder: Path) -> list[tuple[int, Path, Path]]:
    """(part, pictures, labels) for the IDX files of a folder that go by MNIST's names.

    Raises: `DataError` for pictures without labels, and for several data sets in one folder.
    """
    names = {path.name for path in folder.iterdir()}
    pairs, problems = [], []
    for name in sorted(names):
        match = _IMAGES.match(name)
        # Unpacked beside the archive.
        if not match or (name.lower().endswith(".gz") and name[:-3] in names):
            continue
        word = "Labels" if "Images" in name else "labels"
        partner = f"{match['start']}{match['part']}{match['dash']}{word}{match['end']}1{match['rest']}"
        stem = partner.removesuffix(".gz")
        label = next((option for option in (partner, stem, f"{stem}.gz") if option in names), None)
        if label is None:
            problems.append(f"{folder / name} has no labels beside it; expected {partner}.")
        else:
            pairs.append((_PARTS[match["part"].lower()], folder / name, folder / label))
    if problems:
        raise DataError(problems)
    parts = [part for part, _, _ in pairs]
    if len(set(parts)) < len(parts):
        listed = ", ".join(path.name for _, path, _ in pairs)
        raise DataError(
            f"{folder} holds IDX files of several data sets: {listed}. Put each into a folder of its own."
        )
    return sorted(pairs, key=lambda pair: pair[0])


def read_idx_folder(
    folder: Path, pairs: Sequence[tuple[int, Path, Path]], *, cache_in: Path | None = None
) -> Table:
    """Columns `image` and `class`; the training file's rows are part 0, those of t10k or test part 2.

    Raises: `DataError` as `read_idx_pair`.
    """
    arrays = []
    for part, images, labels in pairs:
        pixels, classes = read_idx_pair(images, labels)
        arrays.append((part, pixels, classes, images.name))
    return _table(arrays, folder.name, "IDX files", cache_in)


def images_from_npz(arrays: Mapping[str, np.ndarray], name: str) -> Table | None:
    """The pictures among the arrays of an NPZ archive as a table; None without pictures.

    Names such as x and y, images and labels, or Keras's x_train, y_train, x_test, y_test (giving the parts).

    Raises: `DataError` when pictures and labels do not belong together.
    """
    pictures = {
        key: array for key, array in arrays.items() if array.dtype == np.uint8 and array.ndim in (3, 4)
    }
    if not pictures:
        return None
    parts = []
    for key, array in pictures.items():
        label = _label_of(key, arrays, set(pictures))
        if label is None and len(arrays) > len(pictures):
            raise DataError(
                f"{name}: the pictures '{key}' have no labels; found {', '.join(arrays)}. Name them alike, "
                "as x and y, or x_train and y_train."
            )
        classes = None if label is None else np.squeeze(arrays[label])
        if label is not None and classes is not None and (classes.ndim != 1 or len(classes) != len(array)):
            labels = f"their labels '{label}' the shape {arrays[label].shape}"
            pictures_shape = f"the pictures '{key}' have the shape {array.shape}"
            raise DataError(f"{name}: {pictures_shape} and {labels}; expected one label a picture.")
        parts.append((_part_of(key), array, classes, f"{key} of {name}"))
    return _table(sorted(parts, key=lambda part: part[0] or 0), name, "NPZ", None)


_PICTURE_WORDS = ("x", "images", "image", "data", "pictures", "inputs")
_LABEL_WORDS = ("y", "labels", "label", "target", "targets", "classes", "class")


def _words(key: str) -> list[str]:
    return re.split(r"[_\-. ]", key.lower())


def _part_of(key: str) -> int | None:
    return next((PART_FOLDERS[word] for word in _words(key) if word in PART_FOLDERS), None)


def _label_of(key: str, arrays: Mapping[str, np.ndarray], pictures: set[str]) -> str | None:
    """The array of the same name, with 'y' or 'labels' instead of 'x' or 'images'."""
    rest = sorted(word for word in _words(key) if word not in _PICTURE_WORDS)
    for other in arrays:
        words = _words(other)
        same = sorted(word for word in words if word not in _LABEL_WORDS) == rest
        if same and other not in pictures and any(word in _LABEL_WORDS for word in words):
            return other
    return None


def _table(
    arrays: Sequence[tuple[int | None, np.ndarray, np.ndarray | None, str]],
    source: str,
    what: str,
    cache_in: Path | None,
) -> Table:
    stores = [ImageStore.of_array(pixels, name, cache_in=cache_in) for _, pixels, _, name in arrays]
    store = stores[0] if len(stores) == 1 else ImageStore.join(stores)
    columns = [place_column("image", len(store))]
    labelled = [classes for _, _, classes, _ in arrays if classes is not None]
    if len(labelled) == len(arrays):
        classes = pl.DataFrame({"class": np.concatenate(labelled)})
        columns.append(convert_types(classes, source)["class"].cast(pl.String))
    parts = None
    if len(arrays) > 1 and all(part is not None for part, *_ in arrays):
        parts = np.concatenate([np.full(len(pixels), part, dtype=np.int64) for part, pixels, _, _ in arrays])
    counts = "; ".join(
        f"{len(pixels):,} pictures {pixels.shape[2]} × {pixels.shape[1]} in {name}"
        for _, pixels, _, name in arrays
    )
    return Table(
        pl.DataFrame(columns),
        source,
        notes=(f"{what}: {counts}", *store.remarks),
        namer=store.name,
        stores={"image": store},
        parts=parts,
        target="class" if len(columns) > 1 else None,
    )

"""IDX files, in which MNIST and its relatives come; and their like in NPZ archives."""

import math
import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from handrail.data.raw_files import read_bytes, unpack
from handrail.data.stores.images import ImageStore
from handrail.data.stores.store import place_column
from handrail.data.table import Table
from handrail.errors import DataError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_IMAGES = re.compile(
    r"^(?P<start>.*?)(?P<part>train|t10k|test)(?P<dash>[-_]?)images(?P<end>[-._]idx)3(?P<rest>-ubyte(\.gz)?)$",
    re.IGNORECASE,
)
_PARTS = {"train": 0, "t10k": 2, "test": 2}
_NAMES = "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz"


def read_idx(path: Path) -> np.ndarray:
    """The array of an IDX file, gzipped or not.

    Two zero bytes, a byte for the type, a byte for the number of dimensions, their sizes (big-endian, 32
    bits), the values.

    Raises: `DataError` when the file is no IDX file, or is cut short.

    Source: LeCun, Cortes & Burges 1998 (the MNIST database).
    """
    data, _ = unpack(read_bytes(path), path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES or not data[3]:
        raise DataError(
            f"{path} is no IDX file: it begins with {data[:4].hex(' ')}; expected 00 00, a type (08 for "
            "bytes) and the dimensions."
        )
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise DataError(
            f"{path} is cut short: it ends after {len(data)} bytes, within its header. Download it again."
        )
    shape = struct.unpack(f">{data[3]}I", data[4:start])
    kind = np.dtype(_TYPES[data[2]])
    expected = math.prod(shape) * kind.itemsize
    if len(data) - start != expected:
        fault = "is cut short" if len(data) - start < expected else "has more than it says"
        raise DataError(
            f"{path} {fault}: its header says {' × '.join(map(str, shape))} values, {expected:,} bytes, and "
            f"{len(data) - start:,} bytes "
            "follow. Download it again."
        )
    return (
        np.frombuffer(data, dtype=kind, offset=start)
        .reshape(shape)
        .astype(kind.newbyteorder("="), copy=False)
    )


def read_idx_pair(images: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pictures `[items, height, width]` and their labels `[items]`.

    Raises: `DataError` when one cannot be read, or they do not belong together.
    """
    pixels, classes = read_idx(images), read_idx(labels)
    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4):
        raise DataError(
            f"{images} holds {pixels.dtype} of the shape {pixels.shape}; expected pictures of bytes [items, "
            "height, width]."
        )
    if classes.ndim != 1 or classes.dtype.kind not in "iu":
        raise DataError(
            f"{labels} holds {classes.dtype} of the shape {classes.shape}; expected one whole number a "
            "picture."
        )
    if len(pixels) != len(classes):
        raise DataError(
            f"{images} holds {len(pixels):,} pictures, and {labels} {len(classes):,} labels; expected as "
            "many of both."
        )
    return pixels, classes


def idx_pairs(folder: Path) -> list[tuple[int, Path, Path]]:
    """(part, pictures, labels) for the IDX files of a folder that go by MNIST's names; empty where there are
    none.

    Raises: `DataError` for pictures without labels, and for several data sets in one folder.
    """
    names = {path.name for path in folder.iterdir()}
    pairs, problems = [], []
    for name in sorted(names):
        found = _IMAGES.match(name)
        # Unpacked beside the archive.
        if not found or (name.lower().endswith(".gz") and name[:-3] in names):
            continue
        partner = f"{found['start']}{found['part']}{found['dash']}{'Labels' if 'Images' in name else 'labels'}{found['end']}1{found['rest']}"
        stem = partner.removesuffix(".gz")
        label = next((option for option in (partner, stem, f"{stem}.gz") if option in names), None)
        if label is None:
            problems.append(f"{folder / name} has no labels beside it; expected {partner}.")
        else:
            pairs.append((_PARTS[found["part"].lower()], folder / name, folder / label))
    if problems:
        raise DataError(problems)
    parts = [part for part, _, _ in pairs]
    if len(set(parts)) < len(parts):
        raise DataError(
            f"{folder} holds IDX files of several data sets: {', '.join(path.name for _, path, _ in pairs)}. "
            "Put each into a folder of its own."
        )
    return sorted(pairs, key=lambda pair: pair[0])


def read_idx_folder(
    folder: Path, pairs: Sequence[tuple[int, Path, Path]], *, cache_in: Path | None = None
) -> Table:
    """Columns `image` and `class`; the training file's rows are part 0, those of t10k or test part 2.

    Raises: `DataError` as `read_idx_pair`.
    """
    read = [(part, read_idx_pair(images, labels), images.name) for part, images, labels in pairs]
    return _table(
        [(part, pixels, classes, name) for part, (pixels, classes), name in read],
        folder.name,
        "IDX files",
        cache_in,
    )


def images_from_npz(
    arrays: Mapping[str, np.ndarray], name: str, *, cache_in: Path | None = None
) -> Table | None:
    """Pictures among the arrays of an NPZ archive as a table, or None where there are none.

    Names such as x and y, images and labels, or Keras's x_train, y_train, x_test, y_test (which give the
    parts).

    Raises: `DataError` when pictures and labels do not belong together.
    """
    pictures = {
        key: array for key, array in arrays.items() if array.dtype == np.uint8 and array.ndim in (3, 4)
    }
    if not pictures:
        return None
    found = []
    for key, array in pictures.items():
        label = _label_of(key, arrays, set(pictures))
        if label is None and len(arrays) > len(pictures):
            raise DataError(
                f"{name}: the pictures '{key}' have no labels; found {', '.join(arrays)}. Name them alike, "
                "as x and y, or x_train and y_train."
            )
        classes = None if label is None else np.squeeze(arrays[label])
        if label is not None and classes is not None and (classes.ndim != 1 or len(classes) != len(array)):
            raise DataError(
                f"{name}: the pictures '{key}' have the shape {array.shape} and their labels '{label}' the "
                f"shape {arrays[label].shape}; "
                "expected one label a picture."
            )
        found.append((_part_of(key), array, classes, f"{key} of {name}"))
    return _table(sorted(found, key=lambda one: one[0] if one[0] is not None else 0), name, "NPZ", cache_in)


_PICTURE_WORDS = ("x", "images", "image", "data", "pictures", "inputs")
_LABEL_WORDS = ("y", "labels", "label", "target", "targets", "classes", "class")
_PART_WORDS = {
    "train": 0,
    "training": 0,
    "val": 1,
    "valid": 1,
    "validation": 1,
    "dev": 1,
    "test": 2,
    "testing": 2,
}


def _words(key: str) -> list[str]:
    return re.split(r"[_\-. ]", key.lower())


def _part_of(key: str) -> int | None:
    return next((_PART_WORDS[word] for word in _words(key) if word in _PART_WORDS), None)


def _label_of(key: str, arrays: Mapping[str, np.ndarray], pictures: set[str]) -> str | None:
    """The array whose name says the same, with 'y' or 'labels' for 'x' or 'images'."""
    rest = sorted(word for word in _words(key) if word not in _PICTURE_WORDS)
    for other in arrays:
        words = _words(other)
        same = sorted(word for word in words if word not in _LABEL_WORDS) == rest
        if same and other not in pictures and any(word in _LABEL_WORDS for word in words):
            return other
    return None


def _table(
    found: Sequence[tuple[int | None, np.ndarray, np.ndarray | None, str]],
    source: str,
    what: str,
    cache_in: Path | None,
) -> Table:
    stores = [ImageStore.of_array(pixels, name, cache_in=cache_in) for _, pixels, _, name in found]
    store = stores[0] if len(stores) == 1 else ImageStore.joined(stores)
    columns = [place_column("image", len(store))]
    labelled = [classes for _, _, classes, _ in found if classes is not None]
    if len(labelled) == len(found):
        columns.append(pl.Series("class", np.concatenate(labelled)).cast(pl.String))
    parts = None
    if len(found) > 1 and all(part is not None for part, *_ in found):
        parts = np.concatenate([np.full(len(pixels), part, dtype=np.int64) for part, pixels, _, _ in found])
    counts = "; ".join(
        f"{len(pixels):,} pictures {pixels.shape[2]} × {pixels.shape[1]} in {name}"
        for _, pixels, _, name in found
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

"""IDX files, and pictures in NPZ archives."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from handrail.data.sources.media.idx import (
    idx_pairs,
    images_from_npz,
    read_idx,
    read_idx_folder,
    read_idx_pair,
)
from handrail.data.stores.images import ImageStore
from handrail.errors import DataError

RNG = np.random.default_rng(0)
PIXELS, CLASSES = (
    RNG.integers(0, 256, (6, 5, 4)).astype(np.uint8),
    np.array([3, 1, 2, 3, 0, 9], dtype=np.uint8),
)


def idx(array: np.ndarray, code: int = 8) -> bytes:
    return (
        bytes([0, 0, code, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def write(folder: Path, part: str, *, end: str = "-ubyte", dash: str = "-") -> None:
    pack = gzip.compress if end.endswith(".gz") else bytes
    (folder / f"{part}-images{dash}idx3{end}").write_bytes(pack(idx(PIXELS)))
    (folder / f"{part}-labels{dash}idx1{end}").write_bytes(pack(idx(CLASSES)))


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(8, np.uint8), (9, np.int8), (11, np.int16), (12, np.int32), (13, np.float32), (14, np.float64)],
)
def test_every_type_is_read(tmp_path: Path, code: int, dtype: type) -> None:
    array = RNG.integers(-100 if code != 8 else 0, 100, (3, 2)).astype(dtype)
    (tmp_path / "a").write_bytes(idx(array, code))
    (tmp_path / "a.gz").write_bytes(gzip.compress(idx(array, code)))
    for name in ("a", "a.gz"):
        pixels = read_idx(tmp_path / name)
        assert pixels.dtype == dtype
        np.testing.assert_array_equal(pixels, array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n", "is no IDX file: it begins with 89 50 4e 47"),
        (idx(PIXELS)[:10], "is cut short: it ends after 10 bytes, within its header"),
        (idx(PIXELS)[:-7], "is cut short: its header says 6 × 5 × 4 values, 120 bytes, and 113 bytes follow"),
        (idx(PIXELS) + b"more", "is longer than it says"),
    ],
)
def test_damaged_files_say_what_is_wrong(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x-idx3-ubyte").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "x-idx3-ubyte")


def test_a_damaged_archive_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(idx(PIXELS))[:-12])
    with pytest.raises(DataError, match=r"x\.gz cannot be decompressed"):
        read_idx(tmp_path / "x.gz")


def test_pictures_and_labels_must_belong_together(tmp_path: Path) -> None:
    (tmp_path / "i").write_bytes(idx(PIXELS))
    (tmp_path / "l").write_bytes(idx(CLASSES[:4]))
    with pytest.raises(DataError, match=r"holds 6 pictures, and .*l 4 labels; expected as many of both"):
        read_idx_pair(tmp_path / "i", tmp_path / "l")
    with pytest.raises(DataError, match="expected pictures of bytes"):
        read_idx_pair(tmp_path / "l", tmp_path / "l")


@pytest.mark.parametrize(("end", "dash"), [("-ubyte", "-"), ("-ubyte.gz", "-"), ("-ubyte", ".")])
def test_a_folder_of_the_four_files_is_a_table(tmp_path: Path, end: str, dash: str) -> None:
    write(tmp_path, "t10k", end=end, dash=dash)
    write(tmp_path, "train", end=end, dash=dash)
    table = read_idx_folder(tmp_path, idx_pairs(tmp_path))
    assert table.frame["class"].to_list() == [str(code) for code in [*CLASSES, *CLASSES]]
    assert table.parts is not None
    assert table.parts.tolist() == [0] * 6 + [2] * 6
    assert table.target == "class"
    store = table.stores["image"]
    assert isinstance(store, ImageStore)
    np.testing.assert_array_equal(store.pixels((5, 4), 1)[6:, 0].numpy(), PIXELS)
    assert table.row_name(7) == f"image 2 of t10k-images{dash}idx3{end}"


def test_an_archive_beside_its_content_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, "train", end="-ubyte.gz")
    write(tmp_path, "train")
    assert len(idx_pairs(tmp_path)) == 1
    assert read_idx_folder(tmp_path, idx_pairs(tmp_path)).parts is None


def test_missing_labels_and_two_data_sets_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "train")
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(
        DataError, match=r"train-images-idx3-ubyte has no labels beside it; expected train-labels-idx1-ubyte"
    ):
        idx_pairs(tmp_path)
    write(tmp_path, "train")
    write(tmp_path, "emnist-letters-train")
    with pytest.raises(DataError, match="several data sets"):
        idx_pairs(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
    ],
)
def test_npz_as_keras_and_others_name_it(names: tuple[str, ...]) -> None:
    arrays = dict(zip(names, (PIXELS, CLASSES, PIXELS[:2], CLASSES[:2, None]), strict=True))
    table = images_from_npz(arrays, "mnist.npz")
    assert table is not None
    assert table.parts is not None
    assert table.parts.tolist() == [0] * 6 + [2] * 2
    assert table.frame["class"].to_list() == ["3", "1", "2", "3", "0", "9", "3", "1"]
    assert table.row_name(6) == f"image 1 of {names[2]} of mnist.npz"


def test_npz_without_parts_or_labels() -> None:
    table = images_from_npz({"x": np.stack([PIXELS] * 3, axis=-1), "y": np.array(list("abcabc"))}, "a.npz")
    assert table is not None
    assert table.parts is None
    assert table.frame["class"].to_list() == list("abcabc")
    alone = images_from_npz({"pictures": PIXELS}, "a.npz")
    assert alone is not None
    assert (alone.target, alone.frame.columns) == (None, ["image"])
    assert images_from_npz({"x": np.zeros((5, 4)), "y": CLASSES[:5]}, "a.npz") is None
    with pytest.raises(DataError, match="the pictures 'x' have no labels; found x, z"):
        images_from_npz({"x": PIXELS, "z": CLASSES}, "a.npz")
    with pytest.raises(DataError, match="expected one label a picture"):
        images_from_npz({"x": PIXELS, "y": CLASSES[:3]}, "a.npz")


@pytest.mark.parametrize(
    "labels", [np.array(["a", "", "b", " ", "a", "?"]), np.array([1.0, np.nan, 2.0, np.nan, 1.0, np.nan])]
)
def test_an_empty_label_of_an_npz_is_missing_and_no_class(labels: np.ndarray) -> None:
    table = images_from_npz({"x": PIXELS[:6], "y": labels}, "a.npz")
    assert table is not None
    assert table.frame["class"].is_null().to_list() == [False, True, False, True, False, True]

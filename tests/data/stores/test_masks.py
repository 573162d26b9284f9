"""`MaskStore`: values of pixels as classes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from handrail.data.stores.images import ImageStore
from handrail.data.stores.masks import MaskStore
from handrail.data.stores.pixels import workers
from handrail.errors import DataError

RNG = np.random.default_rng(0)


def saved(image: Image.Image, path: Path) -> Path:
    image.save(path)
    return path


def of_values(folder: Path, *masks: np.ndarray, ending: str = "png") -> MaskStore:
    paths = [saved(Image.fromarray(mask), folder / f"{place}.{ending}") for place, mask in enumerate(masks)]
    return MaskStore.of_files(paths, [path.name for path in paths])


def test_0_and_255_are_classes_0_and_1(tmp_path: Path) -> None:
    mask = (RNG.random((6, 8)) < 0.5).astype(np.uint8)
    store = of_values(tmp_path, mask * 255, (1 - mask) * 255)
    assert store.levels == (0, 255)
    np.testing.assert_array_equal(store.labels((6, 8)).numpy(), [mask, 1 - mask])
    assert store.labels((6, 8), [1]).tolist() == [(1 - mask).tolist()]
    assert len(set(store.hashes.tolist())) == 2


def test_palettes_count_by_index_and_colours_by_colour(tmp_path: Path) -> None:
    codes = RNG.integers(0, 3, (5, 5)).astype(np.uint8)
    palette = Image.fromarray(codes)
    palette.putpalette([255, 255, 255, 0, 0, 0, 9, 9, 9])
    indexed = MaskStore.of_files([saved(palette, tmp_path / "a.png")])
    assert indexed.levels == (0, 1, 2)
    np.testing.assert_array_equal(indexed.labels((5, 5))[0].numpy(), codes)
    colours = np.array([[0, 0, 0], [0, 0, 255], [128, 0, 0]], dtype=np.uint8)
    coloured = of_values(tmp_path, colours[codes])
    assert coloured.levels == (0, 0xFF, 0x800000)
    assert coloured.classes_of([0]) == ("0", "#0000ff", "#800000")
    np.testing.assert_array_equal(coloured.labels((5, 5))[0].numpy(), codes)


def test_grey_and_colour_files_of_one_set_agree(tmp_path: Path) -> None:
    mask = (RNG.random((6, 8)) < 0.5).astype(np.uint8) * 255
    store = of_values(tmp_path, mask, np.stack([mask] * 3, axis=-1), mask > 0)
    assert store.levels == (0, 255)
    assert all(torch.equal(labels, store.labels((6, 8))[0]) for labels in store.labels((6, 8)))


def test_classes_may_be_those_of_some_masks(tmp_path: Path) -> None:
    store = of_values(
        tmp_path, np.array([[0, 2], [2, 0]], dtype=np.uint8), np.array([[0, 1], [2, 2]], dtype=np.uint8)
    )
    known = store.values_in([0])
    assert store.classes_of([0]) == ("0", "2")
    assert store.labels((2, 2), values=known).tolist() == [[[0, 1], [1, 0]], [[0, 255], [1, 1]]]
    assert store.labels((2, 2)).tolist()[1] == [[0, 1], [2, 2]]


def test_masks_are_cut_as_pictures_are(tmp_path: Path) -> None:
    blob = np.zeros((40, 90), dtype=np.uint8)
    blob[10:30, 35:60] = 255
    picture = saved(Image.fromarray(blob), tmp_path / "picture.png")
    labels = of_values(tmp_path, blob).labels((20, 20))[0]
    pixels = ImageStore.of_files([picture]).pixels((20, 20), 1)[0, 0]
    sure = (pixels < 64) | (pixels > 191)
    assert sure.float().mean() > 0.8
    assert torch.equal(labels[sure], (pixels[sure] > 128).byte())


def test_joined_masks_share_their_classes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = of_values(tmp_path / "a", np.array([[0, 1]], dtype=np.uint8))
    other = of_values(tmp_path / "b", np.array([[0, 7]], dtype=np.uint8))
    both = MaskStore.join([one, other])
    assert both.levels == (0, 1, 7)
    assert both.labels((1, 2)).tolist() == [[[0, 1]], [[0, 2]]]


def test_pixels_are_counted_by_class_and_the_palette_is_known(tmp_path: Path) -> None:
    store = of_values(tmp_path, np.array([[0, 255], [255, 255]], dtype=np.uint8))
    assert store.pixels_of([0]) == {"0": 1, "255": 3}
    assert store.pixels_of([0, 0]) == {"0": 2, "255": 6}
    assert store.written_as([0]) == {"kind": "colour", "palette": []}
    palette = Image.fromarray(np.array([[0, 1]], dtype=np.uint8))
    palette.putpalette([9, 9, 9, 200, 0, 0])
    store = MaskStore.of_files([saved(palette, tmp_path / "p.png")])
    assert store.written_as([0]) == {"kind": "palette", "palette": [9, 9, 9, 200, 0, 0]}


def test_arrays_are_what_grey_files_of_the_same_values_are(tmp_path: Path) -> None:
    masks = RNG.integers(0, 4, (5, 9, 7)).astype(np.uint8) * 60
    files, arrays = of_values(tmp_path, *masks), MaskStore.of_array(masks, "drawn masks")
    np.testing.assert_array_equal(arrays.hashes, files.hashes)
    assert arrays.pixels_of([1, 3]) == files.pixels_of([1, 3])
    assert arrays.written_as([0]) == files.written_as([0])
    assert arrays.name(2) == "mask 3 of drawn masks"
    joined = MaskStore.join([arrays, files, arrays])
    for size in ((9, 7), (6, 6)):
        labels = files.labels(size)
        assert torch.equal(arrays.labels(size), labels)
        assert torch.equal(joined.labels(size), torch.cat([labels] * 3))
        assert torch.equal(joined.labels(size, [7, 2, 14]), labels[[2, 2, 4]])
    with pytest.raises(DataError, match=r"mask 2 of levels has 65 different values"):
        MaskStore.of_array(np.stack([np.zeros(65), np.arange(65)]).astype(np.uint8)[:, None], "levels")


def test_what_is_no_mask_is_named(tmp_path: Path) -> None:
    smooth = np.arange(200, dtype=np.uint8).reshape(10, 20)
    with pytest.raises(
        DataError, match=r"1\.png has 200 different values; a mask has one value a class, at most 64\. JPEG"
    ):
        of_values(tmp_path, np.zeros((4, 4), dtype=np.uint8), smooth)
    palette = saved(Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).convert("P"), tmp_path / "p.png")
    grey = saved(Image.fromarray(np.zeros((4, 4), dtype=np.uint8)), tmp_path / "g.png")
    with pytest.raises(
        DataError, match=r"several kinds: 1 with a palette \(p\.png\), 1 in grey or colour \(g\.png\)"
    ):
        MaskStore.of_files([grey, palette], ["g.png", "p.png"])


def test_worker_processes_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    masks = [RNG.integers(0, 4, (9, 9)).astype(np.uint8) for _ in range(12)]
    here = of_values(tmp_path, *masks)
    monkeypatch.setattr(workers, "_FILES", 1)
    monkeypatch.setattr(workers, "_BATCH", 4)
    there = of_values(tmp_path, *masks)
    np.testing.assert_array_equal(here.hashes, there.hashes)
    assert torch.equal(here.labels((5, 5)), there.labels((5, 5)))
    np.testing.assert_array_equal(there.labels((9, 9)).numpy(), np.stack(masks))

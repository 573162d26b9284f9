"""Masks beside pictures: matched by their names, and told from classes of pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handrail.data.sources import read
from handrail.data.sources.media.mask_pairs import match, split_one_folder
from handrail.data.table import Table
from handrail.errors import DataError

RNG = np.random.default_rng(0)


def picture(path: Path, *, side: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (side, side)).astype(np.uint8)).save(path)


def mask(path: Path, *, side: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.choice(np.array([0, 255], dtype=np.uint8), (side, side))).save(path)


def fill(folder: Path, pictures: str, masks: str, numbers: Sequence[int] = range(5)) -> Path:
    for number in numbers:
        picture(folder / pictures.format(number))
        mask(folder / masks.format(number))
    return folder


def pairs(table: Table) -> list[tuple[str, str]]:
    """The name of each picture, and that of its mask's file."""
    store = table.stores["mask"]
    files = [Path(path).name for path in store._items]  # pyright: ignore[reportAttributeAccessIssue]
    return [(table.row_name(row), files[row]) for row in range(len(table.frame))]


@pytest.mark.parametrize(
    ("pictures", "masks"),
    [
        ("images/{}.png", "masks/{}_mask.png"),
        ("imgs/{}.jpg", "masks/{}-seg.png"),
        ("images/{}.png", "label/mask_{}.png"),
        ("images/img_{:03d}.png", "labels/label_{:03d}.png"),
        ("images/town_{:04d}_camera.png", "gt/town_{:04d}_gtFine_labelIds.png"),
        ("photos/p{}.png", "masks/p{}_L.png"),
        ("{}.png", "{}_mask.png"),
        ("x{}.png", "mask-x{}.png"),
    ],
)
def test_an_affix_tells_masks_from_pictures(tmp_path: Path, pictures: str, masks: str) -> None:
    table = read(fill(tmp_path, pictures, masks, (1, 2, 15, 115)))
    expected = [(pictures.format(number), Path(masks.format(number)).name) for number in (1, 2, 15, 115)]
    assert sorted(pairs(table)) == sorted(expected)
    assert any(note.startswith("masks are matched with pictures by name: ") for note in table.notes)


def test_equal_names_need_no_rule_and_those_in_sub_folders_stay_apart(tmp_path: Path) -> None:
    for part in "ab":
        fill(tmp_path, f"images/{part}/{{}}.png", f"masks/{part}/{{}}.png", range(2))
    table = read(tmp_path)
    assert [name for name, _ in pairs(table)] == [
        f"images/{part}/{number}.png" for part in "ab" for number in "01"
    ]
    assert len(set(table.stores["mask"].hashes.tolist())) == 4
    assert not any("matched" in note for note in table.notes)


def test_parts_below_pictures_and_masks_are_kept(tmp_path: Path) -> None:
    fill(tmp_path, "images/train/{}.png", "masks/train/{}.png", range(3))
    fill(tmp_path, "images/val/{}.png", "masks/val/{}.png", range(2))
    table = read(tmp_path)
    assert table.parts is not None
    assert table.parts.tolist() == [0, 0, 0, 1, 1]
    assert "parts as the folders give them: training 3, validation 2" in table.notes


def test_what_has_no_partner_is_counted_with_the_guessed_rule(tmp_path: Path) -> None:
    fill(tmp_path, "images/{}.png", "masks/{}_mask.png", range(30))
    (tmp_path / "masks" / "3_mask.png").unlink()
    for number in (5, 6, 7, 8):
        (tmp_path / "images" / f"{number}.png").unlink()
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert caught.value.problems == [
        "1 picture without a mask (images/3.png) and 4 masks without a picture (masks/5_mask.png, "
        "masks/6_mask.png, masks/7_mask.png and 1 more); 25 pairs were found by their names (NAME and "
        "NAME_mask). Add or remove what is missing, or give pictures and masks the same names."
    ]


def test_several_masks_a_picture_and_several_files_of_a_name_are_refused(tmp_path: Path) -> None:
    fill(tmp_path / "several", "images/{}.png", "masks/{}_1.png")
    fill(tmp_path / "several", "images/{}.png", "masks/{}_2.png")
    with pytest.raises(DataError, match="Several masks a picture are not read: join those of a picture"):
        read(tmp_path / "several")
    fill(tmp_path / "twice", "images/{}.png", "masks/{}.png")
    picture(tmp_path / "twice" / "images" / "2.jpg")
    with pytest.raises(DataError, match=r"2\.jpg and 2\.png differ in their ending alone"):
        read(tmp_path / "twice")
    (tmp_path / "bare" / "masks").mkdir(parents=True)
    picture(tmp_path / "bare" / "images" / "1.png")
    with pytest.raises(DataError, match="masks holds no file"):
        read(tmp_path / "bare")


def test_matching_is_by_whole_names() -> None:
    names = [f"{number}.png" for number in range(200)]
    found = match(names, [f"{number}_1.png" for number in range(200)])
    assert found.masks == {f"{number}.png": f"{number}_1.png" for number in range(200)}
    assert match(["1.png", "2.png"], ["3.png", "4.png"]).masks == {}


def test_names_without_a_word_for_masks_are_no_masks_in_one_folder() -> None:
    assert split_one_folder(["3_anna_1.png", "3_otto_2.png", "3.png"]) is None
    assert split_one_folder([*(f"{number}.png" for number in range(9)), "1_mask.png"]) is None
    assert split_one_folder(["a.png", "a_GT.png"]) == (["a.png"], ["a_GT.png"])


@pytest.mark.parametrize(
    "folders", [("images", "cell", "nucleus"), ("raw", "cell", "nucleus"), ("raw", "cells")]
)
@pytest.mark.parametrize("inside", ["", "train/"])
def test_folders_of_masks_are_no_classes(tmp_path: Path, folders: tuple[str, ...], inside: str) -> None:
    for name in folders:
        for number in range(5):
            write = picture if name == folders[0] else mask
            write(tmp_path / f"{inside}{name}" / f"{number}.png")
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    (text,) = caught.value.problems
    assert "is no folder a class" in text
    assert f"they are masks of the pictures in {folders[0]}" in text
    assert "and masks (cells now)" in text if folders[1] == "cells" else "call it masks" in text


def test_other_layouts_of_masks_are_no_classes(tmp_path: Path) -> None:
    for name in "abc":
        picture(tmp_path / "stage" / name / "images" / f"{name}.png")
        mask(tmp_path / "stage" / name / "masks" / "1.png")
    with pytest.raises(
        DataError, match=r"each of its 3 folders .* holds pictures and masks in folders of its own"
    ):
        read(tmp_path / "stage")
    for name in ("benign", "malignant"):
        fill(tmp_path / "scans" / name, f"{name} ({{}}).png", f"{name} ({{}})_mask.png")
    with pytest.raises(DataError, match="10 of its 20 pictures are by name masks of others"):
        read(tmp_path / "scans")
    fill(tmp_path / "more", "images/{}.png", "masks/{}.png")
    mask(tmp_path / "more" / "contours" / "1.png")
    with pytest.raises(DataError, match="besides contours: they are no classes"):
        read(tmp_path / "more")


@pytest.mark.parametrize(
    ("folders", "writers"),
    [
        (("cats", "dogs"), (picture, picture)),
        (("images", "drawings"), (picture, picture)),
        (("alpha", "beta", "gamma"), (mask, mask, mask)),
        (("alpha", "beta", "gamma"), (picture, picture, mask)),
    ],
)
def test_classes_whose_files_have_the_same_names_stay_classes(tmp_path: Path, folders, writers) -> None:
    for name, write in zip(folders, writers, strict=True):
        for number in range(5):
            write(tmp_path / name / f"{number:04d}.png")
    assert sorted(set(read(tmp_path).frame["class"])) == sorted(folders)


def test_pictures_of_16_bits_with_the_same_names_are_classes(tmp_path: Path) -> None:
    for name in ("bright", "dark"):
        (tmp_path / name).mkdir()
        for number in range(3):
            deep = RNG.integers(0, 65536, (8, 16)).astype(np.uint16)
            Image.fromarray(deep).save(tmp_path / name / f"{number}.png")
    assert read(tmp_path).frame["class"].n_unique() == 2


def test_a_photo_and_a_sketch_of_other_names_or_sizes_are_classes(tmp_path: Path) -> None:
    for number in range(5):
        picture(tmp_path / "names" / "photo" / f"p{number}.png")
        mask(tmp_path / "names" / "sketch" / f"s{number}.png")
        picture(tmp_path / "sizes" / "photo" / f"{number}.png")
        mask(tmp_path / "sizes" / "sketch" / f"{number}.png", side=12)
    for name in ("names", "sizes"):
        assert read(tmp_path / name).frame["class"].n_unique() == 2


def test_classes_that_differ_in_case_are_found(tmp_path: Path) -> None:
    for name in ("Cat", "cat", "dog"):
        picture(tmp_path / name / "1.png")
    (finding,) = read(tmp_path).findings
    assert (finding.level, "'Cat' and 'cat'" in finding.seen) == ("warning", True)


def test_pictures_with_the_names_of_papers_are_pictures(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/readme.png", "b/notice_3.png", "b/license.jpg"):
        picture(tmp_path / name)
    (tmp_path / "README_en.md").write_text("")
    (tmp_path / "a" / "License.txt").write_text("")
    assert len(read(tmp_path).frame) == 4
    for name in ("ham", "spam"):
        (tmp_path / "texts" / name).mkdir(parents=True)
        (tmp_path / "texts" / name / "notice_7.txt").write_text("hello")
    assert len(read(tmp_path / "texts").frame) == 2


def test_the_cases(shared_cases: Path) -> None:
    table = read(shared_cases / "masks" / "suffix")
    assert len(table.frame) == 30
    assert "masks are matched with pictures by name: 0_mask.png belongs to 0.png" in table.notes
    with pytest.raises(DataError, match="is no folder a class"):
        read(shared_cases / "masks" / "a-folder-a-class")

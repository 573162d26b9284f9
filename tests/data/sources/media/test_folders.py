"""Folders as tables: every layout, and what is said of those that are not understood."""

import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handrail.data.sources.media.folders import read_folder
from handrail.data.sources.media.idx import read_idx
from handrail.data.sources.media.layout import natural_key
from handrail.data.stores.boxes import BoxStore
from handrail.data.stores.images import ImageStore
from handrail.data.stores.masks import MaskStore
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions

RNG = np.random.default_rng(0)


def picture(path: Path, *, side: int = 6) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (side, side)).astype(np.uint8)).save(path)


def sound(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(RNG.integers(-1000, 1000, 800).astype("<i2").tobytes())


def read(folder: Path, **options) -> Table:
    return read_folder(folder, options=ReadOptions(), **options)


def test_a_folder_a_class(tmp_path: Path) -> None:
    for name in (
        "cats/2.png",
        "cats/10.png",
        "dogs/more/1.jpg",
        "dogs/1.png",
        "dogs/.hidden.png",
        "dogs/Thumbs.db",
        "LICENSE",
        "README.md",
    ):
        path = tmp_path / name
        if path.suffix in (".png", ".jpg"):
            picture(path)
        else:
            path.write_text("no picture")
    table = read(tmp_path)
    assert table.frame["class"].to_list() == ["cats", "cats", "dogs", "dogs"]
    assert [table.row_name(row) for row in range(4)] == [
        "cats/2.png",
        "cats/10.png",
        "dogs/1.png",
        "dogs/more/1.jpg",
    ]
    assert table.target == "class"
    assert table.parts is None
    assert table.notes[0] == "a folder a class: 4 pictures, 2 classes (cats 2, dogs 2)"
    assert len(table.stores["image"]) == 4


def test_parts_as_the_folders_give_them(tmp_path: Path) -> None:
    for part, items in (("train", 3), ("valid", 2), ("test", 1)):
        for name in ("a", "b"):
            for place in range(items):
                picture(tmp_path / part / name / f"{place}.png")
    table = read(tmp_path)
    assert table.parts is not None
    assert np.bincount(table.parts).tolist() == [6, 4, 2]
    assert table.row_name(6) == "valid/a/0.png"
    assert "parts as the folders give them: training 6, validation 4, test 2" in table.notes


def test_a_part_without_classes_is_left_out_and_said(tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(tmp_path / "train" / name / "0.png")
        picture(tmp_path / "val" / name / "0.png")
    picture(tmp_path / "test" / "9.png")
    table = read(tmp_path)
    assert table.parts is not None
    assert table.parts.tolist() == [0, 0, 1, 1]
    assert any(
        note.startswith("the 1 test files are left out: they are files in one folder") for note in table.notes
    )


def test_a_lone_training_folder_gives_no_parts(tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(tmp_path / "train" / name / "0.png")
    table = read(tmp_path)
    assert table.parts is None
    assert "only a folder train: validation and test rows are drawn from it" in table.notes


def test_two_folders_of_one_part_and_other_kinds_are_refused(tmp_path: Path) -> None:
    for part in ("train", "val", "valid"):
        for name in ("a", "b"):
            picture(tmp_path / part / name / "0.png")
    with pytest.raises(DataError, match="several folders for the validation part: val, valid"):
        read(tmp_path)


@pytest.mark.parametrize(("images", "masks"), [("image", "label"), ("images", "masks")])
def test_pictures_beside_masks(tmp_path: Path, images: str, masks: str) -> None:
    for place in range(3):
        picture(tmp_path / images / f"{place}.png")
        Image.fromarray(np.tril(np.full((6, 6), 255, dtype=np.uint8), place)).save(
            tmp_path / images / f"m{place}.png"
        )
        (tmp_path / masks).mkdir(exist_ok=True)
        (tmp_path / images / f"m{place}.png").rename(tmp_path / masks / f"{place}.png")
    table = read(tmp_path)
    assert table.frame.columns == ["image", "mask"]
    assert table.target == "mask"
    store = table.stores["mask"]
    assert isinstance(store, MaskStore)
    assert store.labels((6, 6))[1].sum() == 26
    (tmp_path / masks / "2.png").unlink()
    picture(tmp_path / masks / "7.png")
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert caught.value.problems == [
        f"1 picture without a mask ({images}/2.png) and 1 mask without a picture ({masks}/7.png); "
        "2 pairs were found that have the same name, apart from the ending. Add or remove what is missing, "
        "or give pictures and masks the same names."
    ]


def test_a_mask_of_another_size_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "image" / "1.png", side=8)
    (tmp_path / "mask").mkdir()
    Image.new("L", (8, 7)).save(tmp_path / "mask" / "1.png")
    with pytest.raises(DataError, match=r"image/1\.png is 8 × 8 pixels, and its mask 8 × 7"):
        read(tmp_path)


def test_names_with_equally_many_parts_are_columns(tmp_path: Path) -> None:
    for name in ("3_anna_1", "3_otto_2", "7_anna_1"):
        picture(tmp_path / f"{name}.png")
    table = read(tmp_path)
    assert table.frame["name_1"].to_list() == ["3", "3", "7"]
    assert table.frame["name_2"].to_list() == ["anna", "otto", "anna"]
    assert table.target is None
    assert "name one as the target" in table.notes[0]


def test_files_without_classes_serve_for_answers_alone(tmp_path: Path) -> None:
    for name in ("x", "y_z"):
        picture(tmp_path / f"{name}.png")
    with pytest.raises(
        DataError,
        match=r"holds 2 pictures in one folder, and nothing says what is to be learned "
        r".* folder for each class",
    ):
        read(tmp_path)
    table = read(tmp_path, labelled=False)
    assert table.frame.columns == ["image"]
    assert table.row_name(1) == "y_z.png"


def test_texts_in_class_folders(tmp_path: Path) -> None:
    for name, text in (("ham", b"hello"), ("spam", "Gewinn für Sie".encode("cp1252"))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.txt").write_bytes(text)
    table = read(tmp_path)
    assert table.frame.rows() == [("hello", "ham"), ("Gewinn für Sie", "spam")]
    assert table.target == "class"
    (tmp_path / "ham" / "2.txt").write_bytes(b"\0\1\2\3" * 50)
    with pytest.raises(DataError, match=r"ham/2\.txt is not text"):
        read(tmp_path)


def test_sounds_in_class_folders(tmp_path: Path) -> None:
    for name in ("yes/1.wav", "no/1.wav", "no/2.wav"):
        sound(tmp_path / name)
    table = read(tmp_path)
    assert table.frame.columns == ["audio", "class"]
    assert table.frame["class"].to_list() == ["no", "no", "yes"]
    assert len(table.stores["audio"]) == 3


def test_every_empty_class_folder_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "a" / "1.png")
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / ".DS_Store").write_text("")
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert [
        f"{name} holds no file" in problem for name, problem in zip("bc", caught.value.problems, strict=True)
    ] == [True, True]
    assert "remove it if there is no such class" in caught.value.problems[0]


def test_what_does_not_belong_there_is_named(tmp_path: Path) -> None:
    for place in range(5):
        picture(tmp_path / "a" / f"{place}.png")
        picture(tmp_path / "b" / f"{place}.png")
    (tmp_path / "b" / "notes.docx").write_text("")
    with pytest.raises(DataError, match=r"holds pictures, but also b/notes\.docx\. Move or remove"):
        read(tmp_path)


def test_layouts_that_are_not_understood_say_what_was_found(tmp_path: Path) -> None:
    for place in range(4):
        picture(tmp_path / "a" / f"{place}.png")
        sound(tmp_path / "b" / f"{place}.wav")
    with pytest.raises(
        DataError, match=r"holds 4 files \.png, 4 files \.wav; expected .* Understood are: a folder a class"
    ):
        read(tmp_path)
    (tmp_path / "labels.csv").write_text("a,b\n")
    with pytest.raises(
        DataError, match=r"holds 2 folders \(a, b\) and beside them 1 file \.csv\. Understood are"
    ):
        read(tmp_path)


def test_a_folder_of_tables_says_to_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"To read a table or a text, name the file itself: .*people\.csv"):
        read(tmp_path)
    (tmp_path / "people.csv").unlink()
    with pytest.raises(DataError, match="holds nothing that can be read"):
        read(tmp_path)
    with pytest.raises(DataError, match="there is no folder"):
        read(tmp_path / "none")


def test_a_link_that_leads_back_is_followed_once(tmp_path: Path) -> None:
    picture(tmp_path / "a" / "1.png")
    picture(tmp_path / "b" / "1.png")
    (tmp_path / "b" / "again").symlink_to(tmp_path / "b")
    assert len(read(tmp_path).frame) == 2


def test_names_in_natural_order() -> None:
    assert sorted(["10.png", "9.png", "a2", "a10", "a", "1_b"], key=natural_key) == [
        "1_b",
        "9.png",
        "10.png",
        "a",
        "a2",
        "a10",
    ]


# real data


def test_mnist_files_are_the_pictures_that_png_copies_are(shared_data: Path, tmp_path: Path) -> None:
    table = read(shared_data / "mnist")
    assert table.parts is not None
    assert np.bincount(table.parts).tolist() == [60_000, 0, 10_000]
    store = table.stores["image"]
    assert isinstance(store, ImageStore)
    digits = read_idx(shared_data / "mnist" / "t10k-images-idx3-ubyte.gz")[:50]
    for place, digit in enumerate(digits):
        folder = tmp_path / table.frame["class"][60_000 + place]
        folder.mkdir(exist_ok=True)
        Image.fromarray(digit).save(folder / f"{place}.png")
    copies = read(tmp_path)
    order = [int(copies.row_name(row).split("/")[1].removesuffix(".png")) for row in range(50)]
    np.testing.assert_array_equal(copies.stores["image"].hashes, store.hashes[60_000:][order])
    assert len(set(store.hashes.tolist())) == 70_000  # no picture of MNIST is there twice


def test_hymenoptera_names_the_file_that_is_no_photograph(shared_data: Path) -> None:
    table = read(shared_data / "hymenoptera")
    assert table.parts is not None
    counts = (
        table.frame.with_columns(part=table.parts)
        .group_by("part", "class")
        .len()
        .sort("part", "class")
        .rows()
    )
    assert counts == [(0, "ants", 124), (0, "bees", 121), (1, "ants", 70), (1, "bees", 83)]
    remark = next(note for note in table.notes if note.startswith("train/ants/imageNotFound.gif"))
    assert "file format GIF (JPEG in 397 of the 398 files)" in remark
    assert "remove it if it shows none" in remark


def test_blood_cells_have_their_boxes_and_parts(shared_data: Path) -> None:
    table = read(shared_data / "bccd")
    assert table.parts is not None
    assert np.bincount(table.parts).tolist() == [205, 87, 72]
    boxes = table.stores["boxes"]
    assert isinstance(boxes, BoxStore)
    codes = np.concatenate([boxes.boxes(place)[1] for place in range(len(boxes))])
    assert dict(zip(boxes.classes, np.bincount(codes).tolist(), strict=True)) == {
        "Platelets": 361,
        "RBC": 4153,
        "WBC": 372,
    }
    assert boxes.remarks[0].startswith(
        "2 empty boxes are left out: BloodImage_00338.jpg (RBC), BloodImage_00343.jpg (RBC)"
    )


def test_membranes_have_masks_of_two_classes(shared_data: Path) -> None:
    table = read(shared_data / "isbi2012-membrane")
    assert len(table.frame) == 30
    masks = table.stores["mask"]
    assert isinstance(masks, MaskStore)
    assert masks.levels == (0, 255)
    assert masks.labels((512, 512), [0]).unique().tolist() == [0, 1]


def test_spoken_digits_have_the_parts_of_their_names(shared_data: Path) -> None:
    table = read(shared_data / "fsdd")
    assert len(table.frame) == 3000
    assert table.frame["name_1"].n_unique() == 10
    assert table.frame["name_2"].n_unique() == 6


def test_ucr_files_are_series(shared_data: Path) -> None:
    table = read(shared_data / "ucr" / "GunPoint")
    assert table.frame.columns == ["series", "class"]
    assert table.parts is not None
    assert np.bincount(table.parts).tolist() == [50, 0, 150]

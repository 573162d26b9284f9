"""Boxes in formats that are not read yet are refused by name, and never taken for classes or recipes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handrail.data.sources import read
from handrail.errors import DataError, RecipeError
from handrail.recipe import Recipe

COCO = '{"info": {}, "images": [{"id": 1, "file_name": "0.jpg"}], "annotations": [], "categories": []}'
YOLO = "0 0.5 0.5 0.25 0.5\n12 .1 .2 1e-1 1\n"
VOC = "<annotation><object><name>a</name></object></annotation>"


def pictures(*folders: Path) -> None:
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(3):
            Image.fromarray(np.full((8, 8), 40 * number, dtype=np.uint8)).save(folder / f"{number}.jpg")


def texts(folder: Path, text: str, suffix: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(3):
        (folder / f"{number}{suffix}").write_text(text)


def coco(folder: Path) -> Path:
    pictures(folder / "train2017")
    (folder / "annotations").mkdir()
    (folder / "annotations" / "instances_train2017.json").write_text(COCO)
    return folder


def roboflow(folder: Path) -> Path:
    pictures(folder / "train", folder / "valid")
    for part in ("train", "valid"):
        (folder / part / "_annotations.coco.json").write_text(COCO)
    return folder


def coco_file(folder: Path) -> Path:
    return coco(folder) / "annotations" / "instances_train2017.json"


def yolo(folder: Path) -> Path:
    for part in ("train", "val"):
        pictures(folder / "images" / part)
        texts(folder / "labels" / part, YOLO, ".txt")
    (folder / "data.yaml").write_text("path: .\ntrain: images/train\nnames: [a, b]\n")
    return folder


def yolo_by_part(folder: Path) -> Path:
    for part in ("train", "valid"):
        pictures(folder / part / "images")
        texts(folder / part / "labels", YOLO, ".txt")
    return folder


def yolo_beside(folder: Path) -> Path:
    pictures(folder)
    texts(folder, YOLO, ".txt")
    (folder / "classes.txt").write_text("a\nb\n")
    return folder


def yolo_labels(folder: Path) -> Path:
    return yolo(folder) / "labels"


def labelme(folder: Path) -> Path:
    pictures(folder)
    texts(folder, '{"version": "5", "shapes": []}', ".json")
    return folder


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (coco, "COCO"),
        (roboflow, "COCO"),
        (coco_file, "COCO"),
        (yolo, "YOLO"),
        (yolo_by_part, "YOLO"),
        (yolo_beside, "YOLO"),
        (yolo_labels, "YOLO"),
        (labelme, "LabelMe"),
    ],
)
def test_formats_that_are_not_read_are_named(tmp_path: Path, write: Callable, name: str) -> None:
    with pytest.raises(DataError) as caught:
        read(write(tmp_path / "boxes"))
    (text,) = caught.value.problems
    assert f"in the format of {name} (" in text
    assert "not read yet. Boxes are read in the layout of Pascal VOC" in text


def test_the_file_of_yolo_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(
        RecipeError, match=r"data\.yaml is no recipe: it says where pictures with boxes .* YOLO"
    ):
        Recipe.load(yolo(tmp_path) / "data.yaml")
    (tmp_path / "own.yaml").write_text("data: {source: x.csv}\nnames: 3\ntrain: 4\n")
    with pytest.raises(RecipeError, match="names: unknown setting"):
        Recipe.load(tmp_path / "own.yaml")


def test_files_of_voc_in_another_layout_are_named(tmp_path: Path) -> None:
    pictures(tmp_path / "flat")
    texts(tmp_path / "flat", VOC, ".xml")
    with pytest.raises(DataError, match=r"files of Pascal VOC \(0.xml\), but not in its layout"):
        read(tmp_path / "flat")
    pictures(tmp_path / "kit" / "VOC2012" / "JPEGImages")
    texts(tmp_path / "kit" / "VOC2012" / "Annotations", VOC, ".xml")
    with pytest.raises(
        DataError, match=r"name the folder that holds JPEGImages and Annotations itself: .*VOC2012"
    ):
        read(tmp_path / "kit")


def test_tables_and_texts_are_read_as_ever(tmp_path: Path) -> None:
    (tmp_path / "plain.json").write_text('{"images": [1, 2], "price": [3, 4]}')
    assert read(tmp_path / "plain.json").frame.columns == ["images", "price"]
    for name in ("ham", "spam"):
        texts(tmp_path / "texts" / name, "1 is not enough", ".txt")
    assert len(read(tmp_path / "texts").frame) == 6


def test_the_cases(shared_cases: Path) -> None:
    for name in ("coco", "yolo"):
        with pytest.raises(DataError, match=f"in the format of {name.upper()} "):
            read(shared_cases / "boxes" / name)

"""`BoxStore`, and the Pascal VOC layout."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handrail.data.sources.media.pascal_voc import read_annotation, read_voc
from handrail.data.stores.boxes import BoxStore
from handrail.errors import DataError


def store(corners: list, labels: list[list[str]]) -> BoxStore:
    return BoxStore(
        [np.array(some, dtype=float) for some in corners],
        labels,
        sizes=np.full((len(corners), 2), 100),
        names=["a", "b"][: len(corners)],
    )


def test_boxes_and_codes_by_name() -> None:
    objects = store([[[1, 2, 30, 40], [5, 5, 9, 9]], []], [["dog", "cat"], []])
    assert objects.classes == ("cat", "dog")
    boxes, codes = objects.boxes(0)
    assert boxes.tolist() == [[1, 2, 30, 40], [5, 5, 9, 9]]
    assert codes.tolist() == [1, 0]
    assert objects.boxes(1)[0].shape == (0, 4)
    assert objects.classes_of([1]) == ()
    assert objects.remarks == ()


def test_empty_boxes_are_left_out_and_named_and_others_cut_at_the_edge() -> None:
    boxes = store(
        [[[5, 5, 5, 9], [90, 90, 120, 95], [110, 0, 120, 10]], [[1, 9, 4, 3]]], [["x", "y", "z"], ["x"]]
    )
    assert boxes.boxes(0)[0].tolist() == [[90, 90, 100, 95]]
    assert len(boxes.boxes(1)[0]) == 0
    assert boxes.remarks[0] == "3 empty boxes are left out: a (x), a (z), b (x)."
    assert "boxes of 1 pictures reach beyond the edge and are cut there: a." in boxes.remarks[1]


def test_hashes_are_by_content_whatever_the_order() -> None:
    one = store([[[1, 2, 3, 4], [5, 6, 7, 8]], [[1, 2, 3, 4]]], [["x", "y"], ["y"]])
    same = store([[[5, 6, 7, 8], [1, 2, 3, 4]], [[1, 2, 3, 4]]], [["y", "x"], ["x"]])
    assert one.hashes[0] == same.hashes[0]
    assert one.hashes[1] != same.hashes[1]


def test_joined_stores_count_classes_together() -> None:
    both = BoxStore.join(
        [store([[[1, 2, 3, 4]]], [["dog"]]), store([[[1, 2, 3, 4]], [[5, 5, 6, 6]]], [["ant"], ["dog"]])]
    )
    assert both.classes == ("ant", "dog")
    assert [both.boxes(place)[1].tolist() for place in range(3)] == [[1], [0], [1]]


def annotation(*objects: str, width: int = 50, height: int = 40) -> str:
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation>{size}{''.join(objects)}</annotation>"


def box(name: str, *corners: object) -> str:
    parts = "".join(
        f"<{side}>{value}</{side}>"
        for side, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    )
    return f"<object><name>{name}</name><bndbox>{parts}</bndbox></object>"


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (tmp_path / name).mkdir(parents=True)
    for stem in "abcd":
        Image.new("RGB", (50, 40)).save(tmp_path / "JPEGImages" / f"{stem}.jpg")
        (tmp_path / "Annotations" / f"{stem}.xml").write_text(annotation(box("cell", 1, 2, 30, 20)))
    for name, stems in (("train", "ab"), ("val", "c"), ("test", "d"), ("trainval", "abc")):
        (tmp_path / "ImageSets" / "Main" / f"{name}.txt").write_text("\n".join(stems) + "\n")
    return tmp_path


def test_voc_gives_pictures_boxes_and_parts(voc: Path) -> None:
    table = read_voc(voc)
    assert table.frame.columns == ["image", "boxes"]
    assert table.target == "boxes"
    assert table.parts is not None
    assert table.parts.tolist() == [0, 0, 1, 2]
    assert table.row_name(2) == "c.jpg"
    assert table.notes == ("Pascal VOC layout: 4 pictures with boxes in train 2, val 1, test 1",)


def test_what_stands_in_no_list_or_has_no_boxes_is_left_out_and_named(voc: Path) -> None:
    (voc / "ImageSets" / "Main" / "test.txt").write_text("")
    (voc / "Annotations" / "b.xml").unlink()
    table = read_voc(voc)
    assert len(table.frame) == 2
    assert "1 pictures have no file in Annotations and are left out: b.jpg." in table.notes
    assert "1 pictures are in no list of ImageSets/Main and are left out: d.jpg." in table.notes


def test_mistakes_in_voc_are_named_together(voc: Path) -> None:
    (voc / "Annotations" / "a.xml").write_text(annotation(box("cell", 1, 2, "wide", 20)))
    (voc / "Annotations" / "b.xml").write_text("<annotation>")
    (voc / "Annotations" / "c.xml").write_text(annotation(width=40, height=50))
    with pytest.raises(DataError) as caught:
        read_voc(voc)
    first, second, third = caught.value.problems
    assert (
        "a.xml: object 1 lacks a number for xmax; expected name and bndbox with xmin, ymin, xmax, ymax."
        in first
    )
    assert "b.xml cannot be read as XML" in second
    assert (
        third == "c.xml says that c.jpg is 40 × 50 pixels, and it is 50 × 40: its boxes would be misplaced."
    )


def test_lists_that_contradict_are_refused(voc: Path) -> None:
    (voc / "ImageSets" / "Main" / "val.txt").write_text("c\na\nz\n")
    with pytest.raises(DataError) as caught:
        read_voc(voc)
    assert caught.value.problems == [
        "'a' is in two lists of ImageSets/Main; a picture belongs to one part.",
        "val.txt in ImageSets/Main names 'z', which is not in JPEGImages.",
    ]


def test_an_entity_bomb_does_not_go_off(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(12))
    path = tmp_path / "bomb.xml"
    path.write_text(
        "<!DOCTYPE a [<!ENTITY e0 "
        f'"{"x" * 100}">{entities}]><annotation><object><name>&e12;</name></object></annotation>'
    )
    with pytest.raises(DataError, match=r"bomb\.xml cannot be read as XML"):
        read_annotation(path)

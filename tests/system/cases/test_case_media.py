"""Masks, boxes and texts as people have them."""

from pathlib import Path

import numpy as np
import pytest
from case_rows import Cli, rows
from PIL import Image


def values_of(folder: Path) -> set[int]:
    """All values of the masks in a folder."""
    masks = [np.asarray(Image.open(path)) for path in sorted(folder.rglob("*.png"))]
    assert masks
    return {int(value) for mask in masks for value in np.unique(mask)}


@rows("masks/void")
def test_pixels_that_nobody_has_labelled(path: Path, cli: Cli) -> None:
    checked = cli.check(path, None)
    assert checked.json["task"]["classes"] == ["0", "1"]
    checked.said("255", "neither in the loss nor in any figure", "data.masks.ignore=")
    summary, printed = cli.fit(path, None, "training.epochs=1")
    assert "255" in printed
    assert summary["task"]["classes"] == ["0", "1"]
    assert cli.run("predict", "run", path / "images", "-o", "answers").code == 0
    assert values_of(path / "masks") == {0, 1, 255}
    assert values_of(cli.folder / "answers") <= {0, 1}


@rows("masks/a-folder-a-class")
def test_folders_of_masks_are_no_classes(path: Path, cli: Cli) -> None:
    cli.check(path, None).refused("images", "cell", "nucleus", "same names", "masks")
    cli.run("fit", path, "--out", "run").refused("same names")
    assert not any(cli.folder.iterdir())


@rows("masks/suffix")
def test_masks_that_differ_by_a_suffix(path: Path, cli: Cli) -> None:
    checked = cli.check(path, None)
    assert checked.json["task"]["name"] == "mask"
    summary, printed = cli.fit(path, None, "training.epochs=1")
    assert summary["rows"] == {"train": 21, "validation": 5, "test": 4}
    assert "0_mask.png" in printed
    assert cli.run("predict", "run", path / "images", "-o", "answers").code == 0
    assert len(list((cli.folder / "answers").iterdir())) == 30
    assert values_of(cli.folder / "answers") <= values_of(path / "masks")


@rows("boxes/coco", "boxes/yolo")
@pytest.mark.parametrize("part", ["", "annotations/instances_train2017.json", "data.yaml"])
def test_other_formats_of_boxes_wait(name: str, path: Path, part: str, cli: Cli) -> None:
    if not (path / part).exists():
        pytest.skip("a file of the other format")
    form = "COCO" if "coco" in name else "YOLO"
    cli.check(path / part, None).refused(form, "yet", "Pascal VOC")


@rows("text/chinese.csv")
def test_text_without_spaces(path: Path, cli: Cli) -> None:
    assert cli.check(path, "label").kinds == {"text": "text"}
    summary, _ = cli.fit(path, "label", "training.epochs=10")
    assert summary["metrics"]["accuracy"]["value"] > 0.9  # as words, each text would be one of its own


@rows("text/jsonl.jsonl")
def test_nested_columns_may_be_dropped(path: Path, cli: Cli) -> None:
    cli.check(path, "label").refused("'meta'", "'tags'", "data.drop=[meta, tags]")
    checked = cli.check(path, "label", "data.drop=[meta,tags]")
    assert checked.kinds == {"text": "text"}


@rows("text/nul.csv")
def test_a_nul_byte_is_named_by_its_line(path: Path, cli: Cli) -> None:
    cli.check(path, "label").refused("nul.csv", "line 42", "NUL byte")


@rows("text/pairs.csv", "text/short_pairs.tsv")
def test_pairs_of_texts(name: str, path: Path, cli: Cli) -> None:
    source, other = ("english", None) if "csv" in name else ("go now", "CC-BY")
    cli.check(path, 2).refused("data.task=sequence")
    checked = cli.check(path, 2, "data.task=sequence")
    assert checked.kinds[source] == "text"
    if other:
        assert {kind for column, kind in checked.kinds.items() if other in column} == {"identifier"}
        checked.said(f"'{source}'", other, "set aside")
    summary, _ = cli.fit(path, 2, "data.task=sequence", "training.epochs=1")
    assert summary["task"]["name"] == "sequence"
    assert summary["training"]["inputs"]

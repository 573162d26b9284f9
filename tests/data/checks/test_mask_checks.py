"""Values of masks that are no class: found by convention, said, and decided otherwise by a setting."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from handrail.data.dataset import Dataset
from handrail.data.finding import Finding
from handrail.data.prepare import prepare
from handrail.data.targets.void import find_void
from handrail.errors import DataError
from handrail.recipe import Recipe

RNG = np.random.default_rng(0)


def written(folder: Path, values: list[int], *, masks: int = 10, palette: list[int] | None = None) -> Path:
    """Pictures beside masks that all hold these values."""
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for place in range(masks):
        mask = np.resize(np.array(values, dtype=np.uint8), (6, 6))
        image = Image.fromarray(mask)
        if palette:
            image.putpalette(palette)
        image.save(folder / "masks" / f"{place}.png")
        picture = RNG.integers(0, 256, (6, 6)).astype(np.uint8)
        Image.fromarray(picture).save(folder / "images" / f"{place}.png")
    return folder


def prepared(folder: Path, ignore: Any = "auto") -> tuple[Dataset, list[Finding]]:
    data = prepare(Recipe.parse({"data": {"source": str(folder), "masks": {"ignore": ignore}}}).data)
    names = ("ignored-values", "likely-void", "no-pixel-counts")
    return data, [finding for finding in data.findings if finding.name in names]


@pytest.mark.parametrize(
    ("names", "void"),
    [
        (("0", "1", "255"), ("255",)),
        (("1", "2", "3", "255"), ("255",)),
        (("0", "2", "3", "7", "255"), ("255",)),
        (("0", "1", "65535"), ("65535",)),
        (("0", "#800000", "#e0e0c0"), ("#e0e0c0",)),
        (("0", "255"), ()),
        (("1", "255"), ()),
        (("0", "1", "2"), ()),
        (("0", "128", "255"), ()),
        (("0", "50", "255"), ()),
        (("0", "#e0e0c0"), ()),
        (("0", "#123456", "#e0e0c0"), ()),
    ],
)
def test_what_usually_is_no_class(names: tuple[str, ...], void: tuple[str, ...]) -> None:
    assert find_void(names) == void


def test_a_void_beside_small_codes_is_left_out_and_said_with_its_setting(tmp_path: Path) -> None:
    palette = RNG.integers(0, 256, 768).tolist()
    data, (finding,) = prepared(written(tmp_path, [0, 1, 2, 255], palette=palette))
    assert (data.task.classes, data.task.ignored) == (("0", "1", "2"), ("255",))
    assert finding.decided
    assert finding.seen == "Masks: 255 in 25.0% of the training pixels, beside the 3 classes 0, 1, 2."
    assert "data.masks.ignore=none" in finding.action


def test_the_setting_decides_otherwise(tmp_path: Path) -> None:
    folder = written(tmp_path, [0, 1, 255])
    data, found = prepared(folder, "none")
    assert (data.task.classes, found) == (("0", "1", "255"), [])
    data, (finding,) = prepared(folder, 0)
    assert (data.task.classes, data.task.ignored, finding.decided) == (("1", "255"), ("0",), False)
    data, _ = prepared(folder, [0, 255])
    assert data.task.classes == ("1",)
    with pytest.raises(DataError, match="nothing but 0, 1, 255; expected at least one value that is a class"):
        prepared(folder, [0, 1, 255])
    _, (finding,) = prepared(folder, 225)
    assert (finding.level, finding.seen) == (
        "warning",
        "data.masks.ignore names 225, which no training or validation mask holds; they hold 0, 1, 255.",
    )


def test_colours_are_named_as_the_setting_takes_them(tmp_path: Path) -> None:
    folder = written(tmp_path, [0])
    colours = np.array([[0, 0, 0], [128, 0, 0], [1, 2, 3]], dtype=np.uint8)
    for place in range(10):
        mask = colours[np.resize([0, 1, 2], (6, 6))]
        Image.fromarray(mask).save(folder / "masks" / f"{place}.png")
    assert prepared(folder)[0].task.classes == ("0", "#010203", "#800000")
    for setting in ("#010203", "010203"):
        data, _ = prepared(folder, setting)
        assert (data.task.classes, data.task.ignored) == (("0", "#800000"), ("#010203",))


def test_two_values_are_two_classes_and_gaps_are_asked_about(tmp_path: Path) -> None:
    for name in ("two", "gaps", "even"):
        (tmp_path / name).mkdir()
    data, found = prepared(written(tmp_path / "two", [0, 255]))
    assert (data.task.classes, found) == (("0", "255"), [])
    data, (finding,) = prepared(written(tmp_path / "gaps", [0, 40, 255]))
    assert data.task.classes == ("0", "40", "255")
    assert "data.masks.ignore=255 leaves such pixels out" in finding.action
    assert prepared(written(tmp_path / "even", [0, 127, 255]))[1] == []


def test_masks_without_a_pixel_that_counts_are_named(tmp_path: Path) -> None:
    folder = written(tmp_path, [0, 1, 255], masks=20)
    for place in range(0, 20, 2):
        Image.fromarray(np.full((6, 6), 255, dtype=np.uint8)).save(folder / "masks" / f"{place}.png")
    _, found = prepared(folder)
    assert any(
        finding.name == "no-pixel-counts" and "masks hold nothing but 255" in finding.seen
        for finding in found
    )

"""Predicted masks as files: the data's own values and colours, and no file over another."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

import handrail
from handrail.cli import app
from handrail.data.writers.masks import describe_maps, mask_names, write_maps
from handrail.errors import HandrailError
from handrail.run import Run, predict_source
from handrail.runs.answers.predict import Answers

SMALL = {
    "training.epochs": 1,
    "model.unet.depth": 1,
    "model.unet.width": 4,
    "training.precision": "float32",
    "evaluation.resamples": 100,
}
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["1.jpg", "2.png"], ["1", "2"]),
        (["a/1.png", "b/1.png"], ["a/1", "b/1"]),
        (["1.jpg", "1.png", "2.png"], ["1.jpg", "1.png", "2"]),
        (["x.png", "X.PNG"], ["x.png_1", "X.PNG_2"]),
        (["1.png", "1.png"], ["1.png_1", "1.png_2"]),
        (["../../1.png", "/etc/2.png"], ["1", "etc/2"]),
    ],
)
def test_no_two_masks_have_one_name_and_none_leads_out(names: list[str], expected: list[str]) -> None:
    assert mask_names(names) == expected


def test_every_answer_is_a_file_of_its_own(tmp_path: Path) -> None:
    maps = [np.full((2, 3), value, dtype=np.uint8) for value in (7, 8, 9)]
    answers = Answers(pl.DataFrame({"file": ["1.jpg", "1.png", "a/2.png"]}), [], maps)
    paths = write_maps(answers, tmp_path / "out")
    assert [np.asarray(Image.open(path))[0, 0] for path in paths] == [7, 8, 9]
    assert len(list((tmp_path / "out").rglob("*.png"))) == 3
    text = describe_maps(paths, answers)
    assert text.startswith("3 masks (3 × 2 pixels as the network sees pictures")
    assert "2 of them with the picture's ending in the name (1.jpg.png, 1.png.png" in text
    with pytest.raises(HandrailError, match="already exists"):
        write_maps(answers, tmp_path / "out")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Masks with a palette, two classes and pixels that nobody has labelled."""
    folder = tmp_path_factory.mktemp("masks")
    palette = RNG.integers(0, 256, 768).tolist()
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for number in range(16):
        picture = RNG.integers(0, 120, (8, 8)).astype(np.uint8)
        picture[2:6, 2:6] += 120
        codes = np.where(picture > 119, 5, 3).astype(np.uint8)
        codes[0] = 255
        mask = Image.fromarray(codes)
        mask.putpalette(palette)
        mask.save(folder / "masks" / f"{number}_mask.png")
        Image.fromarray(picture).save(folder / "images" / f"{number}.png")
    changes = {**SMALL, "data.masks.ignore": 255}  # 3 and 5 have gaps, so that the void has to be named
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("handrail.report.page.write_report", lambda run: run.folder.report)
        return handrail.fit(folder, out=tmp_path_factory.mktemp("runs") / "run", changes=changes)


def test_a_run_knows_what_is_ignored_and_answers_with_values_and_colours(fitted: Run, tmp_path: Path) -> None:
    assert fitted.pipeline.task.classes == ("3", "5")
    assert fitted.pipeline.task.ignored == ("255",)
    again = handrail.load(fitted.folder.path)
    source = Path(fitted.recipe.data.source) / "images"
    answers = predict_source(again, str(source))
    assert set(np.unique(np.stack(answers.maps))) <= {3, 5}
    assert answers.frame.columns == ["file", "share_3", "share_5"]
    path = write_maps(answers, tmp_path / "out")[0]
    with Image.open(path) as image, Image.open(source.parent / "masks" / "0_mask.png") as mask:
        assert image.mode == "P"
        assert image.getpalette() == mask.getpalette()


def test_the_command_line_keeps_pictures_of_one_name_apart(fitted: Run, tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png", "b/1.bmp"):
        (tmp_path / "new" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, (8, 8)).astype(np.uint8)).save(tmp_path / "new" / name)
    run, out = str(fitted.folder.path), tmp_path / "found"
    for place, source in enumerate(("new", "new/*/1.*")):
        result = CliRunner().invoke(app, ["predict", run, str(tmp_path / source), "-o", f"{out}{place}"])
        assert result.exit_code == 0, result.output
        files = sorted(
            str(path.relative_to(f"{out}{place}")) for path in Path(f"{out}{place}").rglob("*.png")
        )
        assert files == ["a/1.png", "b/1.bmp.png", "b/1.png.png"]
    for arguments, message in (
        (["-o", f"{out}0", "--overwrite"], "--overwrite has no effect on a folder of masks"),
        (["-o", f"{out}.png"], "masks are written into a folder"),
    ):
        result = CliRunner().invoke(app, ["predict", run, str(tmp_path / "new"), *arguments])
        assert result.exit_code != 0
        assert message in result.output + str(result.exception)

"""Bad input of every kind, by the command line: one message that names the file, exit code 2, no traceback,
nothing left.
"""

import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from kinds import (
    KINDS,
    idx,
    masks,
    mixed,
    npz,
    pictures,
    save,
    sounds,
    text_table,
    timeline,
    ts_pair,
    voc,
    write_idx,
)

from handrail.cli import main

Cli = Callable[..., tuple[int, str, str]]
QUICK = [
    "-q",
    "-s",
    "training.epochs=1",
    "-s",
    "evaluation.resamples=100",
    "-s",
    "training.precision=float32",
]
SMALL = ["-s", "model={cnn: {widths: [4], convolutions: 1}}"]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    """Run a command in an empty folder; answers exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["handrail", *arguments])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


def entries(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def bomb(path: Path) -> None:
    """A PNG of a few bytes whose header says 60,000 × 60,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(100_000)))
        + chunk(b"IEND", b"")
    )


def cut_short(folder: Path) -> list[str]:
    path = pictures(folder, (), ending=".jpg") / "calm" / "003.jpg"
    path.write_bytes(path.read_bytes()[:-200])
    return [str(folder)]


def text_as_png(folder: Path) -> list[str]:
    (pictures(folder, ()) / "loud" / "025.png").write_text("this is no picture at all")
    return [str(folder)]


def zero_bytes(folder: Path) -> list[str]:
    (pictures(folder, ()) / "loud" / "026.png").write_bytes(b"")
    return [str(folder)]


def a_bomb(folder: Path) -> list[str]:
    bomb(pictures(folder, ()) / "loud" / "027.png")
    return [str(folder)]


def several_at_once(folder: Path) -> list[str]:
    pictures(folder, ())
    (folder / "loud" / "025.png").write_text("no picture")
    (folder / "loud" / "026.png").write_bytes(b"")
    bomb(folder / "loud" / "027.png")
    return [str(folder)]


def no_pictures_of_a_class(folder: Path) -> list[str]:
    (pictures(folder, ()) / "nothing").mkdir()
    return [str(folder)]


def one_class(folder: Path) -> list[str]:
    for item in range(20):
        save(folder / "only" / f"{item}.png", np.full((8, 8), item, dtype=np.uint8))
    return [str(folder)]


def nothing_there(folder: Path) -> list[str]:
    folder.mkdir()
    return [str(folder)]


def videos(folder: Path) -> list[str]:
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for item in range(3):
            (folder / name / f"{item}.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(200))
    return [str(folder)]


def ragged_series(folder: Path) -> list[str]:
    path = ts_pair(folder, ()) / "Waves_TRAIN.ts"
    lines = path.read_text().splitlines()
    lines[9] = ":".join(part.rsplit(",", 3)[0] if "," in part else part for part in lines[9].split(":"))
    path.write_text("\n".join(lines) + "\n")
    return [str(folder)]


def wrong_dimensions(folder: Path) -> list[str]:
    path = ts_pair(folder, ()) / "Waves_TEST.ts"
    lines = path.read_text().splitlines()
    lines[8] = lines[8].split(":", 1)[1]
    path.write_text("\n".join(lines) + "\n")
    return [str(folder)]


def words_in_a_series(folder: Path) -> list[str]:
    path = ts_pair(folder, ()) / "Waves_TRAIN.ts"
    path.write_text(path.read_text().replace("@data\n", "@data\nmuch,1.0:2.0,3.0:calm\n"))
    return [str(folder)]


def broken_sound(folder: Path) -> list[str]:
    path = sounds(folder, ()) / "calm" / "003.wav"
    path.write_bytes(path.read_bytes()[:20] + b"\xff" * 30 + path.read_bytes()[50:])
    return [str(folder)]


def sound_cut_short(folder: Path) -> list[str]:
    path = sounds(folder, ()) / "loud" / "020.wav"
    path.write_bytes(path.read_bytes()[:1000])
    return [str(folder)]


def mask_of_another_size(folder: Path) -> list[str]:
    save(masks(folder, ()) / "label" / "07.png", np.zeros((12, 16), dtype=np.uint8))
    return [str(folder)]


def mask_missing(folder: Path) -> list[str]:
    (masks(folder, ()) / "label" / "07.png").unlink()
    return [str(folder)]


def voc_without_picture(folder: Path) -> list[str]:
    (voc(folder, ()) / "JPEGImages" / "03.png").unlink()
    return [str(folder)]


def voc_broken(folder: Path) -> list[str]:
    (voc(folder, ()) / "Annotations" / "04.xml").write_text("<annotation><object>")
    return [str(folder)]


def voc_without_corner(folder: Path) -> list[str]:
    path = voc(folder, ()) / "Annotations" / "05.xml"
    path.write_text(path.read_text().replace("xmin>", "left>"))
    return [str(folder)]


def npz_that_disagrees(folder: Path) -> list[str]:
    path = npz(folder, ())
    with np.load(path) as arrays:
        changed = dict(arrays)
    np.savez(path, **{**changed, "y_train": changed["y_train"][:-3]})
    return [str(path)]


def npz_cut_short(folder: Path) -> list[str]:
    path = npz(folder, ())
    path.write_bytes(path.read_bytes()[:3000])
    return [str(path)]


def idx_that_disagrees(folder: Path) -> list[str]:
    write_idx(idx(folder, ()) / "train-labels-idx1-ubyte.gz", np.zeros(40))
    return [str(folder)]


def idx_cut_short(folder: Path) -> list[str]:
    path = idx(folder, ()) / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-30])
    return [str(folder)]


def table_with_a_lost_picture(folder: Path) -> list[str]:
    path = mixed(folder, ())
    (folder / "faces" / "03.png").unlink()
    return [str(path), "-t", "label"]


def picture_model_on_a_table(folder: Path) -> list[str]:
    return [*plain_table(folder), "-s", "model=lenet5"]


def table_model_on_boxes(folder: Path) -> list[str]:
    return [str(voc(folder, ())), "-s", "model=cnn"]


def picture_settings_on_a_table(folder: Path) -> list[str]:
    return [*plain_table(folder), "-s", "data.images.size=32"]


def augmented_table(folder: Path) -> list[str]:
    return [*plain_table(folder), "-s", "data.augment=[flip]"]


def table_settings_on_pictures(folder: Path) -> list[str]:
    return [str(pictures(folder, ())), "-s", "data.encoding.scaling=robust"]


def plain_table(folder: Path) -> list[str]:
    folder.mkdir()
    x = np.random.default_rng(0).normal(size=60)
    pl.DataFrame({"x": x, "y": np.where(x > 0, "a", "b")}).write_csv(folder / "table.csv")
    return [str(folder / "table.csv"), "-t", "y"]


def forecast_of_words(folder: Path) -> list[str]:
    return [
        str(text_table(folder, ())),
        "-t",
        "label",
        "-s",
        "data.task=forecast",
        "-s",
        "data.forecast.horizon=4",
    ]


def forecast_of_few_rows(folder: Path) -> list[str]:
    path = timeline(folder, ())
    pl.read_csv(path).head(20).write_csv(path)
    return [str(path), "-t", "load", "-s", "data.task=forecast"]


def three_lines(folder: Path) -> list[str]:
    folder.mkdir()
    (folder / "lines.txt").write_text("to be\nor not\nto be\n")
    return [str(folder / "lines.txt"), "-s", "data.task=next-token"]


def next_token_of_a_picture(folder: Path) -> list[str]:
    return [str(pictures(folder, ()) / "calm" / "000.png"), "-s", "data.task=next-token"]


def text_that_is_binary(folder: Path) -> list[str]:
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for item in range(8):
            (folder / name / f"{item}.txt").write_text(f"words {item}")
    (folder / "b" / "5.txt").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)))
    return [str(folder)]


BAD: dict[str, tuple[Callable[[Path], list[str]], tuple[str, ...]]] = {
    "a JPEG that is cut short": (cut_short, ("calm/003.jpg", "damaged or cut short")),
    "a text named .png": (text_as_png, ("loud/025.png", "holds text")),
    "a file of zero bytes": (zero_bytes, ("loud/026.png", "empty (0 bytes)")),
    "a bomb": (a_bomb, ("loud/027.png", "3,600,000,000 pixels")),
    "several at once": (
        several_at_once,
        ("loud/025.png", "loud/026.png", "loud/027.png", "3 of 40 pictures"),
    ),
    "an empty class": (no_pictures_of_a_class, ("data/nothing", "holds no file")),
    "one class": (one_class, ("all files are in only", "a folder for each class")),
    "an empty folder": (nothing_there, ("data", "holds nothing")),
    "videos": (videos, ("data", "6 files .mp4", "pictures, sounds (.wav) or texts")),
    "ragged series": (ragged_series, ("Waves_TRAIN.ts", "line 10", "expected 24", "@equalLength true")),
    "wrong dimensions": (wrong_dimensions, ("Waves_TEST.ts", "line 9", "found 1 dimensions, expected 2")),
    "words in a series": (words_in_a_series, ("Waves_TRAIN.ts", "line 8", "much")),
    "a sound with a broken header": (broken_sound, ("calm/003.wav", "header")),
    "a sound that is cut short": (sound_cut_short, ("loud/020.wav", "cut short")),
    "a mask of another size": (mask_of_another_size, ("image/07.png", "16 × 16", "16 × 12")),
    "a missing mask": (mask_missing, ("image/07.png", "without a mask")),
    "VOC without a picture": (voc_without_picture, ("03.xml", "no picture")),
    "VOC that is no XML": (voc_broken, ("04.xml", "cannot be read as XML")),
    "VOC without a corner": (voc_without_corner, ("05.xml", "object 1", "xmin")),
    "NPZ whose labels do not match": (npz_that_disagrees, ("pictures.npz", "'x_train'", "(45,)")),
    "NPZ that is cut short": (npz_cut_short, ("pictures.npz",)),
    "IDX whose labels do not match": (idx_that_disagrees, ("train-images", "48 pictures", "40 labels")),
    "IDX that is cut short": (idx_cut_short, ("t10k-images-idx3-ubyte.gz",)),
    "a table that names a lost picture": (table_with_a_lost_picture, ("'face'", "line 5", "faces/03.png")),
    "a model for pictures on a table": (picture_model_on_a_table, ("'lenet5'", "mlp")),
    "a model of scores for boxes": (table_model_on_boxes, ("'cnn'", "detector")),
    "settings of pictures on a table": (picture_settings_on_a_table, ("data.images", "no effect")),
    "augmentation of a table": (augmented_table, ("data.augment", "flip")),
    "settings of tables on pictures": (table_settings_on_pictures, ("data.encoding", "no effect")),
    "a forecast of words": (forecast_of_words, ("'label'", "number")),
    "a forecast of few rows": (forecast_of_few_rows, ("20", "horizon")),
    "next token of three lines": (three_lines, ("lines.txt", "1 row", "at least 10")),
    "next token of a picture": (next_token_of_a_picture, ("000.png", "PNG image")),
    "a text that is binary": (text_that_is_binary, ("b/5.txt",)),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_message_and_nothing_is_left(name: str, cli: Cli, tmp_path: Path) -> None:
    make, texts = BAD[name]
    arguments = make(tmp_path / "data")
    before = entries(tmp_path)
    code, out, err = cli("fit", *arguments, "--out", "run", *QUICK)
    assert code == 2, err
    assert out == ""
    assert err.startswith("handrail: ")
    assert "Traceback" not in err
    for text in texts:
        assert text in err
    assert entries(tmp_path) == before


def as_others_are() -> list[str]:
    """What goes before a command so that permissions count for it, though root may read everything."""
    if os.geteuid():
        return []
    rights = "-dac_override,-dac_read_search"
    before = ["setpriv", "--bounding-set", rights, "--inh-caps", rights]
    if (
        shutil.which("setpriv") is None
        or subprocess.run([*before, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("root may read everything here")
    return before


@pytest.mark.parametrize("unreadable", ["data", "data/calm/more"])
def test_a_folder_that_may_not_be_read_is_not_taken_for_empty(unreadable: str, tmp_path: Path) -> None:
    pictures(tmp_path / "data", ())
    save(tmp_path / "data" / "calm" / "more" / "1.png", np.zeros((12, 12, 3), dtype=np.uint8))
    (tmp_path / unreadable).chmod(0)
    command = [*as_others_are(), sys.executable, "-m", "handrail", "fit", "data", "--out", "run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    (tmp_path / unreadable).chmod(0o755)
    assert done.returncode == 2, done.stderr
    assert f"{unreadable} cannot be read: " in done.stderr
    assert not (tmp_path / "run").exists()


def test_one_picture_of_another_depth_is_a_remark(cli: Cli, tmp_path: Path) -> None:
    save(pictures(tmp_path / "data", ()) / "calm" / "004.png", np.full((12, 12), 40_000, dtype=np.uint16))
    code, _, err = cli("fit", str(tmp_path / "data"), "--out", "run", *QUICK, *SMALL)
    assert code == 0, err
    log = (tmp_path / "run" / "log.txt").read_text()
    assert "calm/004.png" in log
    assert "16-bit grey" in log


def fitted(cli: Cli, name: str, tmp_path: Path, *more: str) -> None:
    kind = KINDS[name]
    source = kind.write(tmp_path / "data", ())
    code, _, err = cli(
        "fit", str(source), *(["-t", kind.target] if kind.target else []), "--out", "run", *QUICK, *more
    )
    assert code == 0, err


def test_words_that_training_did_not_have_are_a_warning(cli: Cli, tmp_path: Path) -> None:
    fitted(
        cli, "text", tmp_path, "-s", "model={bag_of_words: {embedding: 4}}", "-s", "data.columns.message=text"
    )
    pl.DataFrame({"message": ["slow soft", "xylophone zebra"]}).write_csv(tmp_path / "new.csv")
    code, _, err = cli("predict", "run", "new.csv", "-o", "answers.csv")
    assert code == 0, err
    assert "'message'" in err
    assert "line 3" in err


def test_bad_new_items_leave_no_answers(cli: Cli, tmp_path: Path) -> None:
    fitted(cli, "pictures", tmp_path, *SMALL)
    save(tmp_path / "new" / "good.png", np.zeros((12, 12, 3), dtype=np.uint8))
    (tmp_path / "new" / "bad.png").write_text("no picture")
    code, _, err = cli("predict", "run", "new", "-o", "answers.csv")
    assert code == 2
    assert "bad.png" in err
    assert not (tmp_path / "answers.csv").exists()
    (tmp_path / "new" / "bad.png").unlink()
    assert cli("predict", "run", "new", "-o", "answers.csv")[0] == 0
    assert cli("predict", "run", "new/*.png", "-o", "more.csv")[0] == 0
    assert pl.read_csv(tmp_path / "more.csv").equals(pl.read_csv(tmp_path / "answers.csv"))


def test_new_rows_of_another_kind_are_refused(cli: Cli, tmp_path: Path) -> None:
    fitted(cli, "pictures", tmp_path, *SMALL)
    for source in (
        text_table(tmp_path / "table", ()),
        sounds(tmp_path / "sounds", ()),
        ts_pair(tmp_path / "series", ()),
    ):
        code, _, err = cli("predict", "run", str(source))
        assert code == 2, err
        assert "no column 'image'" in err

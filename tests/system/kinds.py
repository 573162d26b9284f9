"""Tiny sources of every kind of data, each of whose items can be replaced by another of its type."""

import gzip
import struct
import wave
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

Others = Collection[int]
CLASSES = ("calm", "loud")
WORDS = {"calm": ("slow", "soft", "still", "dim"), "loud": ("quick", "hard", "bright", "sharp")}


@dataclass(frozen=True)
class Kind:
    """A kind of data.

    write: makes the source in a folder, with these items replaced by garbage, and answers what `fit` is to
    read. items: how many there are; the rows of the table in this order. changes: settings that make a fit
    quick. test: the items of the official test part, where there is one. new: makes a source of new items
    without answers.
    """

    write: Callable[[Path, Others], Path]
    items: int
    changes: dict[str, Any]
    target: str | None = None
    test: tuple[int, ...] = ()
    new: Callable[[Path], Path] | None = None
    columns: dict[str, str] = field(default_factory=dict)


def generator_of(item: int, others: Others) -> np.random.Generator:
    """Of an item; garbage has one of its own."""
    return np.random.default_rng([item, int(item in others)])


def label_of(item: int, items: int, others: Others = ()) -> str:
    """The first half is calm; garbage says anything."""
    return CLASSES[int(generator_of(item, others).integers(2)) if item in others else int(item >= items // 2)]


def pixels_of(item: int, items: int, others: Others, *, shape: tuple[int, ...] = (12, 12, 3)) -> np.ndarray:
    """Loud pictures are brighter; garbage is white with a few dots."""
    rng = generator_of(item, others)
    if item in others:
        return np.where(rng.random(shape) < 0.9, 255, 0).astype(np.uint8)
    return rng.integers(0, 160 + 80 * (item >= items // 2), shape).astype(np.uint8)


def text_of(item: int, items: int, others: Others) -> str:
    """Words that tell the class, most of the time; garbage has words of its own."""
    rng = generator_of(item, others)
    words = ("zyx", "qqq", "slow", "öööö") if item in others else (*WORDS[label_of(item, items)], "the", "a")
    return " ".join(rng.choice(words, size=30 if item in others else 6))


def save(path: Path, pixels: np.ndarray) -> None:
    """A picture file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_idx(path: Path, array: np.ndarray) -> None:
    """An IDX file of bytes, gzipped where its name says so."""
    data = (
        b"\0\0\x08"
        + bytes([array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.astype(np.uint8).tobytes()
    )
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def write_sound(path: Path, samples: np.ndarray) -> None:
    """A WAV file of 16 bits and 8,000 samples a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.astype("<i2").tobytes())


def pictures(folder: Path, others: Others, *, ending: str = ".png", items: int = 40) -> Path:
    """A folder a class."""
    for item in range(items):
        save(folder / label_of(item, items) / f"{item:03d}{ending}", pixels_of(item, items, others))
    return folder


def pictures_in_parts(folder: Path, others: Others) -> Path:
    """Folders train and test; garbage in test lies in any class."""
    for item in range(48):
        part, place = ("test", item - 36) if item >= 36 else ("train", item)
        size = 12 if item >= 36 else 36
        label = CLASSES[(place + (item in others)) % 2] if item >= 36 else label_of(place, size)
        save(folder / part / label / f"{item:03d}.png", pixels_of(item, 48, others))
    return folder


def idx(folder: Path, others: Others) -> Path:
    """The four files of MNIST; the last 16 items are the official test."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, items in (("train", range(48)), ("t10k", range(48, 64))):
        images = np.stack([pixels_of(item, 48, others, shape=(12, 12)) for item in items])
        labels = np.array(
            [CLASSES.index(label_of(item, 48 if part == "train" else 112, others)) for item in items]
        )
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", labels)
    return folder


def npz(folder: Path, others: Others) -> Path:
    """Keras's four arrays, in colour."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for part, items in (("train", range(48)), ("test", range(48, 64))):
        arrays[f"x_{part}"] = np.stack([pixels_of(item, 48, others) for item in items])
        arrays[f"y_{part}"] = np.array(
            [CLASSES.index(label_of(item, 48 if part == "train" else 112, others)) for item in items]
        )
    np.savez(folder / "pictures.npz", **arrays)
    return folder / "pictures.npz"


def series_line(item: int, others: Others, *, length: int = 24) -> str:
    """Two channels; loud series swing quicker."""
    rng = generator_of(item, others)
    steps = np.arange(length)[None] * (0.6 if item % 2 else 0.3)
    values = rng.normal(size=(2, length)) * (1e3 if item in others else 0.3) + np.sin(
        steps + rng.random() * 6
    )
    label = CLASSES[int(rng.integers(2)) if item in others else item % 2]
    return ":".join(",".join(f"{value:.4f}" for value in channel) for channel in values) + f":{label}"


def ts_pair(folder: Path, others: Others) -> Path:
    """Waves_TRAIN.ts and Waves_TEST.ts, which holds the last 16 items."""
    folder.mkdir(parents=True, exist_ok=True)
    head = (
        "@problemName Waves\n@univariate false\n@dimensions 2\n@equalLength true\n@seriesLength 24\n"
        "@classLabel true calm loud\n@data\n"
    )
    for part, items in (("TRAIN", range(40)), ("TEST", range(40, 56))):
        (folder / f"Waves_{part}.ts").write_text(
            head + "".join(f"{series_line(item, others)}\n" for item in items)
        )
    return folder


def text_table(folder: Path, others: Others) -> Path:
    """A column of texts and their class."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [(text_of(item, 80, others), label_of(item, 80, others)) for item in range(80)]
    pl.DataFrame(rows, schema=["message", "label"], orient="row").write_csv(folder / "messages.csv")
    return folder / "messages.csv"


def long_text(folder: Path, others: Others) -> Path:
    """Passages of 1,000 characters; garbage has letters that nothing else has."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = []
    for item in range(20):
        words = generator_of(item, others).choice(
            ["ßß", "zyx", "QQ"] if item in others else ["to", "be", "or", "not", "that"], size=900
        )
        texts.append(" ".join(words)[:999] + "\n")
    (folder / "play.txt").write_text("".join(texts), encoding="utf-8")
    return folder / "play.txt"


def symbols(folder: Path, others: Others) -> Path:
    """A row a day, with a symbol and a number; garbage has symbols of its own. Row i is item i."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for item in range(160):
        rng = generator_of(item, others)
        sky = "hail" if item in others else str(rng.choice(["sunny", "rainy", "cloudy"]))
        degrees = "a lot" if item in others else f"{rng.normal(10, 3):.2f}"
        date = np.datetime64("2021-01-01") + item
        rows.append(f"{date},{sky},{degrees}")
    (folder / "sky.csv").write_text("\n".join(["date,sky,degrees", *rows, ""]))
    return folder / "sky.csv"


def timeline(folder: Path, others: Others) -> Path:
    """A row a day: two columns that repeat after six days. Row i is item i."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for item in range(160):
        noise = generator_of(item, others).normal(size=2) * (1e4 if item in others else 0.2)
        day = np.datetime64("2020-01-01") + item
        rows.append((str(day), np.sin(item * np.pi / 3) * 5 + noise[0], np.cos(item * np.pi / 3) + noise[1]))
    pl.DataFrame(rows, schema=["day", "load", "heat"], orient="row").write_csv(folder / "days.csv")
    return folder / "days.csv"


def samples_of(item: int, items: int, others: Others) -> np.ndarray:
    """A quarter of a second; loud sounds are higher."""
    rng = generator_of(item, others)
    if item in others:
        return rng.integers(-30000, 30000, 2000)
    pitch = 900 if item >= items // 2 else 300
    return 8000 * np.sin(np.arange(2000) / 8000 * 2 * np.pi * pitch) + rng.normal(size=2000) * 300


def sounds(folder: Path, others: Others) -> Path:
    """A folder a class."""
    for item in range(32):
        write_sound(folder / label_of(item, 32) / f"{item:03d}.wav", samples_of(item, 32, others))
    return folder


def masks(folder: Path, others: Others) -> Path:
    """Pictures beside masks of what is bright in them."""
    for item in range(24):
        rng = generator_of(item, others)
        place = (
            (rng.random((16, 16)) < 0.5)
            if item in others
            else np.add.outer(np.arange(16), np.arange(16)) > rng.integers(10, 20)
        )
        save(
            folder / "image" / f"{item:02d}.png",
            np.where(place, 200, 60).astype(np.uint8) + rng.integers(0, 40, (16, 16), np.uint8),
        )
        save(folder / "label" / f"{item:02d}.png", np.where(place, 255, 0).astype(np.uint8))
    return folder


def voc(folder: Path, others: Others) -> Path:
    """Pascal VOC with lists: the last eight items are the official test."""
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for item in range(32):
        rng = generator_of(item, others)
        pixels = rng.integers(0, 90, (64, 64, 3)).astype(np.uint8)
        left, top = (int(corner) for corner in rng.integers(2, 30, 2))
        side, label = (30, CLASSES[int(rng.integers(2))]) if item in others else (20, CLASSES[item % 2])
        pixels[top : top + side, left : left + side, item % 2] = 250
        save(folder / "JPEGImages" / f"{item:02d}.png", pixels)
        corners = f"<xmin>{left}</xmin><ymin>{top}</ymin><xmax>{left + side}</xmax><ymax>{top + side}</ymax>"
        (folder / "Annotations" / f"{item:02d}.xml").write_text(
            "<annotation><size><width>64</width><height>64</height></size>"
            f"<object><name>{label}</name><bndbox>{corners}</bndbox></object></annotation>"
        )
    for name, items in (("train", range(18)), ("val", range(18, 24)), ("test", range(24, 32))):
        (folder / "ImageSets" / "Main" / f"{name}.txt").write_text("".join(f"{item:02d}\n" for item in items))
    return folder


def mixed(folder: Path, others: Others) -> Path:
    """A table of a picture's path, a number, a category, a text and the class."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for item in range(60):
        rng = generator_of(item, others)
        save(folder / "faces" / f"{item:02d}.png", pixels_of(item, 60, others))
        number = rng.normal() * (1e5 if item in others else 1.0)
        colour = rng.choice(["violet", "red"] if item in others else ["red", "green"])
        rows.append(
            (f"faces/{item:02d}.png", number, colour, text_of(item, 60, others), label_of(item, 60, others))
        )
    pl.DataFrame(rows, schema=["face", "number", "colour", "words", "label"], orient="row").write_csv(
        folder / "people.csv"
    )
    return folder / "people.csv"


def pairs(folder: Path, others: Others) -> Path:
    """Texts and what is to be written: the same backwards."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for item in range(60):
        letters = "".join(
            generator_of(item, others).choice(
                list("xyzö" if item in others else "abcd"), size=9 if item in others else 4
            )
        )
        rows.append((letters, letters[::-1]))
    pl.DataFrame(rows, schema=["given", "wanted"], orient="row").write_csv(folder / "pairs.csv")
    return folder / "pairs.csv"


def captioned(folder: Path, others: Others) -> Path:
    """A table of texts, a number that nobody needs, and the paths of pictures that are to be made."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for item in range(48):
        rng = generator_of(item, others)
        save(folder / "drawn" / f"{item:02d}.png", pixels_of(item, 48, others))
        rows.append((text_of(item, 48, others), rng.normal(), f"drawn/{item:02d}.png"))
    table = pl.DataFrame(rows, schema=["caption", "number", "picture"], orient="row")
    table.write_csv(folder / "drawings.csv")
    return folder / "drawings.csv"


def bare_pictures(folder: Path, others: Others) -> Path:
    """Files in one folder, whose names say what is in none of them."""
    for item in range(40):
        save(folder / f"{item:03d}_{'anna' if item % 3 else 'otto'}.png", pixels_of(item, 40, others))
    return folder


def points(folder: Path, others: Others) -> Path:
    """Numbers and a word, which nothing is predicted from."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for item in range(80):
        rng = generator_of(item, others)
        x, y = rng.normal(size=2) * (1e4 if item in others else 1) + 3 * (item % 3)
        rows.append((x, y, rng.choice(["red", "green"]), label_of(item, 80, others)))
    pl.DataFrame(rows, schema=["x", "y", "colour", "label"], orient="row").write_csv(folder / "points.csv")
    return folder / "points.csv"


def new_pictures(folder: Path) -> Path:
    """Files in one folder, in another format."""
    for item in range(100, 104):
        save(folder / f"{item}.bmp", pixels_of(item, 200, ()))
    return folder


def new_voc_pictures(folder: Path) -> Path:
    """Pictures alone."""
    for item in range(3):
        save(folder / f"{item}.png", np.full((64, 64, 3), item, dtype=np.uint8))
    return folder


def new_grey(folder: Path) -> Path:
    """Pictures alone, without masks."""
    for item in range(3):
        save(folder / f"{item}.png", np.full((16, 16), 60 * item, dtype=np.uint8))
    return folder


def new_series(folder: Path) -> Path:
    """A .ts file by itself, without classes."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{series_line(item, ()).rsplit(':', 1)[0]}\n" for item in range(90, 94))
    (folder / "new.ts").write_text(f"@univariate false\n@dimensions 2\n@classLabel false\n@data\n{lines}")
    return folder / "new.ts"


def new_sounds(folder: Path) -> Path:
    """Files in one folder."""
    for item in range(4):
        write_sound(folder / f"{item}.wav", samples_of(item, 4, ()))
    return folder


def without(write: Callable[[Path, Others], Path], column: str) -> Callable[[Path], Path]:
    """The table without its target."""

    def new(folder: Path) -> Path:
        path = write(folder, ())
        pl.read_csv(path).drop(column).head(6).write_csv(path)
        return path

    return new


def later_days(folder: Path) -> Path:
    """The timeline's own rows, behind which the forecast lies."""
    return timeline(folder, ())


CNN = {"cnn": {"widths": [4], "convolutions": 1, "dropout": 0.2}}
STOCHASTIC = {"cnn": {"widths": [4], "convolutions": 1, "pooling": "stochastic"}}
SHAKEN = [{"shift": {"share": 0.1}}, "flip", {"noise": {"deviation": 0.05}}]
KINDS = {
    "pictures": Kind(pictures, 40, {"model": CNN, "data.augment": SHAKEN}, new=new_pictures),
    "bare pictures": Kind(
        bare_pictures, 40, {"model": {"autoencoder": {"code": 4, "hidden": [16]}}}, new=new_pictures
    ),
    "pictures on stages": Kind(
        pictures,
        40,
        {
            "stages": [
                {"model": {"conv_rbm": {"filters": 4, "kernel": 3}}, "epochs": 2, "batch_size": 8},
                {"model": {"conv_rbm": {"filters": 3, "kernel": 2}}, "epochs": 2, "batch_size": 8},
            ],
            "model": "linear",
        },
        new=new_pictures,
    ),
    "pictures in patches": Kind(
        pictures,
        40,
        {
            "stages": [
                {"model": {"patch_kmeans": {"clusters": 6, "patch": 4}}, "epochs": 3, "batch_size": 8},
            ],
            "model": "linear",
        },
        new=new_pictures,
    ),
    "pictures in parts": Kind(
        pictures_in_parts, 48, {"model": CNN, "data.augment": SHAKEN}, test=tuple(range(36, 48))
    ),
    "idx": Kind(idx, 64, {"model": CNN, "data.augment": SHAKEN[:1]}, test=tuple(range(48, 64))),
    "npz": Kind(npz, 64, {"model": STOCHASTIC}, test=tuple(range(48, 64))),
    "series": Kind(
        ts_pair,
        56,
        {"model": {"series_cnn": {"widths": [4], "dropout": 0.2}}},
        test=tuple(range(40, 56)),
        new=new_series,
    ),
    "text": Kind(
        text_table,
        80,
        {"model": {"text_cnn": {"embedding": 6, "filters": 4}}, "data.columns": {"message": "text"}},
        target="label",
        new=without(text_table, "label"),
    ),
    "next token": Kind(
        long_text,
        20,
        {
            "model": {"gpt": {"width": 8, "layers": 1, "heads": 2, "dropout": 0.2}},
            "data.task": "next-token",
            "data.text.length": 32,
        },
    ),
    "next symbol": Kind(
        symbols,
        160,
        {"model": {"gru": {"width": 6}}, "data.task": "next-token"},
        target="sky",
    ),
    "next bin": Kind(
        symbols,
        160,
        {
            "model": {"gpt": {"width": 8, "layers": 1, "heads": 2, "dropout": 0.2}},
            "data.task": "next-token",
            "data.text.bins": 4,
        },
        target="degrees",
    ),
    "forecast": Kind(
        timeline,
        160,
        {
            "data.task": "forecast",
            "data.forecast.history": 12,
            "data.forecast.horizon": 4,
            "data.forecast.season": 6,
        },
        target="load",
        test=tuple(range(136, 160)),
        new=later_days,
    ),
    "map": Kind(
        points,
        80,
        {"model": {"kohonen": {"height": 3, "width": 4}}, "data.label": "label"},
        new=without(points, "label"),
    ),
    "generation": Kind(
        points,
        80,
        {"model": {"gan": {"hidden": [8]}}, "data.label": "label"},
        new=without(points, "label"),
    ),
    "diffusion": Kind(
        points,
        80,
        {
            "model": {"diffusion": {"hidden": [8], "steps": 10}},
            "data.drop": ["colour"],
            "data.label": "label",
        },
        new=without(points, "label"),
    ),
    "translation": Kind(
        points,
        80,
        {"model": {"cyclegan": {"hidden": [8]}}, "data.label": "label"},
        new=without(points, "label"),
    ),
    "sounds": Kind(sounds, 32, {"model": CNN, "data.audio.mels": 8}, new=new_sounds),
    "masks": Kind(masks, 24, {"model": {"unet": {"depth": 1, "width": 4, "dropout": 0.2}}}, new=new_grey),
    "boxes": Kind(
        voc,
        32,
        {"model": {"detector": {"widths": [4, 4, 8, 8], "features": 8}}},
        test=tuple(range(24, 32)),
        new=new_voc_pictures,
    ),
    "mixed": Kind(
        mixed,
        60,
        {"model": {"mlp": {"hidden": [8], "dropout": 0.2}}, "data.columns": {"words": "text"}},
        target="label",
        new=without(mixed, "label"),
    ),
    "text-to-image": Kind(
        captioned,
        48,
        {
            "stages": [{"model": {"dvae": {"codes": 4, "channels": [4]}}, "epochs": 2}],
            "model": {"decoder_only": {"width": 8, "layers": 1, "heads": 2, "dropout": 0.2}},
            "training.batch_size": 16,
        },
        target="picture",
        new=without(captioned, "picture"),
    ),
    "sequence": Kind(
        pairs,
        60,
        {
            "model": {"encoder_decoder": {"width": 8, "embedding": 4, "dropout": 0.2}},
            "data.task": "sequence",
        },
        target="wanted",
        new=without(pairs, "wanted"),
    ),
}

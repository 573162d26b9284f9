"""Pictures, sounds, series, masks, boxes and texts: spoiled, lost, renamed, of odd kinds."""

import io
import struct
import wave
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from fuzz.case import TINY, Case
from fuzz.oddities import NAMES, replace_file, spoil_bytes, spoil_file, spoil_text
from system.kinds import KINDS

PICTURES = (".png", ".jpg", ".bmp", ".gif", ".tif", ".webp", ".ppm")
SET = (
    "data.images.size=4", "data.images.size=[40,4]", "data.images.channels=grey",
    "data.images.channels=colour",
    "data.augment=[flip]", "data.augment=[{crop: {padding: 100}}]", "data.augment=[]",
    "data.audio.seconds=0.001",
    "data.audio.rate=100", "data.audio.rate=1000000", "data.audio.mels=500", "data.audio.window=1e-9",
    "data.audio.hop=5",
    "data.series.length=2", "data.series.length=1000", "data.text.length=1", "data.text.vocabulary=3",
    "model=linear",
    "data.text.tokens=byte_pairs", "data.text.tokens=words", "data.sample=3", "data.duplicates=drop",
    "data.task=binary",
    "data.split.method=stratified", "data.split.method=order", "data.forecast.history=1000",
    "data.forecast.horizon=1000",
    "data.forecast.season=500", "data.forecast.stride=1000", "model={cnn: {widths: [4,4,4,4,4,4,4,4]}}",
    "model=gpt",
    "data.task=mask", "data.task=boxes", "data.task=regression", "data.balance=oversample",
    "data.balance=undersample",
    "model=vit", "model=lstm", "model=detector", "model=unet", "model=transformer", "data.split.test=0.6",
    "model=resnet",
)  # fmt: skip


def odd_picture(rng: Random, ending: str) -> bytes:
    """A picture of a mode, size or form that the others do not have."""
    from PIL import Image

    size = rng.choice(((1, 1), (12, 12), (1, 300), (3000, 1), (64, 5)))
    mode = rng.choice(("L", "RGB", "RGBA", "P", "1", "LA", "CMYK", "I", "I;16", "F", "YCbCr"))
    image, file = Image.new(mode, size), io.BytesIO()
    options: dict[str, Any] = {}
    if rng.random() < 0.2:
        options = {"save_all": True, "append_images": [image, image]}
    try:
        image.save(file, {".jpg": "JPEG", ".tif": "TIFF"}.get(ending, ending[1:].upper()), **options)
    except (OSError, ValueError, KeyError):
        image.convert("RGB").save(file, "PNG")
    return file.getvalue()


def lying_png(width: int, height: int) -> bytes:
    """A header that promises pixels that the file does not hold."""
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def odd_sound(rng: Random) -> bytes:
    """A WAV file of another width, rate, number of channels or length, or whose header lies."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        channels, width = rng.choice((1, 2, 7)), rng.choice((1, 2, 3, 4))
        sound.setnchannels(channels)
        sound.setsampwidth(width)
        sound.setframerate(rng.choice((1, 8000, 44100, 10**6)))
        sound.writeframes(bytes(channels * width * rng.choice((0, 1, 500))))
    data = bytearray(file.getvalue())
    if rng.random() < 0.6:
        place = rng.choice((16, 20, 22, 24, 28, 32, 34, 40))  # of the fields of the header
        struct.pack_into("<H", data, place, rng.choice((0, 1, 3, 17, 255, 65534, 65535)))
    return bytes(data)


def odd_idx(rng: Random, data: bytes) -> bytes:
    """An IDX file whose header promises another type, another number of sides or other sizes."""
    import gzip

    plain = bytearray(gzip.decompress(data))
    if rng.random() < 0.4:
        plain[rng.choice((0, 2, 3))] = rng.choice((0, 1, 3, 8, 9, 0x0B, 0x0D, 0x0E, 0xFF))
    else:
        struct.pack_into(
            ">I",
            plain,
            rng.choice((4, 4, 8, 12)) % max(len(plain) - 4, 1),
            rng.choice((0, 1, 7, 2**31, 2**32 - 1)),
        )
    return gzip.compress(bytes(plain), mtime=0)


def _files(source: Path) -> list[Path]:
    folder = source.parent if source.is_file() else source
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _spoil_one(case: Case, source: Path) -> None:
    files = _files(source)
    case.note(spoil_file(case.rng, case.rng.choice(files)))


def _spoil_many(case: Case, source: Path) -> None:
    for path in _files(source):
        if case.rng.random() < 0.4:
            path.write_bytes(spoil_bytes(case.rng, path.read_bytes())[0])
    case.note("many files spoiled")


def _spoil_words(case: Case, source: Path) -> None:
    """Files of text, where there are any: annotations, lists, series, tables."""
    texts = [path for path in _files(source) if path.suffix in (".xml", ".txt", ".ts", ".arff", ".csv")]
    for path in case.rng.sample(texts, min(len(texts), case.rng.choice((1, 1, 3, 50)))):
        text, how = spoil_text(case.rng, path.read_text(encoding="utf-8", errors="surrogateescape"))
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        case.note(f"{path.name}: {how}")


def _replace(case: Case, source: Path) -> None:
    case.note(replace_file(case.rng, case.rng.choice(_files(source))))


def _lose_many(case: Case, source: Path) -> None:
    share = case.rng.choice((0.2, 0.5, 0.9, 1))
    for path in _files(source):
        if case.rng.random() < share:
            path.unlink()
    case.note(f"{share} of the files lost")


def _rename(case: Case, source: Path) -> None:
    path = case.rng.choice(_files(source))
    name = case.rng.choice(NAMES).replace("/", "_").replace("\0", "")[:200] or "_"
    other = path.with_name(
        case.rng.choice(
            (name, name + path.suffix, path.stem + case.rng.choice((*PICTURES, ".wav", ".txt", ".xyz")))
        )
    )
    if not other.exists():
        path.rename(other)
        case.note(f"{path.name} renamed to {other.name!r}")


def _move(case: Case, source: Path) -> None:
    """Files one folder up, or in a folder of their own."""
    for path in case.rng.sample(_files(source), min(3, len(_files(source)))):
        place = (
            path.parent.parent
            if case.rng.random() < 0.5
            else path.parent / case.rng.choice(("deeper", " ", "😀"))
        )
        place.mkdir(exist_ok=True)
        if place != case.folder and not (place / path.name).exists():
            path.rename(place / path.name)
    case.note("files moved")


def _odd_files(case: Case, source: Path) -> None:
    for path in case.rng.sample(_files(source), min(len(_files(source)), case.rng.choice((1, 2, 60)))):
        path.write_bytes(odd_content(case.rng, path))
    case.note("odd pictures, sounds or headers")


def odd_content(rng: Random, path: Path) -> bytes:
    """Content of the kind that the ending promises, of an odd form."""
    if path.suffix == ".wav":
        return odd_sound(rng)
    if path.suffix in PICTURES:
        sides = rng.choice(((0, 0), (0, 5), (60_000, 60_000), (2**31 - 1, 2**31 - 1), (12, 12)))
        return lying_png(*sides) if rng.random() < 0.3 else odd_picture(rng, rng.choice(PICTURES))
    if path.name.endswith("-ubyte.gz"):
        return odd_idx(rng, path.read_bytes())
    return spoil_bytes(rng, path.read_bytes())[0]


def _add(case: Case, source: Path) -> None:
    """What lies about in folders: hidden files, notes, links, archives."""
    folders = (
        [path for path in source.rglob("*") if path.is_dir()] + [source]
        if source.is_dir()
        else [source.parent]
    )
    place = case.rng.choice(folders)
    name = case.rng.choice(
        (".DS_Store", "Thumbs.db", "notes.txt", "a.zip", "x.png", "x.wav", "labels.csv", "x.xml", "__MACOSX")
    )
    if (place / name).exists():
        return
    how = case.rng.randrange(4)
    if how == 0:
        (place / name).symlink_to(case.rng.choice((".", "..", "nothing", "/dev/null", name)))
    elif how == 1:
        (place / name).mkdir()
    else:
        (place / name).write_bytes(case.rng.choice((b"", b"x", case.rng.randbytes(99))))
    case.note(f"{name} added ({how})")


SPOILS: tuple[Callable[[Case, Path], None], ...] = (
    _spoil_one, _spoil_one, _spoil_many, _spoil_words, _spoil_words, _spoil_words, _replace, _replace,
    _lose_many, _rename,
    _move, _odd_files, _odd_files, _add,
)  # fmt: skip


def write_kind(case: Case, name: str) -> Path:
    """The source of a kind of data, in `data`."""
    return KINDS[name].write(case.data / "source", ())


def generate(case: Case) -> None:
    """A command on a source of another kind than plain tables."""
    rng = case.rng
    name = rng.choice(list(KINDS))
    kind, source = KINDS[name], write_kind(case, name)
    case.note(name)
    for spoil in rng.sample(SPOILS, rng.choice((0, 1, 1, 1, 2))):
        if _files(source):
            spoil(case, source)
    changes = (
        [f"--set={change}" for change in rng.sample(SET, rng.choice((1, 1, 2)))]
        if rng.random() < 0.25
        else []
    )
    target = [f"--target={kind.target}"] if kind.target else []
    usual = [
        f"--set={path}={_as_yaml(value)}" for path, value in kind.changes.items() if path != "data.augment"
    ]
    command = rng.choice(("check",) * 12 + ("fit", "fit", "convert", "init", "predict"))
    if command == "check":
        case.arguments = [
            "check",
            *target,
            *(part for part in usual if "=" in part),
            *changes,
            "--",
            str(source),
        ]
    elif command == "fit":
        tiny = [f"--set={change}" for change in TINY]
        case.arguments = [
            "fit",
            *target,
            *usual,
            *tiny,
            *changes,
            "-o",
            case.out("run"),
            "-q",
            "--",
            str(source),
        ]
    elif command == "convert":
        case.arguments = [
            "convert",
            "--",
            str(source),
            case.out(f"out{rng.choice(('.csv', '.parquet', '.npz', '.json'))}"),
        ]
    elif command == "init":
        case.outputs.append(str(case.here / "recipe.yaml"))
        case.arguments = ["init", *target, "--", str(source)]
    else:
        runs = ("run",) if case.quick else ("run", "pictures-run", f"{name}-run")
        run = case.template(rng.choice(runs))
        case.arguments = ["predict", "--", str(run), str(source)]


def _as_yaml(value: Any) -> str:
    import json

    return json.dumps(value)

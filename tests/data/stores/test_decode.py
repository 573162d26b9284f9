"""One file to one picture, against Pillow's own operations and by hand."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from handrail.data.stores.pixels.decode import (
    LARGEST,
    Seen,
    bands,
    canonical,
    content_hash,
    fit,
    look,
    open_picture,
)

RNG = np.random.default_rng(0)
COLOUR = Image.fromarray(RNG.integers(0, 256, (20, 30, 3)).astype(np.uint8))
GREY = Image.fromarray(RNG.integers(0, 256, (20, 30)).astype(np.uint8))


def pixels(path: Path) -> np.ndarray:
    return np.asarray(canonical(open_picture(str(path))[0]))


def saved(image: Image.Image, path: Path, **options) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
def test_orientation_in_exif_is_applied(tmp_path: Path, orientation: int, ending: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(COLOUR, tmp_path / f"a.{ending}", exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(pixels(path), expected)
    seen, _ = look(str(path))
    assert (seen.height, seen.width) == expected.shape[:2]
    assert seen.format == {"png": "PNG", "tif": "TIFF", "jpg": "JPEG"}[ending]


def test_transparent_parts_stand_on_white(tmp_path: Path) -> None:
    alpha = RNG.integers(0, 256, (20, 30)).astype(np.uint8)
    path = saved(Image.merge("RGBA", [*COLOUR.split(), Image.fromarray(alpha)]), tmp_path / "a.png")
    share = alpha[..., None] / 255
    expected = np.asarray(COLOUR) * share + 255 * (1 - share)
    assert np.abs(pixels(path) - expected).max() <= 1


def test_a_palette_with_a_transparent_colour_stands_on_white(tmp_path: Path) -> None:
    image = Image.new("P", (4, 3), 1)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((0, 0), 0)
    result = pixels(saved(image, tmp_path / "a.png", transparency=0))
    assert result[0, 0].tolist() == [255, 255, 255]
    assert result[1, 1].tolist() == [200, 100, 50]


def test_16_bits_become_8(tmp_path: Path) -> None:
    values = np.array([[0, 257, 128, 129], [65535, 65406, 65407, 32768]], dtype=np.uint16)
    path = saved(Image.fromarray(values), tmp_path / "a.png")
    np.testing.assert_array_equal(pixels(path), np.round(values / 257).astype(np.uint8))
    seen, _ = look(str(path))
    assert (seen.top, seen.grey) == (65535, True)


def test_cmyk_and_black_and_white_are_read(tmp_path: Path) -> None:
    cmyk = saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), tmp_path / "a.jpg", quality=100)
    assert np.abs(pixels(cmyk).astype(int) - [255, 0, 0]).max() <= 3
    ink = Image.new("1", (8, 8), 1)
    ink.putpixel((2, 3), 0)
    result = pixels(saved(ink, tmp_path / "b.png"))
    assert result[3, 2] == 0
    assert result.sum() == 63 * 255


def test_of_several_frames_the_first_counts(tmp_path: Path) -> None:
    frames = [Image.new("L", (6, 6), shade) for shade in (10, 200)]
    seen, copy = look(
        str(saved(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:])), (6, 6, 1)
    )
    assert seen.animated
    assert set(copy) == {10}


def test_floating_point_is_refused(tmp_path: Path) -> None:
    path = saved(Image.fromarray(np.ones((4, 4), dtype=np.float32)), tmp_path / "a.tif")
    assert "floating-point numbers; expected 8 or 16 bits" in look(str(path))[0].problem


def test_the_same_picture_has_one_hash_however_it_is_stored(tmp_path: Path) -> None:
    thrice = Image.merge("RGB", [GREY] * 3)
    opaque = Image.merge("LA", [GREY, Image.new("L", GREY.size, 255)])
    files = [
        saved(GREY, tmp_path / "a.png"),
        saved(GREY, tmp_path / "a.tif"),
        saved(GREY, tmp_path / "a.gif"),
    ]
    files += [
        saved(thrice, tmp_path / "b.bmp"),
        saved(opaque, tmp_path / "c.png"),
        saved(GREY, tmp_path / "d.webp", lossless=True),
    ]
    hashes = {look(str(path))[0].hash for path in files}
    assert hashes == {content_hash(20, 30, [GREY.tobytes()])}
    assert all(look(str(path))[0].grey for path in files)


def test_shape_and_pixels_both_count_in_the_hash() -> None:
    flat = bytes(range(12))
    hashes = {content_hash(3, 4, [flat]), content_hash(4, 3, [flat]), content_hash(3, 4, [flat[::-1]])}
    assert len({*hashes, content_hash(2, 2, [flat[:4], flat[4:8], flat[8:]])}) == 4


def header(width: int, height: int) -> bytes:
    """A PNG that says that it is so large, and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


# Pillow warns of the first, refuses the second.
@pytest.mark.parametrize(("width", "height"), [(10_000, 9_000), (50_000, 50_000)])
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(header(width, height))
    problem = look(str(path))[0].problem
    assert f"says that it has {width * height:,} pixels" in problem
    assert f"at most {LARGEST:,}" in problem


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(saved(COLOUR, tmp_path / "whole.jpg").read_bytes()[:-300])
    text = tmp_path / "text.png"
    text.write_text("Dear reader,\nthis is a letter.")
    none = tmp_path / "none.png"
    none.write_bytes(b"")
    pdf = tmp_path / "paper.png"
    pdf.write_bytes(b"%PDF-1.7 \x93\x8c")
    script = tmp_path / "script.png"
    script.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")  # would start Ghostscript
    problems = {
        path.stem: look(str(path))[0].problem
        for path in (cut, text, none, pdf, script, tmp_path / "gone.png")
    }
    assert problems["cut"].startswith("is damaged or cut short (")
    assert problems["text"] == "is no picture: it holds text ('Dear reader, this is a letter.' …)"
    assert problems["none"] == "is empty (0 bytes)"
    assert "seems to be PDF" in problems["paper"]
    assert problems["script"].startswith("is no picture")
    assert problems["gone"] == "does not exist"


def test_pixels_come_along_while_pictures_are_alike(tmp_path: Path) -> None:
    colour, grey = saved(COLOUR, tmp_path / "a.png"), saved(GREY, tmp_path / "b.png")
    planes = np.asarray(COLOUR).transpose(2, 0, 1)
    assert look(str(colour), (20, 30, 3))[1] == planes.tobytes()
    assert look(str(grey), (20, 30, 3))[1] == GREY.tobytes() * 3
    assert look(str(colour), (20, 30, 1))[1] == b""
    assert look(str(grey), (20, 31, 1))[1] == b""


def test_a_picture_covers_the_size_and_is_cut_at_the_centre(tmp_path: Path) -> None:
    wide = np.zeros((40, 100), dtype=np.uint8)
    wide[:, 30:70] = 200  # the middle 40 columns are all that a square shows
    path = saved(Image.fromarray(wide), tmp_path / "a.png")
    seen, content = fit(str(path), (20, 20), 1)
    assert seen == Seen()
    square = np.frombuffer(content, dtype=np.uint8).reshape(20, 20)
    assert (square[:, 1:-1] == 200).all()
    assert (square >= 170).all()  # smoothing reaches half a pixel beyond the edge


@pytest.mark.parametrize("size", [(16, 24), (64, 64), (300, 40)])
def test_a_reduced_jpeg_looks_like_the_whole(tmp_path: Path, size: tuple[int, int]) -> None:
    rows, columns = np.mgrid[0:600, 0:800]
    waves = np.stack(
        [127 + 120 * np.sin(rows / 50), 127 + 120 * np.cos(columns / 60), (rows + columns) / 6], axis=-1
    )
    path = saved(Image.fromarray(waves.astype(np.uint8)), tmp_path / "a.jpg", quality=95)
    left, top, right, bottom = (
        (800 - (w := min(800, 600 * size[1] / size[0]))) / 2,
        (600 - (h := min(600, 800 * size[0] / size[1]))) / 2,
        0,
        0,
    )
    right, bottom = left + w, top + h
    with Image.open(path) as image:
        expected = np.asarray(
            image.resize((size[1], size[0]), Image.Resampling.BILINEAR, box=(left, top, right, bottom))
        )
    pixels = np.frombuffer(fit(str(path), size, 3)[1], dtype=np.uint8).reshape(3, *size).transpose(1, 2, 0)
    assert np.abs(pixels.astype(int) - expected).max() <= 6


def test_equal_channels_are_one() -> None:
    assert bands(Image.merge("RGB", [GREY] * 3)) == [GREY.tobytes()]
    assert len(bands(COLOUR)) == 3

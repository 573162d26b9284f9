"""`ImageStore`: pictures from files and arrays, in memory and in a file without a name."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from handrail.data.rows import Stored
from handrail.data.stores.images import ImageStore
from handrail.data.stores.pixels import cache, workers
from handrail.data.stores.pixels.cache import OnDisk, Shelf
from handrail.data.stores.pixels.decode import crop
from handrail.errors import DataError, HandrailError

RNG = np.random.default_rng(0)


def digits(items: int = 12, *, channels: int = 1, side: int = 10) -> np.ndarray:
    shape = (items, side, side) if channels == 1 else (items, side, side, channels)
    return RNG.integers(0, 256, shape).astype(np.uint8)


def files(folder: Path, pictures: np.ndarray, *, ending: str = "png") -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{place}.{ending}" for place in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path)
    return paths


@pytest.fixture
def many_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_FILES", 1)
    monkeypatch.setattr(workers, "_BATCH", 5)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.mark.parametrize("channels", [1, 3])
def test_files_and_arrays_of_the_same_pictures_are_the_same(tmp_path: Path, channels: int) -> None:
    pictures = digits(channels=channels)
    of_files = ImageStore.of_files(files(tmp_path, pictures))
    of_array = ImageStore.of_array(pictures, "digits.npz")
    np.testing.assert_array_equal(of_files.hashes, of_array.hashes)
    np.testing.assert_array_equal(of_files.sizes, of_array.sizes)
    np.testing.assert_array_equal(of_files.grey, of_array.grey)
    assert of_files.grey.all() == (channels == 1)
    for bands in (1, 3):
        for size in ((10, 10), (6, 7)):
            assert torch.equal(of_files.pixels(size, bands), of_array.pixels(size, bands))


def test_channels_may_stand_first_or_last_and_alpha_on_white() -> None:
    pictures = digits(channels=4)
    last, first = ImageStore.of_array(pictures, "a"), ImageStore.of_array(pictures.transpose(0, 3, 1, 2), "b")
    np.testing.assert_array_equal(last.hashes, first.hashes)
    share = pictures[..., 3:] / 255
    expected = pictures[..., :3] * share + 255 * (1 - share)
    assert np.abs(last.pixels((10, 10), 3).numpy().transpose(0, 2, 3, 1) - expected).max() <= 1


@pytest.mark.parametrize(
    "array", [np.zeros((2, 5, 5)), np.zeros((2, 5, 5, 2), dtype=np.uint8), np.zeros((5, 5), dtype=np.uint8)]
)
def test_arrays_that_are_no_pictures_are_refused(array: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"x\.npy (holds float64; expected pictures of bytes|has the shape)"):
        ImageStore.of_array(array, "x.npy")


def test_colour_becomes_grey_as_pillow_does_it() -> None:
    pictures = digits(channels=3)
    expected = [np.asarray(Image.fromarray(picture).convert("L")) for picture in pictures]
    np.testing.assert_array_equal(
        ImageStore.of_array(pictures, "a").pixels((10, 10), 1)[:, 0].numpy(), np.stack(expected)
    )


def test_worker_processes_give_what_this_process_gives(
    tmp_path: Path, many_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = files(tmp_path, digits(23, channels=3))
    # Not alike: pixels are decoded at the second pass.
    Image.fromarray(digits(1)[0]).resize((17, 9)).save(paths[11])
    by_workers = ImageStore.of_files(paths)
    result = by_workers.pixels((8, 8), 3)
    monkeypatch.setattr(workers, "_FILES", 10**6)
    here = ImageStore.of_files(paths)
    np.testing.assert_array_equal(by_workers.hashes, here.hashes)
    assert by_workers.sizes.tolist() == here.sizes.tolist()
    assert by_workers.sizes[11].tolist() == [9, 17]
    assert torch.equal(result, here.pixels((8, 8), 3))


def test_pictures_are_decoded_once(tmp_path: Path) -> None:
    paths = files(tmp_path, digits(7))
    store = ImageStore.of_files(paths)
    for path in paths:
        path.unlink()
    assert store.pixels((10, 10), 3).shape == (7, 3, 10, 10)  # alike and small: kept at the first pass
    assert store.pixels((5, 5), 1).shape == (7, 1, 5, 5)


def test_a_file_that_went_away_since_is_named(tmp_path: Path) -> None:
    paths = [*files(tmp_path / "a", digits(3)), *files(tmp_path / "b", digits(2, side=14))]
    store = ImageStore.of_files(paths, ["a/0", "a/1", "a/2", "b/0", "b/1"])
    paths[3].unlink()
    with pytest.raises(DataError, match=r"^b/0 does not exist\. 1 of 5 pictures cannot be used"):
        store.pixels((8, 8), 1)


def test_all_files_that_cannot_be_read_are_named_at_once(tmp_path: Path, many_processes: None) -> None:
    paths = files(tmp_path, digits(40))
    for place in (3, 17, 39):
        paths[place].write_text("no picture")
    paths[20].write_bytes(paths[20].read_bytes()[:-30])
    with pytest.raises(DataError) as caught:
        ImageStore.of_files(paths, [path.name for path in paths])
    assert [problem.split()[0] for problem in caught.value.problems] == [
        "3.png",
        "17.png",
        "20.png",
        "39.png",
    ]
    assert caught.value.problems[-1].endswith("4 of 40 pictures cannot be used; replace or remove them.")


def test_files_that_are_not_what_they_say_or_not_like_others_are_named(tmp_path: Path) -> None:
    paths = files(tmp_path, digits(30, channels=3), ending="jpg")
    Image.fromarray(digits(1, channels=3)[0]).quantize().save(tmp_path / "imageNotFound.gif")
    (tmp_path / "imageNotFound.gif").rename(paths[4])
    Image.fromarray(digits(1).astype(np.uint16)[0]).save(paths[9], format="PNG")
    store = ImageStore.of_files(paths, [path.name for path in paths])
    text = "\n".join(store.remarks)
    assert "4.jpg: by content it is a GIF, whatever its name says" in text
    assert (
        "file format GIF (JPEG in 28 of the 30 files); depth palette (colour in 28 of the 30 files)" in text
    )
    assert "9.jpg: by content it is a PNG" in text
    assert "depth 16-bit grey" in text
    assert "None is brighter than" in text
    placeholder = ImageStore.of_files(paths[:1], ["ants/imageNotFound.jpg"])
    assert "stands for a picture that was missing" in placeholder.remarks[0]


def test_pictures_that_are_alike_need_no_remark(tmp_path: Path) -> None:
    assert ImageStore.of_files(files(tmp_path, digits(5))).remarks == ()


def test_transparent_pixels_are_said_and_opaque_ones_are_not(tmp_path: Path) -> None:
    pictures = digits(4, channels=4)
    pictures[1:, ..., 3] = 255
    (remark,) = ImageStore.of_files(files(tmp_path, pictures), ["a", "b", "c", "d"]).remarks
    assert remark == "1 of 4 pictures have transparent pixels, which stand on white: a."


def test_places_alone_are_decoded_without_the_rest(tmp_path: Path) -> None:
    paths = [*files(tmp_path / "a", digits(3)), *files(tmp_path / "b", digits(2, side=14))]
    store = ImageStore.join([ImageStore.of_files(paths), ImageStore.of_array(digits(4), "c")])
    some = store.pixels((9, 9), 3, places=[8, 0, 4, 4])
    assert torch.equal(some, store.pixels((9, 9), 3)[[8, 0, 4, 4]])
    assert torch.equal(some, store.pixels((9, 9), 3, places=[8, 0, 4, 4]))


def test_joined_stores_stand_one_behind_the_other(tmp_path: Path) -> None:
    first, second = (
        ImageStore.of_array(digits(3), "a.gz"),
        ImageStore.of_files(files(tmp_path, digits(2, channels=3)), ["x", "y"]),
    )
    both = ImageStore.join([first, second])
    assert [both.name(place) for place in range(5)] == [
        "image 1 of a.gz",
        "image 2 of a.gz",
        "image 3 of a.gz",
        "x",
        "y",
    ]
    assert both.grey.tolist() == [True] * 3 + [False] * 2
    assert torch.equal(
        both.pixels((10, 10), 3), torch.cat([first.pixels((10, 10), 3), second.pixels((10, 10), 3)])
    )
    np.testing.assert_array_equal(both.hashes, np.concatenate([first.hashes, second.hashes]))


def test_joined_arrays_of_one_shape_are_held_once() -> None:
    first, second = digits(4), digits(3)
    both = ImageStore.join([ImageStore.of_array(first, "a"), ImageStore.of_array(second, "b")])
    whole = both.pixels((10, 10), 1)
    small = both.pixels((5, 5), 1)
    assert both.pixels((10, 10), 1).data_ptr() == whole.data_ptr()
    np.testing.assert_array_equal(whole[:, 0].numpy(), np.concatenate([first, second]))
    assert torch.equal(both.pixels((5, 5), 1), small)
    assert torch.equal(both.pixels((5, 5), 1, places=[6, 1]), small[[6, 1]])
    assert both.name(5) == "image 2 of b"


def test_many_pictures_lie_in_a_file_that_has_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = digits(20, channels=3)
    small = ImageStore.of_array(pictures, "a")
    monkeypatch.setattr(cache, "IN_MEMORY", 100)
    large = ImageStore.of_array(pictures, "a", cache_in=tmp_path)
    assert list(tmp_path.iterdir()) == []
    places = torch.tensor([3, 19, 19, 0, 7])
    for size, channels in (((10, 10), 3), ((6, 6), 3), ((6, 6), 1), ((10, 10), 1)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cache, "IN_MEMORY", 10**9)
            expected = small.stored(size, channels, places)
        pixels = large.stored(size, channels, places)
        assert type(expected) is Stored
        assert isinstance(pixels, OnDisk)
        assert torch.equal(pixels.data, expected.data)
        for rows in ([4, 0, 0, 2], [1, 2, 3], [], [2]):
            assert torch.equal(
                pixels.take(torch.tensor(rows, dtype=torch.int64)),
                expected.take(torch.tensor(rows, dtype=torch.int64)),
            )
        large.release()
        assert torch.equal(pixels.data, expected.data)  # nothing is lost, only read again


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), max_size=12))
def test_a_shelf_reads_what_was_written(places: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "IN_MEMORY", 1)
        shelf = Shelf(10, (2, 3))
    content = torch.arange(60, dtype=torch.uint8).view(10, 2, 3)
    shelf.write(4, content[4:].numpy().tobytes())
    shelf.write(0, content[:4].numpy().tobytes())
    assert torch.equal(shelf.read(torch.tensor(places, dtype=torch.int64)), content[places])
    assert torch.equal(shelf.tensor, content)


def test_a_full_disk_says_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "IN_MEMORY", 1000)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(
        HandrailError, match=rf"need 2\.0 GiB of disk in {tmp_path}, which has less\. Make room"
    ):
        Shelf(2**21, (1024,), folder=tmp_path)
    with pytest.raises(HandrailError, match="the folder does not exist"):
        Shelf(2000, (10,), folder=tmp_path / "none")


CHILD = """
import sys, numpy as np, time
from pathlib import Path
from handrail.data.stores.pixels import cache
from handrail.data.stores.pixels import workers
from handrail.data.stores.images import ImageStore
cache.IN_MEMORY, workers._FILES = 1000, 1
folder = Path(sys.argv[1])
store = ImageStore.of_files(sorted((folder / "pictures").iterdir()), cache_in=folder / "run")
store.pixels((32, 32), 3)
print("ready", flush=True)
while True:
    store = ImageStore.of_files(sorted((folder / "pictures").iterdir()), cache_in=folder / "run")
"""


def test_nothing_is_left_after_kill_9(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    files(tmp_path / "pictures", digits(200))
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, start_new_session=True
    )
    assert child.stdout
    assert child.stdout.readline() == b"ready\n"
    time.sleep(0.3)  # in the middle of the next
    group = child.pid
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert list((tmp_path / "run").iterdir()) == []
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:  # workers end by themselves: their input ended
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("worker processes outlived the process that they worked for")


def test_a_worker_that_dies_is_an_error_and_not_a_hang(
    tmp_path: Path, many_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = files(tmp_path, digits(20))

    def killed(self: subprocess.Popen, *arguments: Any, **options: Any) -> None:
        launch(self, *arguments, **options)
        self.kill()

    launch = subprocess.Popen.__init__
    monkeypatch.setattr(subprocess.Popen, "__init__", killed)
    with pytest.raises(
        DataError,
        match=r"a process that decodes pictures was ended by signal 9; "
        r"perhaps the memory was full, at one of the files",
    ):
        ImageStore.of_files(paths)


def test_workers_do_not_load_what_they_do_not_need() -> None:
    code = (
        "import handrail.data.stores.pixels.workers, sys; "
        "print([name for name in ('torch', 'numpy', 'polars') if name in sys.modules])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout == "[]\n"


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 300), st.integers(1, 300))
def test_the_crop_is_inside_centred_and_of_the_right_proportions(
    height: int, width: int, new_height: int, new_width: int
) -> None:
    left, top, right, bottom = crop((height, width), (new_height, new_width))
    assert -1e-9 <= left <= right <= width + 1e-9
    assert -1e-9 <= top <= bottom <= height + 1e-9
    assert left + right == pytest.approx(width)
    assert top + bottom == pytest.approx(height)
    assert (right - left) * new_height == pytest.approx((bottom - top) * new_width)
    assert right - left == pytest.approx(width) or bottom - top == pytest.approx(height)

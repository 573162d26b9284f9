"""Samples and their pictures: written when the fit ends, shown if there are any, never of sealed rows."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from report_page import Page

import handrail
from handrail.data.stores.images import ImageStore
from handrail.errors import RunError
from handrail.report.samples import read_samples
from handrail.report.samples.archive import samples_path, save_sections
from handrail.report.samples.items import fit_size, smaller, smaller_codes
from handrail.report.sections.pictures import answer_pictures, thumbnails, training_pictures
from handrail.run import Run

pytest.importorskip("PIL", reason="pictures need pillow")


def digits(folder: Path) -> Path:
    """Bright bars that lie or stand, in noise; the last part of them is sealed."""
    random = np.random.default_rng(0)
    images = random.integers(0, 90, (160, 14, 14)).astype(np.uint8)
    labels = np.arange(160) % 2
    for image, label, place in zip(images, labels, random.integers(2, 11, 160), strict=True):
        bar = image[place : place + 2] if label else image[:, place : place + 2]
        bar[:] = random.integers(140, 255)
    images[0] = 17  # a row that is known again
    np.savez(folder / "bars.npz", x=images, y=np.array(["upright", "<b>flat</b>"])[labels])
    return folder / "bars.npz"


def texts(folder: Path) -> Path:
    random = np.random.default_rng(1)
    words = np.array(["red", "green", "blue", "<i>sour</i>", "sweet", "old", "new", "round"])
    lines = [" ".join(random.choice(words, 7)) for _ in range(200)]
    frame = pl.DataFrame({"text": lines, "kind": ["sour" if "sour" in line else "mild" for line in lines]})
    frame.write_csv(folder / "texts.csv")
    return folder / "texts.csv"


def waves(folder: Path) -> Path:
    steps = np.arange(400)
    noise = np.random.default_rng(2).normal(size=400) / 10
    pl.DataFrame({"load": np.sin(steps * 2 * np.pi / 12) + noise, "heat": noise}).write_csv(
        folder / "waves.csv"
    )
    return folder / "waves.csv"


def story(folder: Path) -> Path:
    (folder / "story.txt").write_text("the cat sat on the mat & the dog <b>ran</b>.\n\n" * 700)
    return folder / "story.txt"


GPT = {"gpt": {"width": 16, "layers": 2, "heads": 2}}
CASES: dict[str, tuple[Callable[[Path], Path], dict[str, object]]] = {
    "images": (digits, {"data.augment": ["flip"], "training.precision": "float32"}),
    "texts": (
        texts,
        {
            "model": {"transformer": {"width": 16, "heads": 2}},
            "data.target": "kind",
            "data.columns": {"text": "text"},
        },
    ),
    "forecast": (waves, {"data.task": "forecast", "data.target": "load", "data.forecast.horizon": 4}),
    "story": (story, {"data.task": "next-token", "model": GPT, "data.text.length": 24}),
}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pictures")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDRAIL_HOME", str(folder / "home"))
        for name, (make, changes) in CASES.items():
            handrail.fit(
                make(folder),
                changes={"training.epochs": 2, "evaluation.resamples": 100, **changes},
                out=folder / name,
            )
    return {name: folder / name for name in CASES}


@pytest.fixture(params=CASES)
def run(request: pytest.FixtureRequest, fitted: dict[str, Path], tmp_path: Path) -> Run:
    return Run(shutil.copytree(fitted[request.param], tmp_path / request.param))


@pytest.fixture
def images(fitted: dict[str, Path], tmp_path: Path) -> Run:
    return Run(shutil.copytree(fitted["images"], tmp_path / "images"))


SECTIONS = {
    "images": {"samples", "augmented", "filters", "inside-0", "mistakes", "hardest"},
    "texts": {"samples", "attention", "mistakes"},
    "forecast": {"forecast"},
    "story": {"generated", "attention"},
}
SHOWN = {
    "images": ("Training images", "Augmented training images", "Filters of the first layer"),
    "texts": ("A look at training rows", "Attention in layer 2 of 2"),
    "forecast": ("Forecast of load", "Error by step ahead, load"),
    "story": ("What it writes", "Attention in layer 1 of 2", "Loss of each window"),
}


def test_each_kind_of_data_has_its_pictures_and_no_others(run: Run) -> None:
    name = run.path.name
    assert set(read_samples(run.folder, "validation")) == SECTIONS[name]
    text = run.report().read_text()
    page = Page(text)
    others = {title for case, titles in SHOWN.items() if case != name for title in titles} - set(SHOWN[name])
    assert all(title in page.text for title in SHOWN[name])
    assert not any(
        title in page.text for title in others if "Attention" not in title and "A look" not in title
    )
    assert ("Inside the network" in page.text) == (name != "forecast")
    assert page.tags["script"] == page.tags["link"] == page.tags["i"] == page.tags["b"] == page.unnamed == 0
    assert all(link.startswith(("#", "data:image/")) for link in page.links)
    assert len(set(page.identifiers)) == len(page.identifiers)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.identifiers)
    assert samples_path(run.folder, "validation").stat().st_size < 1_000_000


def test_the_page_is_the_same_each_time_whatever_chance_does(run: Run) -> None:
    first = run.report().read_bytes()
    with torch.random.fork_rng():
        torch.manual_seed(99)
        assert Run(run.path).report().read_bytes() == first


def test_without_kept_pictures_there_is_a_report_without_them(run: Run) -> None:
    samples_path(run.folder, "validation").unlink()
    page = Page(run.report().read_text())
    assert "Metrics" in page.text
    assert not any(title in page.text for title in SHOWN[run.path.name] if title != "Loss of each window")
    assert "Inside the network" not in page.text


def test_damaged_pictures_are_told_of(images: Run) -> None:
    samples_path(images.folder, "validation").write_bytes(b"no archive")
    with pytest.raises(
        RunError, match=r"validation\.npz' is damaged .*remove it for a report without pictures"
    ):
        images.report()


def test_test_rows_are_shown_only_once_their_seal_is_open(
    images: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HANDRAIL_HOME", str(tmp_path / "home"))
    assert not samples_path(images.folder, "test").exists()
    images.test()
    assert set(read_samples(images.folder, "test")) == {"mistakes", "hardest"}
    images.test(again=True)
    text = images.report().read_text()
    test_part = text[text.index("Test rows <") : text.index('id="hardest"')]
    for figure in re.findall(r"<figure.*?</figure>", test_part, re.DOTALL):
        assert "opened 2 times" in figure


def test_what_is_kept_is_of_the_rows_that_it_says(images: Run) -> None:
    train, validation, test = images.parts()
    samples = read_samples(images.folder, "validation")
    store = next(iter(train.stores.values()))
    assert isinstance(store, ImageStore)

    def known(part) -> set[bytes]:
        return {image.tobytes() for image in store.pixels((14, 14), 1, part.raw["image"].to_list()).numpy()}

    assert {image.tobytes() for image in samples["samples"]["items"]} <= known(train)
    assert {image.tobytes() for image in samples["hardest"]["items"]} <= known(validation)
    shown = {image.tobytes() for section in ("samples", "hardest") for image in samples[section]["items"]}
    assert not shown & (known(test) - known(train) - known(validation))
    originals, changed = samples["augmented"]["originals"], samples["augmented"]["changed"]
    for first, others in zip(originals, changed, strict=True):
        assert all(np.array_equal(one, first) or np.array_equal(one, first[..., ::-1]) for one in others)
    assert sorted(samples["mistakes"]["sure"], reverse=True) == samples["mistakes"]["sure"]
    assert len(thumbnails(samples, "validation")) == len(images.summary["hardest"])


def test_chance_is_as_it_was_and_pictures_do_not_depend_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDRAIL_HOME", str(tmp_path / "home"))
    source, shown = story(tmp_path), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        changes = {"training.epochs": 1, "evaluation.resamples": 100, **CASES["story"][1]}
        run = handrail.fit(source, changes=changes, out=tmp_path / f"run-{seed}")
        assert torch.equal(torch.get_rng_state(), before)
        shown.append(samples_path(run.folder, "validation").read_bytes())
    assert shown[0] == shown[1]


@pytest.mark.parametrize(
    ("shape", "size"), [((3, 20, 30), (20, 30)), ((1, 300, 150), (100, 50)), ((1, 5, 1000), (1, 100))]
)
def test_large_images_become_smaller_with_their_masks(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    assert fit_size(shape, 100) == size
    image = np.zeros((2, *shape), dtype=np.uint8)
    image[..., shape[2] // 2 :] = 200
    assert smaller(image, 100).shape == (2, shape[0], *size)
    codes = smaller_codes((image[:, 0] > 0).astype(np.uint8), 100)
    assert codes.shape == (2, *size)
    agree = (smaller(image, 100)[:, 0] > 100) == (codes == 1)
    assert agree.mean() > 0.97


def test_masks_and_boxes_are_drawn_from_what_was_kept(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2, 1, 20, 30)).astype(np.uint8)
    truths = np.array(
        [[[0, 0.1, 0.1, 0.4, 0.5], [-1, 0, 0, 0, 0]], [[1, 0.5, 0.5, 1, 1], [0, 0, 0, 0.2, 0.2]]],
        dtype=np.float32,
    )
    answers = np.array([[[0, 0.9, 0.1, 0.1, 0.4, 0.5]], [[-1, 0, 0, 0, 0, 0]]], dtype=np.float32)
    masks = {
        "images": images,
        "truths": truths[:, :1, :1].astype(np.uint8).repeat(20, 1).repeat(30, 2),
        "classes": ["ground", "cell"],
    }
    masks["answers"] = masks["truths"]
    boxes = {"images": images, "truths": truths, "found": answers, "classes": ["cell", "plate"]}
    save_sections(tmp_path / "kept" / "all.npz", {"masks": masks, "boxes": boxes})
    arrays = dict(np.load(tmp_path / "kept" / "all.npz"))
    np.testing.assert_array_equal(arrays["boxes.found"], answers)
    views = answer_pictures({"masks": masks, "boxes": boxes}, "validation", marked=True).figures
    assert [view.title for view in views] == ["Masks", "Objects"]
    assert "100.0% of these pixels" in views[0].note
    assert views[1].note.startswith("1 right, 2 missed, 0 found that are not there")
    assert all(view.marked for view in views)


def test_series_end_where_they_end_and_titles_are_theirs() -> None:
    series = np.full((2, 1, 9), np.nan, dtype=np.float32)
    series[0, 0], series[1, 0, :4] = np.arange(9), np.arange(4)
    sections = {"samples": {"kind": "series", "items": series, "titles": ["long", "short"]}}
    (view,) = training_pictures(sections, "").figures
    assert view.title == "Training series"
    assert ">long</text>" in view.svg
    assert ">short</text>" in view.svg
    assert not training_pictures({}, "")

"""Pictures of images, series, sounds and texts: true to what they show, safe, and in the page's colours."""

import base64
import io
import re
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from handrail.report.figures.attention import attention_plot
from handrail.report.figures.boxes import box_grid, overlaps, partners
from handrail.report.figures.forecasts import forecast_plots, series_plot
from handrail.report.figures.maps import filters_grid, mask_grid, spectrogram_grid
from handrail.report.figures.samples import augmentation_grid, mistakes_grid, sample_grid
from handrail.report.figures.style import FigureView
from handrail.report.figures.texts import excerpt, hard_texts, text_sample
from handrail.report.figures.tiles import cut, escape_text, png

HOSTILE = '<script>alert("1")</script>&amp;\x00\x1b名前'
SVG = "{http://www.w3.org/2000/svg}"


def pixels(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def every() -> dict[str, FigureView]:
    """One picture of each kind, with hostile names."""
    random = np.random.default_rng(0)
    boxes = np.array([[2.0, 3, 12, 14], [10, 10, 30, 19], [0, 0, 60, 60]])
    codes, scores = np.array([0, 1, 0]), np.array([0.9, 0.7, 1.0])
    weights = random.random((3, 6, 6))
    series = [random.normal(size=(2, 30)), random.normal(size=(2, 20))]
    return {
        "samples": sample_grid(pixels(9, 1, 8, 8), [HOSTILE] * 9),
        "photos": sample_grid(pixels(3, 3, 50, 60), width=720),
        "augmented": augmentation_grid(pixels(2, 3, 8, 8), pixels(2, 4, 3, 8, 8)),
        "mistakes": mistakes_grid(pixels(5, 2, 8, 8), ["a"] * 5, [HOSTILE] * 5, [0.9] * 5, marked=True),
        "masks": mask_grid(pixels(2, 1, 20, 20), *random.integers(0, 2, (2, 2, 20, 20))),
        "classes": mask_grid(
            pixels(2, 3, 60, 50),
            *random.integers(0, 4, (2, 2, 60, 50)),
            classes=(HOSTILE, "b", "c", "d"),
            name="classes",
        ),
        "boxes": box_grid(
            [pixels(3, 20, 40)] * 2, [(boxes, codes)] * 2, [(boxes + 1, codes, scores)] * 2, [HOSTILE, "b"]
        ),
        "spectrograms": spectrogram_grid(random.normal(size=(4, 16, 30)), [HOSTILE] * 4),
        "filters": filters_grid(random.normal(size=(7, 3, 5, 5))),
        "attention": attention_plot(
            weights / weights.sum(-1, keepdims=True), [HOSTILE, " a", "\n", "b", "c", "d"]
        ),
        "forecast": forecast_plots(
            *(random.normal(size=(steps, 1)) for steps in (40, 5, 5, 5)), names=[HOSTILE]
        )[0],
        "series": series_plot(series, [HOSTILE] * 2),
    }


@pytest.fixture(scope="module")
def views() -> dict[str, FigureView]:
    return every()


def test_pictures_are_whole_named_and_safe(views: dict[str, FigureView]) -> None:
    for name, view in views.items():
        root = ElementTree.fromstring(standalone(view.svg))
        assert root.get("role") == "img", name
        assert root.get("aria-label"), name
        assert not root.findall(f".//{SVG}script")
        assert "<script" not in view.svg
        assert view.title


def standalone(svg: str) -> str:
    return str(svg).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)


def test_the_page_gives_all_colours_but_those_of_photos(views: dict[str, FigureView]) -> None:
    for name, view in views.items():
        without = re.sub(r'href="data:[^"]*"', "", view.svg)
        assert not re.search(r"#[0-9a-fA-F]{6}\b|rgb\(", without), name
        assert "var(--" in without, name


def test_identifiers_are_the_pages_only_ones(views: dict[str, FigureView]) -> None:
    page = "".join(str(view.svg) for view in views.values())
    identifiers = re.findall(r' id="([^"]*)"', page)
    assert len(identifiers) == len(set(identifiers)) > 10
    assert set(re.findall(r"url\(#([^)]*)\)", page)) <= set(identifiers)


def test_pictures_are_the_same_each_time(views: dict[str, FigureView]) -> None:
    assert every() == views


@pytest.mark.parametrize("shape", [(1, 7, 5), (3, 4, 9), (1, 1, 1)])
def test_png_files_hold_the_pixels(shape: tuple[int, ...]) -> None:
    images = pixels(*shape)
    read = np.asarray(Image.open(io.BytesIO(png(images))))
    np.testing.assert_array_equal(read, images[0] if shape[0] == 1 else images.transpose(1, 2, 0))
    assert zlib.crc32(b"IEND").to_bytes(4, "big") == png(images)[-4:]


def embedded(view: FigureView) -> list[np.ndarray]:
    encoded = re.findall(r'href="data:image/\w+;base64,([^"]*)"', view.svg)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in encoded]


def test_small_images_are_shown_pixel_for_pixel() -> None:
    images = pixels(40, 3, 9, 12)
    shown = embedded(sample_grid(images))
    assert len(shown) == 36
    for one, image in zip(shown, images, strict=False):
        np.testing.assert_array_equal(one, image.transpose(1, 2, 0))
    assert "pixelated" in sample_grid(images).svg
    two = pixels(1, 2, 9, 12)
    np.testing.assert_array_equal(embedded(sample_grid(two))[0], two[0].mean(axis=0).round())


def test_photos_are_no_larger_than_needed_and_look_alike() -> None:
    line = np.linspace(0, 255, 800)
    photo = np.stack(
        [
            np.broadcast_to(line, (600, 800)),
            np.broadcast_to(line[::-1], (600, 800)),
            np.full((600, 800), 90.0),
        ]
    )
    view = sample_grid(photo.astype(np.uint8)[None])
    shown = embedded(view)[0]
    assert shown.shape[1] < 400
    assert len(view.svg) < 12_000
    assert abs(shown[:, 0].astype(float) - [0, 255, 90]).max() < 12
    assert abs(shown[:, -1].astype(float) - [255, 0, 90]).max() < 12
    assert "pixelated" not in view.svg


def test_the_surest_mistakes_come_first_and_right_answers_are_left_out() -> None:
    images = pixels(40, 1, 6, 6)
    truths, answers = ["cat"] * 40, ["cat"] * 10 + ["dog"] * 30
    confidences = np.random.default_rng(1).random(40)
    sure = confidences.tolist()
    view = mistakes_grid(images, truths, answers, sure)
    order = [row for row in np.argsort(-confidences) if row >= 10][:16]
    for shown, row in zip(embedded(view), order, strict=True):
        np.testing.assert_array_equal(shown, images[row, 0])
    assert re.findall(r">dog (\d+)%</text>", view.svg) == [f"{sure[row]:.0%}"[:-1] for row in order]
    assert view.side == "30 mistakes"
    none = mistakes_grid(images[:3], truths[:3], answers[:3], sure[:3])
    assert none.note == "There are none."
    ElementTree.fromstring(standalone(none.svg))


def test_long_names_have_a_line_of_their_own() -> None:
    svg = mistakes_grid(pixels(1, 1, 6, 6), ["ship"], ["automobile"], [0.987]).svg
    assert ">automobile</text>" in svg
    assert ">99% sure</text>" in svg
    assert "<title>automobile · 99% sure · is ship</title>" in svg


def test_masks_tell_found_missed_and_wrong_apart() -> None:
    truth, answer = np.zeros((1, 4, 4), int), np.zeros((1, 4, 4), int)
    truth[0, 0], answer[0, :, 0] = 1, 1
    view = mask_grid(pixels(1, 1, 4, 4), truth, answer, ("background", "cell"))
    layers = embedded(view)
    np.testing.assert_array_equal(layers[2] > 0, truth[0] > 0)
    hits, missed, wrong = layers[4:]
    assert (hits > 0).sum() == 1
    np.testing.assert_array_equal(missed > 0, (truth[0] == 1) & (answer[0] == 0))
    np.testing.assert_array_equal(wrong > 0, (truth[0] == 0) & (answer[0] == 1))
    assert view.note.startswith("62.5% of these pixels")
    assert [key.label for key in view.keys] == ["found", "missed", "found where it is not"]


def test_overlap_is_shared_area_by_all_area() -> None:
    box = np.array([0.0, 0, 10, 10])
    others = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [0, 0, 5, 5], [3, 3, 3, 3]])
    np.testing.assert_allclose(overlaps(box, others), [1, 1 / 3, 0, 0.25, 0])
    assert overlaps(np.zeros(4), np.zeros((1, 4))).tolist() == [0]


def test_each_true_box_has_one_partner_the_surest() -> None:
    truth = (np.array([[0.0, 0, 10, 10], [20, 0, 30, 10]]), np.array([0, 1]))
    boxes = np.array([[0.0, 0, 10, 9], [0, 0, 10, 10], [20, 0, 30, 10], [20, 0, 30, 10], [50, 50, 60, 60]])
    predicted = (boxes, np.array([0, 0, 0, 1, 1]), np.array([0.8, 0.9, 0.95, 0.3, 0.99]))
    assert partners(truth, predicted).tolist() == [-1, 0, -1, 1, -1]
    empty = np.zeros((0, 4)), np.zeros(0, int)
    assert partners(empty, predicted).tolist() == [-1] * 5
    assert partners(truth, (*empty, np.zeros(0))).tolist() == []
    view = box_grid([pixels(3, 60, 60)], [truth], [predicted], ["cell", "platelet"])
    assert view.note.startswith("2 right, 0 missed, 3 found that are not there")
    assert view.svg.count("stroke-dasharray") == 3


def test_a_forecast_tells_both_errors_and_shows_the_end_of_the_past() -> None:
    history = np.arange(1000.0)[:, None] * [1, 2]
    truth = np.full((10, 2), 5.0)
    first, second = forecast_plots(history, truth, truth + 1, truth - 3, ["load", "heat"])
    assert [view.title for view in (first, second)] == ["Forecast of load", "Forecast of heat"]
    assert [(key.label, key.value) for key in first.keys] == [
        ("truth", ""),
        ("network", "1"),
        ("seasonal naive", "3"),
    ]
    assert len(forecast_plots(*(np.zeros((9, 8)),) * 4, names=list("abcdefgh"))) == 6
    steps = [int(step) for step in re.findall(r">−(\d+)</text>", first.svg)]
    assert 20 <= max(steps) <= 40, "four horizons of the past"
    single = forecast_plots(history, truth[:1], truth[:1], truth[:1], ["load", "heat"])
    assert all(ElementTree.fromstring(standalone(view.svg)) is not None for view in single)


def test_series_of_other_lengths_and_without_numbers_are_drawn() -> None:
    series = [np.arange(5.0)[None], np.full((1, 3), np.nan), np.arange(400.0)[None] % 7]
    view = series_plot(series, ["a", "b", "c"])
    assert [f">{name}</text>" in view.svg for name in "abc"] == [True] * 3
    assert "to 6.36" in view.note


def test_attention_names_tokens_and_cuts_long_texts() -> None:
    view = attention_plot(np.full((2, 40, 40), 1 / 40), ["a b"] * 40)
    assert view.side == "the first 32 of 40 tokens"
    assert view.svg.count("a␣b") == 32 * 3  # once down the side, and above each of two heads
    assert all(head.shape == (32, 32) for head in embedded(view))


def test_filters_have_grey_as_zero() -> None:
    weights = np.zeros((2, 1, 3, 3))
    weights[1, 0, 0, 0], weights[1, 0, 2, 2] = 2.0, -1.0
    nothing, one = embedded(filters_grid(weights))
    assert set(nothing.ravel().tolist()) == {128}
    assert (one[0, 0], one[2, 2], one[1, 1]) == (255, 64, 128)


@given(st.text(max_size=60), st.floats(20, 300))
def test_captions_stay_within_their_tile(text: str, width: float) -> None:
    short = cut(text, width)
    assert short == text or short.endswith("…")
    assert len(short) <= width / (11 * 0.6) + 1
    ElementTree.fromstring(f"<a>{escape_text(text)}</a>")


def test_generated_text_is_cut_and_says_how_it_was_drawn() -> None:
    sample = text_sample("ROMEO:\n", "word " * 1000 + "\x07", temperature=0.8)
    assert sample.how == "temperature 0.8"
    assert len(sample.text) == 2001
    assert sample.prompt == "ROMEO:\n"
    assert text_sample("\x07", "a\r\nb", temperature=0).prompt == "␇"
    assert text_sample("", "a\r\nb", temperature=0).text == "a\nb"
    assert text_sample("", "", temperature=0).how == "the most probable token each time"


@given(st.text(max_size=700), st.integers(10, 300))
def test_excerpts_are_short_beginnings(text: str, longest: int) -> None:
    result = excerpt(text, longest)
    assert len(result) <= longest
    assert excerpt(" ".join(text.split()), 10_000).startswith(result.removesuffix("…"))


def test_hard_texts_keep_their_order_and_their_probability() -> None:
    first, second = hard_texts(
        ["3", "9"], ["a\nb", "c " * 500], ["ham", "spam"], ["spam", "ham"], [0.973, 0.5]
    )
    assert (first.row, first.text, first.sure) == ("3", "a b", "97%")
    assert second.text.endswith("…")
    assert hard_texts(["3"], ["a"], ["b"], ["c"])[0].sure == ""


def test_names_of_classes_below_small_pictures_are_written_out_where_fewer_columns_do() -> None:
    images = pixels(36, 1, 16, 16)
    short, names = (sample_grid(images, [name] * 36, width=640).svg for name in ("cross", "triangle"))
    assert "…" not in short
    assert "…" not in names
    assert short.count("<image") == names.count("<image") == 36
    assert "…" in sample_grid(images, ["a name of a class without an end"] * 36, width=640).svg

"""Pictures to the numbers that a network takes."""

import json
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch.nn import functional

from handrail.data.encoders.image import ImageEncoder, StandardisePixels, ToUnit
from handrail.data.stores.images import ImageStore
from handrail.data.stores.store import place_column
from handrail.errors import DataError
from handrail.recipe.sections import Images

RNG = np.random.default_rng(0)


def colour(items: int, height: int, width: int) -> ImageStore:
    tint = np.array([0.3, 0.6, 1.0])
    return ImageStore.of_array((RNG.integers(0, 256, (items, height, width, 3)) * tint).astype(np.uint8), "a")


def fitted(store: ImageStore, rows: int | None = None, **settings) -> ImageEncoder:
    return ImageEncoder.fit(place_column("photo", len(store))[:rows], store, Images(**settings))


def test_training_pictures_have_mean_0_and_deviation_1_in_each_channel() -> None:
    store = colour(20, 12, 16)
    encoder = fitted(store)
    values = encoder.front()(encoder.rows(place_column("photo", 20), store).take(torch.arange(20)))
    assert values.dtype == torch.float32
    torch.testing.assert_close(values.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(values.std(dim=(0, 2, 3), correction=0), torch.ones(3), atol=1e-5, rtol=0)
    assert values.is_contiguous(memory_format=torch.channels_last)


def test_other_rows_do_not_change_what_is_learned() -> None:
    pictures = RNG.integers(0, 256, (9, 6, 6, 3)).astype(np.uint8)
    changed = pictures.copy()
    changed[6:] = 255 - changed[6:]
    one, other = (fitted(ImageStore.of_array(array, "a"), 6) for array in (pictures, changed))
    assert one.facts() == other.facts()


def test_moments_do_not_depend_on_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    store = colour(15, 8, 8)
    whole = fitted(store).facts()
    monkeypatch.setattr("handrail.data.encoders.image._CHUNK", 500)
    assert fitted(store).facts() == whole


def mixed(*sizes: tuple[int, int]) -> ImageStore:
    return ImageStore.join([colour(1, height, width) for height, width in sizes])


@pytest.mark.parametrize(
    ("sizes", "settings", "expected", "why"),
    [
        ([(28, 28)] * 3, {}, (28, 28), "all training pictures are 28 × 28"),
        ([(100, 256)] * 2, {}, (100, 256), "all training pictures are 256 × 100"),
        ([(480, 640)] * 2, {}, (192, 256), "scaled to 256 × 192"),
        ([(375, 500), (500, 375), (400, 400)], {}, (128, 128), "many sizes"),
        ([(60, 90), (64, 64), (70, 60)], {}, (64, 64), "many sizes"),
        ([(20, 22), (18, 30), (21, 25)], {}, (20, 20), "many sizes"),
        ([(28, 28)] * 3, {"size": 40}, (40, 40), "size as set"),
        ([(28, 28)] * 3, {"size": (8, 10)}, (8, 10), "size as set"),
    ],
)
def test_the_size_suits_the_training_pictures(
    sizes: list, settings: dict, expected: tuple[int, int], why: str
) -> None:
    encoder = fitted(mixed(*sizes), **settings)
    assert encoder.size == expected
    assert why in encoder.why
    assert encoder.shape == (3, *expected)


def test_channels_suit_the_training_pictures() -> None:
    grey = ImageStore.of_array(np.repeat(RNG.integers(0, 256, (4, 6, 6, 1)).astype(np.uint8), 3, axis=3), "a")
    both = ImageStore.join([grey, colour(2, 6, 6)])
    assert fitted(both, 4).channels == 1
    assert fitted(both).channels == 3
    assert "2 of 6 are in colour" in fitted(both).why
    assert fitted(both, channels="grey").channels == 1
    assert fitted(both, 4, channels="colour").channels == 3


def test_facts_make_the_same_encoder_again() -> None:
    store = colour(7, 9, 11)
    encoder = fitted(store)
    again = ImageEncoder.from_facts(json.loads(json.dumps(encoder.facts())))
    assert again.facts() == encoder.facts()
    rows = encoder.rows(place_column("photo", 7), store).take(torch.tensor([5, 0]))
    assert torch.equal(again.front()(rows), encoder.front()(rows))
    assert list(encoder.front().state_dict()) == []


def test_pictures_without_spread_stay_finite() -> None:
    encoder = fitted(ImageStore.of_array(np.full((3, 5, 5), 200, dtype=np.uint8), "a"))
    assert encoder.front()(torch.full((1, 1, 5, 5), 200, dtype=torch.uint8)).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("height", "width", "numbers"),
    [(28, 28, 3 * 18 * 18), (10, 12, 360), (64, 128, 3 * 12 * 26), (4, 500, 3 * 1 * 200)],
)
def test_simple_is_a_few_hundred_numbers(height: int, width: int, numbers: int) -> None:
    store = colour(2, height, width)
    encoder = ImageEncoder.from_facts({**fitted(store).facts(), "size": [height, width]})
    rows = torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8)
    features = encoder.simple(rows)
    assert features.shape[1] <= 1000
    assert features.shape[1] >= min(numbers, 3 * height * width) * 0.5
    torch.testing.assert_close(
        features.mean(), functional.adaptive_avg_pool2d(encoder.front()(rows), 1).mean(), atol=0.05, rtol=0
    )


def test_rows_without_a_picture_are_refused() -> None:
    store = colour(3, 5, 5)
    encoder = fitted(store)
    with pytest.raises(
        DataError,
        match=r"column 'photo': 1 of 3 rows have no picture \(one that has: image 1 of a\), "
        r"the first of them at position 2",
    ):
        encoder.rows(pl.Series("photo", [0, None, 2]), store)


def test_gradients_flow_to_the_pixels_and_leave_them_alone() -> None:
    front = torch.nn.Sequential(ToUnit(), StandardisePixels([0.5], [0.25]))
    pixels = torch.rand(2, 1, 4, 4, requires_grad=True)
    before = pixels.detach().clone()
    front[1](pixels).sum().backward()
    assert pixels.grad is not None
    assert torch.equal(pixels.grad, torch.full_like(before, 4.0))
    assert torch.equal(pixels.detach(), before)


def test_the_front_can_be_exported(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    front = torch.nn.Sequential(ToUnit(), StandardisePixels([0.1, 0.2, 0.3], [0.2, 0.3, 0.4])).eval()
    pixels = torch.randint(0, 256, (2, 3, 6, 5), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own affairs
        torch.onnx.export(
            front, (pixels,), tmp_path / "front.onnx", input_names=["input"], dynamo=True, verbose=False
        )
    result = runtime.InferenceSession(tmp_path / "front.onnx").run(None, {"input": pixels.numpy()})[0]
    np.testing.assert_allclose(result, front(pixels).numpy(), atol=1e-6)


@pytest.mark.parametrize("size", [[12, -0.5], [0, 12], [12, True], ["12", 12], [12, None]])
def test_facts_with_a_size_that_is_none_are_refused(size):
    facts = {"name": "x", "size": size, "channels": 1, "mean": [0.5], "deviation": [0.1], "why": ""}
    with pytest.raises(ValueError, match=r"size is .*expected whole numbers from 1 on"):
        ImageEncoder.from_facts(facts)
    assert ImageEncoder.from_facts({**facts, "size": [12, 12]}).size == (12, 12)

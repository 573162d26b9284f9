"""Augmentation of images: the formula of each, nothing in evaluation, and chance that can be repeated and
resumed.
"""

import math
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from handrail.augmentation.base import Augmentation, warp
from handrail.augmentation.colour import Colour, greys, hues, saturations
from handrail.augmentation.crop import Crop, ResizedCrop
from handrail.augmentation.defaults import usual_augmentation
from handrail.augmentation.erasing import Erasing
from handrail.augmentation.flip import Flip
from handrail.augmentation.mixup import Mixup
from handrail.augmentation.noise import Noise
from handrail.augmentation.rotation import Rotation, turns
from handrail.augmentation.shift import Shift
from handrail.augmentation.zoom import Zoom
from handrail.components import available, build
from handrail.errors import RecipeError
from handrail.shapes import ImageShape

GREY, PHOTO, ODD = ImageShape(1, 28, 28), ImageShape(3, 20, 32), ImageShape(5, 7, 11)
NAMES = ["flip", "shift", "rotation", "zoom", "crop", "resized_crop", "colour", "noise", "erasing", "mixup"]
NOTHING: list[Callable[[ImageShape], Augmentation]] = [
    lambda shape: Flip(shape, probability=0),
    lambda shape: Flip(shape, probability=0, direction="both"),
    lambda shape: Shift(shape, share=0),
    lambda shape: Crop(shape, padding=0),
    lambda shape: Rotation(shape, degrees=0),
    lambda shape: Zoom(shape, range=(1, 1)),
    lambda shape: ResizedCrop(shape, area=(1, 1), ratio=(1, 1)),
    lambda shape: Colour(
        shape, brightness=0, contrast=0, **({"saturation": 0, "hue": 0} if shape.channels == 3 else {})
    ),
    lambda shape: Noise(shape, deviation=0),
    lambda shape: Erasing(shape, probability=0),
]


def images(shape: ImageShape, rows: int = 16, seed: int = 0) -> Tensor:
    return torch.rand(rows, *shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    torch.manual_seed(7)
    return request.param


def test_all_of_them_are_found_by_name() -> None:
    assert set(NAMES) <= set(available("augmentation"))


@pytest.mark.parametrize("shape", [GREY, PHOTO, ODD])
@pytest.mark.parametrize("rows", [1, 16])
def test_shape_and_range_stay(name: str, shape: ImageShape, rows: int) -> None:
    x = images(shape, rows)
    before = x.clone()
    out = build("augmentation", name, shape)(x)
    assert out.shape == x.shape
    assert out.dtype == x.dtype
    assert out.min() >= -1e-6
    assert out.max() <= 1 + 1e-6
    assert torch.equal(x, before), "the batch itself must stay as it is"
    assert build("augmentation", name, shape)(x[:0]).shape == (0, *shape)


def test_nothing_happens_in_evaluation(name: str) -> None:
    module, x = build("augmentation", name, PHOTO), images(PHOTO)
    assert not torch.equal(module(x), x)
    state = torch.get_rng_state()
    assert torch.equal(module.eval()(x), x)
    assert torch.equal(torch.get_rng_state(), state), "evaluation draws no numbers"


def test_rows_differ(name: str) -> None:
    """All rows hold the same image but one (for mixup, which would mix alike): what comes out differs."""
    x = images(PHOTO, 1).repeat(32, 1, 1, 1)
    x[0] = 0
    out = build("augmentation", name, PHOTO)(x)[1:]
    assert len({row.numpy().tobytes() for row in out}) > 1


def test_chance_is_torchs_own_and_resumes_exactly(name: str) -> None:
    module, x = build("augmentation", name, PHOTO), images(PHOTO)
    torch.manual_seed(3)
    first = module(x)
    state = torch.get_rng_state()
    second = module(x)
    assert not torch.equal(first, second)
    torch.set_rng_state(state)
    assert torch.equal(module(x), second)
    torch.manual_seed(3)
    assert torch.equal(build("augmentation", name, PHOTO)(x), first)


# Torch has no Beta numbers there.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "mixup"])
def test_everything_happens_on_the_device_of_the_pixels(name: str) -> None:
    """A device without content refuses whatever was made on the processor."""
    assert build("augmentation", name, PHOTO)(torch.empty(4, *PHOTO, device="meta")).device.type == "meta"


@pytest.mark.parametrize("make", NOTHING)
@pytest.mark.parametrize("shape", [GREY, PHOTO, ODD])
def test_without_strength_nothing_changes(
    make: Callable[[ImageShape], Augmentation], shape: ImageShape
) -> None:
    x = images(shape)
    torch.testing.assert_close(make(shape)(x), x, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("direction", "axes"), [("horizontal", [(2,)]), ("vertical", [(1,)]), ("both", [(1,), (2,), (1, 2)])]
)
def test_flips_are_numpys_flips(direction, axes) -> None:
    torch.manual_seed(0)
    x = images(PHOTO, 400)
    out = Flip(PHOTO, probability=0.3, direction=direction)(x).numpy()
    mirrored = np.zeros(len(x), dtype=bool)
    for axis in axes:
        same = [
            np.array_equal(row, np.flip(before, axis)) for row, before in zip(out, x.numpy(), strict=True)
        ]
        share = 0.3 if direction != "both" else 0.09 if len(axis) == 2 else 0.21
        assert np.mean(same) == pytest.approx(share, abs=0.08)
        mirrored |= same
    untouched = np.array([np.array_equal(row, before) for row, before in zip(out, x.numpy(), strict=True)])
    assert np.all(mirrored ^ untouched)


@pytest.mark.parametrize(("border", "mode"), [("edge", "edge"), ("mirror", "reflect"), ("black", "constant")])
def test_shifts_are_those_of_numpy(border, mode) -> None:
    """Each image is one of the windows on its padded self, and every window is met."""
    torch.manual_seed(0)
    shape = ImageShape(2, 10, 20)
    x = images(shape, 600)
    out = Shift(shape, share=0.1, border=border)(x)
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (1, 1), (2, 2)), mode=mode)
    counts = np.zeros((3, 5), dtype=int)
    for row, wide in zip(out.numpy(), padded, strict=True):
        hits = [
            (r, c) for r in range(3) for c in range(5) if np.array_equal(row, wide[:, r : r + 10, c : c + 20])
        ]
        assert len(hits) == 1
        counts[hits[0]] += 1
    assert counts.min() > 20


def test_a_crop_is_a_shift_by_pixels() -> None:
    torch.manual_seed(5)
    cropped = Crop(PHOTO, padding=4)(images(PHOTO))
    torch.manual_seed(5)
    assert torch.equal(cropped, Shift(ImageShape(3, 40, 40), share=0.1, border="mirror")(images(PHOTO)))


def test_a_quarter_turn_turns_pixels_against_the_clock() -> None:
    x = images(ImageShape(2, 9, 9), 4)
    out = warp(x, turns(torch.tensor([0.0, 90.0, 180.0, -90.0])), "edge")
    for quarter, (row, before) in enumerate(zip(out, x, strict=True)):
        torch.testing.assert_close(row, torch.rot90(before, quarter, dims=(1, 2)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("border", ["edge", "black"])
def test_turns_are_those_of_kornia(border) -> None:
    transform = imported("kornia.geometry.transform")
    x, degrees = images(PHOTO, 6), torch.tensor([-170.0, -30.0, 5.0, 12.5, 45.0, 100.0])
    ours = warp(x, turns(degrees), border)
    theirs = transform.rotate(
        x, degrees, padding_mode={"edge": "border", "black": "zeros"}[border], align_corners=True
    )
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_angles_are_even_and_within_the_setting() -> None:
    torch.manual_seed(0)
    maps = Rotation(GREY, degrees=20).maps(images(GREY, 4000))
    angles = torch.rad2deg(torch.atan2(maps[:, 1, 0], maps[:, 0, 0]))
    assert angles.abs().max() <= 20
    assert angles.std().item() == pytest.approx(40 / math.sqrt(12), rel=0.03)
    assert angles.mean().abs() < 1


def test_a_zoom_in_shows_the_middle_larger() -> None:
    x = images(ImageShape(1, 16, 24), 3)
    module = Zoom(ImageShape(1, 16, 24), range=(2, 2))
    middle = functional.interpolate(x[:, :, 4:12, 6:18], scale_factor=2, mode="bilinear")
    torch.testing.assert_close(module(x)[:, :, 1:-1, 1:-1], middle[:, :, 1:-1, 1:-1], atol=1e-5, rtol=0)


def test_zooms_are_as_often_in_as_out() -> None:
    torch.manual_seed(0)
    factors = Zoom(GREY, range=(0.5, 2)).maps(images(GREY, 4000))[:, 0, 0]
    assert 0.5 <= factors.min() < 0.51
    assert 1.98 < factors.max() <= 2
    assert (factors < 1).float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_a_resized_crop_stays_within_the_image() -> None:
    torch.manual_seed(0)
    shape = ImageShape(1, 40, 60)
    maps = ResizedCrop(shape, area=(0.2, 0.9), ratio=(0.5, 2)).maps(images(shape, 3000))
    wide, tall = maps[:, 0, 0], maps[:, 1, 1]
    assert (maps[:, 0, 2].abs() <= (1 - wide) * 30 + 1e-4).all()
    assert (maps[:, 1, 2].abs() <= (1 - tall) * 20 + 1e-4).all()
    inside = (wide < 1) & (tall < 1)
    area, ratio = (wide * tall)[inside], (wide / tall)[inside]
    assert 0.2 <= area.min() < 0.21
    assert 0.85 < area.max() <= 0.9 + 1e-6
    assert 0.5 <= ratio.min() < 0.6
    assert 1.7 < ratio.max() <= 2 + 1e-5


def test_light_follows_the_formula() -> None:
    torch.manual_seed(0)
    x = images(GREY, 200) * 0.4 + 0.3
    out = Colour(GREY, brightness=0.1, contrast=0.2)(x)
    for row, before in zip(out, x, strict=True):
        slope = (row.std() / before.std()).item()
        level = (row.mean() - slope * before.mean()).item()
        np.testing.assert_allclose(row, slope * before + level, atol=1e-5)
        bright = (row.mean() / before.mean()).item()  # contrast leaves the mean
        assert 0.9 - 1e-4 <= bright <= 1.1 + 1e-4
        assert 0.8 - 1e-4 <= slope / bright <= 1.2 + 1e-4


def test_saturation_and_contrast_are_those_of_kornia() -> None:
    enhance = imported("kornia.enhance")
    x, factors = images(PHOTO, 5) * 0.5 + 0.25, torch.tensor([0.0, 0.5, 1.0, 1.2, 1.5])
    ours = torch.bmm(saturations(factors), x.flatten(2)).view_as(x)
    torch.testing.assert_close(
        ours.clamp(0, 1), enhance.adjust_saturation_with_gray_subtraction(x, factors), atol=1e-5, rtol=0
    )
    module = Colour(PHOTO, brightness=0, contrast=0.4, saturation=0, hue=0)
    torch.manual_seed(1)
    out = module(x)
    torch.manual_seed(1)
    torch.empty(5).uniform_()
    contrast = torch.empty(5).uniform_(0.6, 1.4)
    torch.testing.assert_close(
        out, enhance.adjust_contrast_with_mean_subtraction(x, contrast), atol=1e-4, rtol=0
    )


@given(st.floats(-0.5, 0.5))
def test_hue_turns_colours_and_leaves_greys(turn: float) -> None:
    there, back = hues(torch.tensor([turn, -turn]))
    torch.testing.assert_close(there @ back, torch.eye(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(there @ torch.full((3,), 0.6), torch.full((3,), 0.6), atol=1e-4, rtol=0)
    x = images(PHOTO, 2)
    turned = torch.einsum("dc,nchw->ndhw", there, x)
    torch.testing.assert_close(greys(turned), greys(x), atol=1e-4, rtol=0)


def test_hue_goes_from_red_towards_yellow() -> None:
    red = hues(torch.tensor([0.05]))[0] @ torch.tensor([1.0, 0.0, 0.0])
    assert red[1] > 0.05 > red[2]


def test_settings_of_colour_are_refused_without_colours() -> None:
    with pytest.raises(RecipeError, match=r"colour\.hue: has no effect on images with 1 channel;"):
        Colour(GREY, hue=0.1)
    with pytest.raises(RecipeError, match=r"(?s)2 mistakes.*5 channels"):
        Colour(ODD, hue=0.1, saturation=0.1)


def test_noise_has_the_deviation_asked_for() -> None:
    torch.manual_seed(0)
    added = Noise(PHOTO, deviation=0.1)(torch.full((200, *PHOTO), 0.5)) - 0.5
    assert added.mean().abs() < 1e-3
    assert added.std().item() == pytest.approx(0.1, rel=0.01)
    assert Noise(PHOTO, deviation=0.5)(images(PHOTO)).max() == 1


def test_erased_parts_are_rectangles_of_noise() -> None:
    torch.manual_seed(0)
    shape = ImageShape(2, 30, 40)
    x = torch.full((2000, *shape), 2.0)
    out = Erasing(shape, probability=0.4, share=(0.05, 0.3))(x)
    gone = (out != 2).all(dim=1)
    assert torch.equal(gone, (out != 2).any(dim=1)), "all channels at once"
    hit = gone.any(dim=(1, 2))
    assert hit.float().mean().item() == pytest.approx(0.4, abs=0.04)
    tall, wide = gone.any(dim=2).sum(dim=1)[hit], gone.any(dim=1).sum(dim=1)[hit]
    area = gone.sum(dim=(1, 2))[hit]
    assert torch.equal(area, tall * wide)
    assert 0.03 < area.min() / 1200 < 0.07
    assert 0.27 < area.max() / 1200 < 0.33
    filled = out[out != 2]
    assert filled.mean().item() == pytest.approx(0.5, abs=0.01)
    assert filled.std().item() == pytest.approx(1 / math.sqrt(12), rel=0.02)


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_mixup_is_the_papers_formula(alpha: float) -> None:
    torch.manual_seed(0)
    module, x = Mixup(GREY, alpha=alpha), images(GREY, 3000)
    out = module(x)
    assert module.mixture is not None
    share, order = module.mixture
    assert sorted(order.tolist()) == list(range(3000))
    mixed = (
        share.numpy()[:, None, None, None] * x.numpy()
        + (1 - share.numpy())[:, None, None, None] * x.numpy()[order]
    )
    np.testing.assert_allclose(out, mixed, atol=1e-6)
    # Beta(α, α) has the mean 1/2 and the variance 1 / (4·(2α + 1)).
    assert share.mean().item() == pytest.approx(0.5, abs=0.03)
    assert share.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.06)


def test_mixup_leaves_no_mixture_behind() -> None:
    module = Mixup(GREY)
    assert module.mixture is None
    module(images(GREY))
    assert module.mixture is not None
    module.eval()(images(GREY))
    assert module.mixture is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Crop(ODD, padding=7),
            r"crop\.padding: found 7 for images of 7 × 11 pixels; expected less than 7",
        ),
        (lambda: Zoom(ODD, range=(2, 1)), r"zoom\.range: 2 is above 1"),
        (lambda: ResizedCrop(ODD, area=(1, 0.5)), r"resized_crop\.area: 1 is above 0.5"),
        (lambda: ResizedCrop(ODD, ratio=(1, 0.5)), r"resized_crop\.ratio"),
        (lambda: Erasing(ODD, share=(0.5, 0.1)), r"erasing\.share: 0.5 is above 0.1"),
        (lambda: build("augmentation", {"shift": {"share": 0.7}}, ODD), "less than or equal to 0.5"),
        (lambda: build("augmentation", {"rotation": {"degree": 3}}, ODD), "Did you mean '.*degrees'"),
    ],
)
def test_settings_that_cannot_be_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make()


@pytest.mark.parametrize("path", ["RandomPerspective", "RandomGaussianBlur"])
def test_kornias_own_serve_by_import_path(path: str) -> None:
    imported("kornia.augmentation")
    settings = {"kernel_size": [3, 3], "sigma": [0.5, 1.5], "p": 1.0} if "Blur" in path else {"p": 1.0}
    module = build("augmentation", {f"kornia.augmentation:{path}": settings}, PHOTO)
    x = images(PHOTO)
    torch.manual_seed(3)
    first = module(x)
    torch.manual_seed(3)
    assert torch.equal(module(x), first)
    assert first.shape == x.shape
    assert not torch.equal(first, x)


@pytest.mark.parametrize("task", ["binary", "multi-class", "multi-label"])
@pytest.mark.parametrize(
    "shape", [GREY, PHOTO, ODD, ImageShape(3, 224, 224), ImageShape(3, 4, 4), ImageShape(1, 4, 4)]
)
@pytest.mark.parametrize("rows", [50, 50_000, 500_000])
def test_what_is_usual_can_be_built_and_used(shape: ImageShape, rows: int, task: str) -> None:
    specs, why = usual_augmentation(shape, rows, task)
    assert why.endswith(".")
    assert why.startswith("Augmentation" if specs else "No augmentation")
    x = images(shape)
    for spec in specs:
        assert build("augmentation", spec, shape)(x).shape == x.shape


@pytest.mark.parametrize("rows", [50, 500_000])
@pytest.mark.parametrize("task", ["multi-class", "regression"])
@pytest.mark.parametrize("shape", [ImageShape(1, 40, 61), ImageShape(1, 8, 20)])
def test_of_sounds_the_same_is_usual_and_said_in_their_words(shape: ImageShape, task: str, rows: int) -> None:
    specs, why = usual_augmentation(shape, rows, task, sounds=True)
    assert specs == usual_augmentation(shape, rows, task)[0]
    assert why.startswith("Augmentation" if specs else "No augmentation")
    assert why.endswith(".")
    assert "sound" in why
    assert not any(word in why for word in ("image", "pixel", "letter", "picture"))


def test_what_is_usual_fits_the_images() -> None:
    def names(shape: ImageShape, rows: int, task: str = "multi-class") -> list[str]:
        return [
            next(iter(spec)) if isinstance(spec, dict) else spec
            for spec in usual_augmentation(shape, rows, task)[0]
        ]

    assert names(GREY, 60_000) == ["shift"]
    assert names(ImageShape(3, 32, 32), 50_000) == ["flip", "crop"]
    assert names(ImageShape(3, 128, 128), 244) == ["flip", "resized_crop", "colour"]
    assert names(ImageShape(3, 32, 32), 1_000_000) == []
    assert names(PHOTO, 500, "regression") == []
    assert all(names(PHOTO, 500, task) == ["flip"] for task in ("mask", "boxes"))


def imported(module: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what another package's import complains of is not ours
        return pytest.importorskip(module)


def test_a_change_under_its_old_name_still_counts() -> None:
    class Darker(Augmentation):
        def changed(self, x: torch.Tensor) -> torch.Tensor:
            return x / 2

    pixels = torch.ones(1, 3, 4, 4)
    assert torch.equal(Darker().train()(pixels), pixels / 2)

"""Conditions against what they should do to pictures, and the accuracy of a network under them."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

import handrail
from handrail.audits import conditions
from handrail.audits.conditions import CONDITIONS
from handrail.components.pictures import Tiles
from handrail.errors import DataError, RecipeError
from handrail.run import Run


def pictures(rows: int = 5, height: int = 24, width: int = 24) -> Tensor:
    """Smooth ones, so that what lies between pixels is known."""
    drawn = np.random.default_rng(0).random((rows, 2, height, width))
    return torch.from_numpy(ndimage.gaussian_filter(drawn, (0, 0, 2, 2))).float()


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("size", [(24, 24), (12, 30)])
def test_hardly_any_strength_hardly_changes_a_picture(name: str, size: tuple[int, int]) -> None:
    x = pictures(3, *size)
    changed = CONDITIONS[name].apply(x, 1e-4, rng())
    assert changed.shape == x.shape
    assert changed.sub(x).abs().mean() < 1e-3
    strong = CONDITIONS[name].apply(x, CONDITIONS[name].strengths[-1], rng())
    assert strong.sub(x).abs().mean() > 5e-3
    assert 0 <= float(strong.min()) <= float(strong.max()) <= 1
    assert strong.equal(CONDITIONS[name].apply(x, CONDITIONS[name].strengths[-1], rng()))


def test_a_quarter_turn_is_a_quarter_turn() -> None:
    x = pictures()
    turned = conditions.rotation(x, 90, rng())
    signs = 2 * torch.randint(2, (len(x),), generator=rng()) - 1
    for before, after, sign in zip(x, turned, signs.tolist(), strict=True):
        assert torch.allclose(after, torch.rot90(before, sign, (1, 2)), atol=1e-5)


def test_a_move_is_scipys() -> None:
    x = pictures()
    moved = conditions.translation(x, 0.125, rng())
    angles = 2 * np.pi * torch.rand(len(x), generator=rng()).double().numpy()
    for before, after, angle in zip(x.numpy(), moved.numpy(), angles, strict=True):
        by = 0.125 * 24 * np.array([np.sin(angle), np.cos(angle)])
        expected = np.stack([ndimage.shift(each, -by, order=1, mode="nearest") for each in before])
        assert np.abs(after - expected).max() < 1e-4


def test_a_square_hides_its_share_and_noise_has_its_spread() -> None:
    x = torch.zeros(50, 1, 20, 20)
    hidden = conditions.occlusion(x, 0.25, rng()) == 0.5
    assert hidden.float().mean() == 0.25
    assert not hidden[0].equal(hidden[1])
    grey = torch.full((20, 1, 20, 20), 0.5)
    assert conditions.noise(grey, 0.05, rng()).std() == pytest.approx(0.05, rel=0.05)
    lit = conditions.illumination(grey, 0.5, rng())
    assert lit.mean() == pytest.approx(0.5, abs=0.01)
    assert lit.amax(dim=(1, 2, 3)).mean() > 0.7


def test_accuracy_falls_with_strength_and_the_first_failure_is_shown(digits_run: Run) -> None:
    found = handrail.audit(digits_run, "invariances")
    table = found.table
    assert len(table) == 1 + 4 * len(CONDITIONS)
    plain = table.row(0, named=True)
    share = digits_run.validation["accuracy"]["value"]
    assert plain["accuracy"] == pytest.approx(share)
    assert ((table["low"] <= table["accuracy"]) & (table["accuracy"] <= table["high"])).all()
    by_name = {name: rows["accuracy"].to_list() for (name,), rows in table.group_by("condition")}
    assert by_name["rotation"][-1] < by_name["rotation"][0] - 0.2
    assert by_name["translation"][-1] < plain["accuracy"] - 0.2
    assert "Half of it is lost from" in found.verdict
    shown = found.pictures[1]
    assert isinstance(shown, Tiles)
    assert len(shown.pictures) == len(shown.captions)
    assert found.to_html() == handrail.audit(digits_run, "invariances").to_html()


def test_strength_nought_is_the_picture_itself(digits_run: Run) -> None:
    settings: dict[str, Any] = {"conditions": ["rotation"], "strengths": [0, 360 / 2]}
    table = handrail.audit(digits_run, "invariances", **settings).table
    assert table["accuracy"][0] == table["accuracy"][1]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"strengths": [1]}, "name the one condition"),
        ({"conditions": ["rotation"], "strengths": [181]}, "found 181, expected at most 180"),
    ],
)
def test_strengths_out_of_range_are_refused(digits_run: Run, settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        handrail.audit(digits_run, "invariances", **settings)
    with pytest.raises(RecipeError, match="conditions"):
        handrail.audit(digits_run, "invariances", conditions=["fog"])

"""The capsule network: what it gives, what it adds to the loss, and that it learns digits."""

import copy
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from handrail import fit
from handrail.components import build
from handrail.errors import RecipeError
from handrail.layers.capsules import length_scores
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.gradient import Gradient
from handrail.models.capsule_net import CapsuleNet
from handrail.objectives.objective import Objective
from handrail.shapes import ImageShape

SMALL = {"maps": 4, "types": 2, "primary": 4, "dims": 4, "decoder": [8]}


def net(side: int = 8, outputs: int = 3, *, channels: int = 1, **settings: Any) -> CapsuleNet:
    torch.manual_seed(0)
    return build("model", {"capsule_net": {**SMALL, **settings}}, ImageShape(channels, side, side), outputs)


def pictures(rows: int = 6, side: int = 8, channels: int = 1) -> Tensor:
    return torch.randn(rows, channels, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("side", "kernel", "grid"), [(5, 3, 1), (8, 3, 2), (16, 5, 4), (28, 9, 6), (32, 9, 8)]
)
def test_kernels_suit_the_pictures(side: int, kernel: int, grid: int) -> None:
    """At 28 pixels the kernels and the 6×6 positions are those of the paper."""
    model = net(side)
    assert model.primary.convolution.kernel_size == (kernel, kernel)
    assert model.grid == (grid, grid)
    assert model.classes.weight.shape[0] == 2 * grid * grid
    assert model(pictures(side=side)).shape == (6, 3)


def test_pictures_may_be_wider_than_high() -> None:
    model = build("model", {"capsule_net": SMALL}, ImageShape(2, 9, 20), 3)
    x = torch.randn(2, 2, 9, 20)
    assert model.grid == (3, 8)
    assert model(x).shape == (2, 3)
    assert next(iter(model.activity(x))).title == "Where capsules are routed"


@pytest.mark.parametrize(
    ("side", "settings", "text"), [(4, {}, "3×3 need at least 5×5"), (8, {"kernel": 5}, "9×9")]
)
def test_too_small_a_picture_is_refused_in_one_message(side: int, settings: Any, text: str) -> None:
    with pytest.raises(
        RecipeError, match=rf"found images of {side}×{side} pixels; .*{text}.*smaller"
    ) as told:
        net(side, **settings)
    assert len(told.value.problems) == 1


def test_scores_are_log_odds_of_lengths() -> None:
    model, x = net(), pictures()
    capsules = model.classes(model.primary(model.features(x)))
    torch.testing.assert_close(model(x), length_scores(capsules))
    torch.testing.assert_close(model(x).sigmoid(), capsules.norm(dim=2))


def test_the_decoder_sees_the_capsule_of_the_rows_class_alone() -> None:
    """Section 4.1 of the paper: all but the right capsule are masked; 0.0005 of the summed squared error."""
    model, x, targets = net(), pictures(), torch.tensor([0, 1, 2, 0, 1, 2])
    capsules = model.classes(model.primary(model.features(x))).detach().clone()
    assert model.decoder is not None
    for row, target in enumerate(targets.tolist()):
        alone = torch.zeros(3, 4)
        alone[target] = capsules[row, target]
        drawn = model.decoder(alone.flatten()).view(1, 8, 8)
        expected = 0.0005 * (x[row] - drawn).square().sum()
        added = model.added_loss(x, model(x), targets, capsules)[row]
        torch.testing.assert_close(added, expected)
    labels = torch.nn.functional.one_hot(targets, 3).float()  # several labels: all capsules as they are
    expected = 0.0005 * (x - model.decode(capsules)).square().sum(dim=(1, 2, 3))
    torch.testing.assert_close(model.added_loss(x, model(x), labels, capsules), expected)


def test_the_objective_adds_it_to_the_margin_loss() -> None:
    model, x, targets = net(), pictures(), torch.tensor([0, 1, 2, 0, 1, 2])
    total, scores = Objective("margin")(model, x, targets)
    capsules = model.classes(model.primary(model.features(x)))
    added = model.added_loss(x, scores, targets, capsules).mean()
    torch.testing.assert_close(total, Objective("margin").mean(scores, targets) + added)
    without = net(reconstruction=0.0)
    assert not any("decoder" in name for name, _ in without.named_parameters())
    torch.testing.assert_close(
        Objective("margin")(without, x, targets)[0], Objective("margin").mean(without(x), targets)
    )


def test_two_classes_have_one_capsule_and_no_choice_where_to_go() -> None:
    model, x = net(outputs=1), pictures()
    targets = torch.tensor([0, 1, 0, 1, 0, 1])
    Objective("margin")(model, x, targets)[0].backward()
    assert model(x).shape == (6, 1)
    assert [picture.title for picture in model.activity(x)] == [
        "Rows given back by their longest capsule",
        "What one number of a capsule means",
    ]


def test_pictures_show_routing_rows_given_back_and_changed_numbers() -> None:
    model, x = net(channels=3), pictures(3, channels=3)
    weights = copy.deepcopy(model.state_dict())
    routes, pairs, changed = model.activity(x)
    assert routes.pictures.shape == (3 * 3, 2, 2)
    assert pairs.pictures.shape == (3 * 2, 8, 8)
    assert changed.pictures.shape == (4 * 11, 8, 8)
    assert changed.headings[0] == "−0.25"
    assert changed.headings[5] == "+0.00"
    middle = torch.from_numpy(changed.pictures[5::11])  # unchanged: what is given back
    torch.testing.assert_close(middle, torch.from_numpy(pairs.pictures[1]).expand(4, 8, 8))
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())


def test_it_learns_digits_in_a_few_steps() -> None:
    """The bundled 8×8 digits: 5 epochs of 1,200 rows."""
    images, labels = load_digits(return_X_y=True)
    x = torch.tensor(images / 16, dtype=torch.float32).view(-1, 1, 8, 8)
    y = torch.tensor(labels)
    model = net(outputs=10, maps=16, types=4, dims=8, decoder=[32])
    rule = Gradient(optimizer={"adam": {"learning_rate": 0.01}})
    rule.start(model, TrainingPlan("multi-class", Objective("margin"), 1, 1, 0))
    for order in torch.randperm(1200, generator=torch.Generator().manual_seed(0)).repeat(5).split(48):
        rule.step(model, Batch(x[order], y[order]))
    with torch.no_grad():
        accuracy = (model(x[1200:]).argmax(dim=1) == y[1200:]).float().mean()
    assert accuracy > 0.88


@pytest.mark.slow
def test_probabilities_of_a_fit_are_calibrated(tmp_path: Any) -> None:
    """Lengths are no probabilities, but σ(score / T) is, of test rows that settled nothing."""
    settings = {**SMALL, "maps": 12, "kernel": 5, "dims": 8}
    changes = {"model": {"capsule_net": settings}, "data.images.scaling": "unit", "training.epochs": 6}
    run = fit("toy:shapes,rows=12000", changes=changes, out=tmp_path / "run")
    metrics = run.test()["metrics"]
    assert metrics["accuracy"]["value"] > 0.85
    assert metrics["calibration_error"]["value"] < 0.05

"""The single-shot detector: where its answers lie, and that it finds things."""

import pytest
import torch
from torch import Tensor

from handrail.components import build
from handrail.errors import RecipeError
from handrail.evaluation.outcomes.boxes import BoxOutcome, Objects
from handrail.models.detector import Detector
from handrail.shapes import BoxShape, ImageShape
from handrail.tasks.boxes import detect_boxes

SMALL = {"widths": [8, 16, 24], "features": 24}


def small(height: int = 48, width: int = 64, classes: int = 2) -> Detector:
    torch.manual_seed(0)
    return Detector(ImageShape(1, height, width), BoxShape(classes), **SMALL)


@pytest.mark.parametrize(("height", "width", "cells"), [(48, 64, 6 * 8), (50, 61, 7 * 8), (17, 33, 3 * 5)])
def test_outputs_fit_images_of_any_size(height: int, width: int, cells: int) -> None:
    model = build("model", "detector", ImageShape(3, height, width), BoxShape(4)).eval()
    outputs = model(torch.randn(2, 3, height, width))
    assert outputs.shape == (2, 9 * cells, 8 + 4)
    assert torch.equal(outputs[0, :, :4], model.anchor_boxes)
    assert "anchor_boxes" not in model.state_dict()
    torch.testing.assert_close(outputs[..., 8:].sigmoid().mean().item(), 0.01, atol=0.01, rtol=0)


def test_answers_belong_to_the_anchor_where_they_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a head that reads a single feature, lighting one cell of it changes that cell's nine anchors and
    no others.
    """
    model = small().eval()
    with torch.no_grad():
        model.steps.weight.zero_()
        model.steps.weight[5, 0] = 1  # the second step (down) of the second anchor
    features = torch.zeros(1, 24, 6, 8)
    features[0, 0, 4, 3] = 1
    monkeypatch.setattr(model, "neck", torch.nn.Identity())
    monkeypatch.setattr(model, "_gather", lambda maps: features)
    outputs = model(torch.zeros(1, 1, 48, 64))
    moved = (outputs[0, :, :4] - outputs[0, :, 4:8]).abs().amax(dim=1) > 1e-6
    (number,) = moved.nonzero()[:, 0].tolist()
    assert number == (4 * 8 + 3) * 9 + 1
    anchor, box = outputs[0, number, :4], outputs[0, number, 4:8]
    torch.testing.assert_close(
        (anchor[0::2].mean(), anchor[1::2].mean()), (torch.tensor(3.5 / 8), torch.tensor(4.5 / 6))
    )
    height = anchor[3] - anchor[1]
    torch.testing.assert_close(box, anchor + torch.stack([torch.tensor(0.0), height] * 2))


def test_usual_anchors_are_alike_in_pixels_whatever_the_proportions() -> None:
    boxes = small(48, 96).anchor_boxes[:9] * torch.tensor([96, 48, 96, 48])
    sides = boxes[:, 2:] - boxes[:, :2]
    expected = (torch.tensor([0.08, 0.2, 0.45]) * 48).repeat_interleave(3)
    torch.testing.assert_close(sides.prod(dim=1).sqrt(), expected)
    torch.testing.assert_close(sides[:, 1] / sides[:, 0], torch.tensor([0.5, 1.0, 2.0] * 3))


def test_mistakes_are_named_all_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        Detector(ImageShape(3, 64, 64), BoxShape(1), widths=[8, 8], anchors=[])
    assert "found 2 stages, expected at least 3" in str(caught.value)
    assert "model.detector.anchors: found none" in str(caught.value)
    with pytest.raises(RecipeError, match="images of 8×64 pixels can be halved 4 times"):
        Detector(ImageShape(3, 8, 64), BoxShape(1))
    with pytest.raises(RecipeError, match=r"anchors.*less than or equal to 1"):
        build("model", {"detector": {"anchors": [[0.5, 2.0]]}}, ImageShape(3, 64, 64), BoxShape(1))


def scenes(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    """One to three bright squares (class 0) and rings (class 1) of different sizes in noise."""
    generator = torch.Generator().manual_seed(seed)
    images, targets = 0.3 * torch.randn(rows, 1, 48, 64, generator=generator), torch.full((rows, 3, 5), -1.0)
    for row in range(rows):
        for place in range(1 + row % 3):
            side = int(torch.randint(9, 16, (), generator=generator))
            top, left = (
                int(torch.randint(0, 48 - side, (), generator=generator)),
                21 * place + int(torch.randint(0, 21 - side + 1, (), generator=generator)),
            )
            code = int(torch.randint(0, 2, (), generator=generator))
            images[row, 0, top : top + side, left : left + side] += 2
            if code:
                images[row, 0, top + 3 : top + side - 3, left + 3 : left + side - 3] -= 2
            targets[row, place] = torch.tensor(
                [code, left / 64, top / 48, (left + side) / 64, (top + side) / 48]
            )
    return images, targets


def outcome_of(model: Detector, images: Tensor, targets: Tensor) -> BoxOutcome:
    with torch.inference_mode():
        answers = detect_boxes(model.eval()(images))

    def objects(numbers: Tensor) -> Objects:
        images_of, place = (numbers[..., 0] >= 0).nonzero().T
        chosen = numbers[images_of, place].numpy().astype("float64")
        return Objects(images_of.numpy(), chosen[:, -4:], chosen[:, 0].astype("int64"), chosen[:, 1])

    return BoxOutcome(("square", "ring"), len(images), objects(targets), objects(answers))


def test_it_learns_to_find_squares_and_rings_in_new_images() -> None:
    model, (images, targets), new = small(), scenes(192, 1), scenes(48, 2)
    loss, optimizer = build("loss", "detection_loss"), torch.optim.AdamW(model.parameters(), 5e-3)
    before = outcome_of(model, *new).measure()["map_50"]
    model.train()
    generator = torch.Generator().manual_seed(3)
    for _ in range(20):
        for rows in torch.randperm(192, generator=generator).split(16):
            optimizer.zero_grad()
            loss(model(images[rows]), targets[rows]).mean().backward()
            optimizer.step()
    after = outcome_of(model, *new).measure()["map_50"]
    assert before < 0.1
    assert after > 0.8

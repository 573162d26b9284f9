"""Boxes: geometry there and back, suppression and assignment against plain loops, the baseline."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import build
from handrail.data.stores.boxes import BoxStore
from handrail.data.task import TaskSpec
from handrail.errors import RecipeError
from handrail.evaluation.outcomes.boxes import BoxOutcome
from handrail.layers.anchors import anchor_grid, areas, flip_boxes, generalised_iou, move_boxes, pairwise_iou
from handrail.objectives.boxes import assign_anchors
from handrail.shapes import BoxShape, ImageShape
from handrail.tasks.boxes import BoxTask, detect_boxes, suppress, usual_boxes

CLASSES = ("RBC", "WBC")


class Store:
    """The part of a box store that is asked here."""

    kind = "boxes"

    def __init__(
        self,
        items: list[tuple[np.ndarray, np.ndarray]],
        sizes: np.ndarray,
        classes: tuple[str, ...] = CLASSES,
    ) -> None:
        self._items, self.sizes, self.classes = items, sizes, classes

    def boxes(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        return self._items[place]


class Rows(SimpleNamespace):
    """The part of a `Part` that is asked here."""

    def __len__(self) -> int:
        return len(self.raw)


def part_of(store: Store) -> Any:
    return Rows(raw=pl.DataFrame({"boxes": np.arange(len(store.sizes))}), stores={"boxes": store})


def task_of(height: int = 64, width: int = 96) -> BoxTask:
    return BoxTask(TaskSpec(name="boxes", targets=("boxes",), classes=CLASSES), ImageShape(3, height, width))


def item(*rows: tuple[int, float, float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.array(rows, dtype=np.float32).reshape(-1, 5)
    return numbers[:, 1:], numbers[:, 0].astype(np.int64)


def random_boxes(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner = 0.6 * torch.rand(*shape, 2, generator=generator)
    return torch.cat([corner, corner + 0.05 + 0.3 * torch.rand(*shape, 2, generator=generator)], dim=-1)


class Fixed(nn.Module):
    """Says what it is given."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows


def sure_outputs(targets: Tensor) -> Tensor:
    """What a perfect detector with as many anchors as objects would give."""
    scores = torch.full((*targets.shape[:2], len(CLASSES)), -20.0)
    scores.scatter_(2, targets[..., :1].clamp(min=0).long(), 6.0)
    scores[targets[..., 0] < 0] = -20.0
    return torch.cat([targets[..., 1:], targets[..., 1:], scores], dim=2)


# Geometry


def test_targets_are_shares_of_what_the_network_sees() -> None:
    """An image of 200×400 is scaled by 0.32 and loses 50 pixels left and right."""
    store = Store(
        [item((0, 50, 0, 350, 200), (1, 100, 50, 200, 150)), item()], np.array([[200, 400], [64, 96]])
    )
    targets = task_of().targets(part_of(store))
    torch.testing.assert_close(targets[0], torch.tensor([[0, 0.0, 0, 1, 1], [1, 1 / 6, 0.25, 0.5, 0.75]]))
    assert (targets[1, :, 0] == -1).all()


def test_what_is_cut_off_is_not_asked_for_but_counts() -> None:
    inside, outside, edge = (
        (1, 100.0, 50.0, 200.0, 150.0),
        (0, 0.0, 0.0, 40.0, 40.0),
        (0, 35.0, 0.0, 85.0, 40.0),
    )
    part = part_of(Store([item(inside, outside, edge)], np.array([[200, 400]])))
    task = task_of()
    targets = task.targets(part)
    assert targets[0, :, 0].tolist() == [1, 0]  # of the third, 0.7 are left
    torch.testing.assert_close(targets[0, 1, 1:], torch.tensor([0, 0, 35 / 300, 0.2]))
    figures = task.outcome(Fixed(), sure_outputs(targets), part).measure()
    assert figures["recall_50"] == pytest.approx((1 + 0.5) / 2)  # what is left overlaps the whole by 0.7


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31), height=st.integers(20, 300), width=st.integers(20, 300))
def test_perfect_answers_come_back_as_the_truth(seed: int, height: int, width: int) -> None:
    """Boxes in what is kept go to shares and back to pixels of the original."""
    generator = np.random.default_rng(seed)
    scale = max(64 / height, 96 / width)
    low = np.array([(width - 96 / scale) / 2, (height - 64 / scale) / 2])
    items = []
    for _ in range(3):
        first = low + generator.random((4, 2)) * 0.5 * np.array([96, 64]) / scale
        second = first + (0.05 + 0.4 * generator.random((4, 2))) * np.array([96, 64]) / scale
        items.append((np.concatenate([first, second], axis=1), generator.integers(0, 2, 4)))
    part, task = part_of(Store(items, np.array([[height, width]] * 3))), task_of()
    outcome = task.outcome(Fixed(), sure_outputs(task.targets(part)), part)
    assert isinstance(outcome, BoxOutcome)
    order = [np.lexsort((*some.boxes.T, some.images)) for some in (outcome.truth, outcome.answers)]
    if len(order[0]) == len(order[1]):  # else two boxes of a class overlapped by half
        np.testing.assert_allclose(outcome.truth.boxes[order[0]], outcome.answers.boxes[order[1]], atol=1e-3)
    assert outcome.measure()["recall_50"] >= 0.5


def test_boxes_turn_with_their_images() -> None:
    """The pixels under each box are the same before and after, also where only some rows are turned."""
    image = torch.arange(64.0).reshape(1, 8, 8).expand(4, 8, 8).clone()
    targets = torch.tensor([[[1, 1 / 8, 2 / 8, 4 / 8, 7 / 8], [-1, 0, 0, 0, 0]]]).expand(4, 2, 5)
    across, down = torch.tensor([False, True, False, True]), torch.tensor([False, False, True, True])
    turned = torch.where(across[:, None, None], image.flip(2), image)
    turned = torch.where(down[:, None, None], turned.flip(1), turned)
    flipped = flip_boxes(targets, sideways=across, upside_down=down)
    assert torch.equal(flipped[..., 0], targets[..., 0])
    for row in range(4):
        left, top, right, bottom = (flipped[row, 0, 1:] * 8).round().int().tolist()
        assert sorted(turned[row, top:bottom, left:right].flatten().tolist()) == sorted(
            image[0, 2:7, 1:4].flatten().tolist()
        )
    assert areas(flipped[:, 1, 1:]).sum() == 0


# Overlaps


def naive_iou(a: list[float], b: list[float]) -> tuple[float, float]:
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(wide, 0) * max(high, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return shared / union, shared / union - (hull - union) / hull


def test_overlaps_are_their_formulas() -> None:
    a, b = random_boxes(9, seed=1).double(), random_boxes(9, seed=2).double()
    expected = np.array([[naive_iou(x, y)[0] for y in b.tolist()] for x in a.tolist()])
    np.testing.assert_allclose(pairwise_iou(a, b).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(
        generalised_iou(a, b).numpy(),
        [naive_iou(x, y)[1] for x, y in zip(a.tolist(), b.tolist(), strict=True)],
        atol=1e-12,
    )
    assert pairwise_iou(torch.zeros(1, 4), torch.zeros(1, 4)).item() == 0


def test_anchors_lie_around_the_centres_of_their_cells_and_steps_move_them() -> None:
    anchors = anchor_grid(2, 4, [(0.2, 0.4), (0.5, 0.1)])
    assert anchors.shape == (16, 4)
    # Row 0, column 1.
    torch.testing.assert_close(anchors[2], torch.tensor([0.375 - 0.2, 0.25 - 0.1, 0.375 + 0.2, 0.25 + 0.1]))
    # Row 1, column 0.
    torch.testing.assert_close(
        anchors[9], torch.tensor([0.125 - 0.05, 0.75 - 0.25, 0.125 + 0.05, 0.75 + 0.25])
    )
    assert torch.allclose(move_boxes(anchors, torch.zeros(16, 4)), anchors)
    step = torch.tensor([[0.5, -1.0, math.log(2), 0.0]])
    torch.testing.assert_close(
        move_boxes(torch.tensor([[0.2, 0.2, 0.4, 0.4]]), step), torch.tensor([[0.2, 0.0, 0.6, 0.2]])
    )
    assert move_boxes(anchors, torch.full((16, 4), 1e4)).isfinite().all()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31), overlap=st.floats(0.1, 0.9))
def test_suppression_is_the_greedy_one(seed: int, overlap: float) -> None:
    boxes = random_boxes(2, 25, seed=seed)
    codes = torch.randint(0, 2, (2, 25), generator=torch.Generator().manual_seed(seed))
    keep = suppress(boxes, codes, overlap=overlap)
    iou = pairwise_iou(boxes, boxes)
    for row in range(2):
        places: list[int] = []
        for place in range(25):
            if all(
                codes[row, place] != codes[row, other] or iou[row, other, place] <= overlap
                for other in places
            ):
                places.append(place)
        assert keep[row].nonzero()[:, 0].tolist() == places


def test_answers_are_sorted_and_padded() -> None:
    outputs = torch.cat([random_boxes(3, 40), random_boxes(3, 40), torch.randn(3, 40, 2)], dim=2)
    outputs[1, :, 8:] = -30.0
    detections = detect_boxes(outputs)
    assert (detections[1] == torch.tensor([-1.0, 0, 0, 0, 0, 0])).all()
    scores = detections[0, :, 1]
    assert (scores[:-1] >= scores[1:]).all()
    real = detections[0, detections[0, :, 0] >= 0]
    best = outputs[0, :, 8:].sigmoid().max()
    assert real[0, 1] == best
    assert 0 < len(real) < 80


# The loss


def case(rows: int = 4, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    anchors = anchor_grid(5, 6, [(0.2, 0.2), (0.4, 0.3)])
    generator = torch.Generator().manual_seed(seed)
    steps = 0.3 * torch.randn(rows, len(anchors), 4, generator=generator)
    scores = torch.randn(rows, len(anchors), 2, generator=generator)
    spread = anchors.expand(rows, -1, -1)
    targets = torch.cat(
        [
            torch.randint(0, 2, (rows, 6, 1), generator=generator).float(),
            random_boxes(rows, 6, seed=seed + 1),
        ],
        dim=2,
    )
    targets[:, 4:, 0] = -1
    targets[0, :, 0] = -1  # an image without objects
    return torch.cat([spread, move_boxes(spread, steps), scores], dim=2).double(), targets.double()


def test_each_anchor_has_the_object_that_a_loop_gives_it() -> None:
    outputs, targets = case()
    objects, positive, asked = assign_anchors(outputs[..., :4], targets, overlap=0.5, doubtful=0.4)
    for row in range(len(targets)):
        real = [place for place in range(6) if targets[row, place, 0] >= 0]
        anchors = outputs[row, :, :4].tolist()
        iou = {
            place: [naive_iou(targets[row, place, 1:].tolist(), anchor)[0] for anchor in anchors]
            for place in real
        }
        best = {place: int(np.argmax(iou[place])) for place in real}
        for number in range(len(anchors)):
            forced = [place for place in real if best[place] == number]
            owner = forced[0] if forced else max(real, key=lambda place: iou[place][number], default=None)
            overlap = 0.0 if owner is None else iou[owner][number]
            assert bool(positive[row, number]) == (bool(forced) or overlap >= 0.5)
            assert bool(asked[row, number]) == (bool(forced) or overlap >= 0.5 or overlap < 0.4)
            if positive[row, number]:
                assert torch.equal(objects[row, number], targets[row, owner])


def test_the_loss_is_its_formula() -> None:
    outputs, targets = case()
    objects, positive, asked = assign_anchors(outputs[..., :4], targets, overlap=0.5, doubtful=0.4)
    chance = outputs[..., 8:].sigmoid()
    there = torch.zeros_like(chance, dtype=torch.bool)
    for row, number in positive.nonzero().tolist():
        there[row, number, int(objects[row, number, 0])] = True
    focal = torch.where(
        there, -0.25 * (1 - chance) ** 2 * chance.log(), -0.75 * chance**2 * (1 - chance).log()
    )
    focal = (focal * asked.unsqueeze(2)).sum(dim=(1, 2))
    lie = ((1 - generalised_iou(outputs[..., 4:8], objects[..., 1:])) * positive).sum(dim=1)
    expected = (focal + 2 * lie) / positive.sum(dim=1).clamp(min=1)
    torch.testing.assert_close(
        build("loss", {"detection_loss": {"box_weight": 2.0}})(outputs, targets), expected
    )
    plain = build("loss", {"detection_loss": {"gamma": 0.0, "alpha": 0.5, "box_weight": 0.0}})(
        outputs, targets
    )
    entropy = functional.binary_cross_entropy_with_logits(
        outputs[..., 8:], there.double(), reduction="none"
    ) * asked.unsqueeze(2)
    torch.testing.assert_close(plain, 0.5 * entropy.sum(dim=(1, 2)) / positive.sum(dim=1).clamp(min=1))


def test_padding_and_other_rows_do_not_change_a_row() -> None:
    outputs, targets = case()
    loss = build("loss", "detection_loss")
    whole = loss(outputs, targets)
    padding = torch.zeros(4, 3, 5, dtype=torch.float64)
    padding[..., 0] = -1
    torch.testing.assert_close(loss(outputs, torch.cat([targets, padding], dim=1)), whole)
    torch.testing.assert_close(loss(outputs[2:3], targets[2:3]), whole[2:3])
    assert whole.isfinite().all()


def test_a_step_downhill_makes_boxes_and_scores_better() -> None:
    outputs, targets = case()
    # Objects apart from each other.
    for place, (left, top) in enumerate([(0.05, 0.05), (0.55, 0.1), (0.1, 0.5), (0.6, 0.55)]):
        targets[1:, place, 1:] = torch.tensor([left, top, left + 0.3, top + 0.35], dtype=torch.float64)
    moving = outputs[..., 4:].clone().requires_grad_()
    optimizer = torch.optim.Adam([moving], 0.05)
    loss = build("loss", "detection_loss")
    for _ in range(150):
        optimizer.zero_grad()
        loss(torch.cat([outputs[..., :4], moving], dim=2), targets).mean().backward()
        optimizer.step()
    answers = detect_boxes(torch.cat([outputs[..., :4], moving.detach()], dim=2))
    for row in range(1, 4):
        for code, *box in targets[row, :4].tolist():
            mine = answers[row][(answers[row, :, 0] == code) & (answers[row, :, 1] > 0.5)]
            assert pairwise_iou(mine[:, 2:].double(), torch.tensor([box], dtype=torch.float64)).max() > 0.7
    assert (answers[0, :, 1] < 0.3).all()


def test_the_loss_refuses_what_is_no_detector() -> None:
    with pytest.raises(RecipeError, match="Does the model find boxes"):
        build("loss", "detection_loss")(torch.zeros(4, 3), torch.zeros(4, 2, 5))
    with pytest.raises(RecipeError, match="doubtful"):
        build("loss", {"detection_loss": {"doubtful": 0.9}})(*case())


# The task


def test_the_usual_boxes_are_where_they_mostly_are() -> None:
    targets = torch.full((10, 3, 5), -1.0)
    generator = torch.Generator().manual_seed(0)
    for row in range(10):
        jitter = 0.01 * torch.randn(2, 4, generator=generator)
        targets[row, :2] = torch.cat(
            [torch.zeros(2, 1), torch.tensor([[0.1, 0.1, 0.3, 0.3], [0.6, 0.6, 0.9, 0.9]]) + jitter], dim=1
        )
    boxes = usual_boxes(targets, classes=2)
    assert boxes.shape == (1, 2, 6)  # two of the first class, as each image has; the second class has none
    assert (boxes[0, :, 1] == 1).all()
    store = Store(
        [(96 * targets[row, :2, 1:].numpy(), np.zeros(2, dtype=np.int64)) for row in range(10)],
        np.array([[96, 96]] * 10),
    )
    task = task_of(64, 64)
    baseline = task.baselines(part_of(store), part_of(store), None)["usual boxes"]  # type: ignore[arg-type]
    assert baseline.measure()["map_50"] == pytest.approx(1)
    assert baseline.rows == 10
    assert baseline.describe(3, truth=False) == "2 RBC"


def test_the_store_of_real_boxes_fits() -> None:
    sizes = np.array([[200, 400], [64, 96], [64, 96]])
    corners = [np.array([[100, 50, 200, 150], [7, 7, 7, 9]]), np.zeros((0, 4)), np.array([[0, 0, 48, 32]])]
    store = BoxStore(corners, [["WBC", "RBC"], [], ["Platelets"]], sizes=sizes, names=["a", "b", "c"])
    task, part = task_of(), part_of(store)  # type: ignore[arg-type]
    torch.testing.assert_close(task.targets(part)[0], torch.tensor([[1, 1 / 6, 0.25, 0.5, 0.75]]))
    assert (task.targets(part)[1:, :, 0] == -1).all(), (
        "an image without boxes, and a class that is not the task's"
    )
    figures = task.outcome(Fixed(), sure_outputs(task.targets(part)), part).measure()
    assert figures["map_50"] == pytest.approx(0.5), "the unknown class counts as not found"


def test_the_threshold_is_chosen_on_validation_images() -> None:
    store = Store([item((0, 10, 10, 30, 30), (1, 50, 10, 90, 60))] * 2, np.array([[64, 96]] * 2))
    task, part = task_of(), part_of(store)
    outputs = sure_outputs(task.targets(part))
    wrong = outputs.clone()
    wrong[..., 4:8] = 0.9
    wrong[..., 6:8] = 1.0
    wrong[..., 8:] = -1.0
    task.settle(Fixed(), torch.cat([outputs, wrong], dim=1), part, SimpleNamespace(threshold="auto"))
    assert task.decisions["threshold"] == pytest.approx(torch.tensor(6.0).sigmoid().item())
    assert task.outputs == BoxShape(2)
    assert task.outcome(Fixed(), outputs, part).describe(0, truth=False) == "1 RBC, 1 WBC"

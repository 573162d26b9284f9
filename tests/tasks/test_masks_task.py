"""Masks: losses against formulas, the threshold against trying all, the baselines, and a network that learns
what no grey says.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.metrics import f1_score
from torch import Tensor, nn

from handrail.components import build
from handrail.data.stores.images import ImageStore
from handrail.data.stores.masks import MaskStore
from handrail.data.task import TaskSpec
from handrail.errors import RecipeError
from handrail.evaluation.outcomes.masks import MaskOutcome
from handrail.objectives.maps import IGNORED
from handrail.shapes import ImageShape, MapShape
from handrail.tasks.masks import MaskTask, best_threshold, class_of_grey, masks_of

SIDE = 12


class Pictures:
    """The part of an image store that is asked here."""

    kind = "image"

    def __init__(self, pixels: Tensor) -> None:
        self._pixels = pixels

    def pixels(self, size: tuple[int, int], channels: int, places: Any = None) -> Tensor:
        assert size == (SIDE, SIDE)
        assert channels == 1
        return self._pixels[list(places)]


class Masks:
    """The part of a mask store that is asked here."""

    kind = "mask"

    def __init__(self, labels: Tensor, classes: tuple[str, ...]) -> None:
        self._labels, self._classes = labels, classes

    def __len__(self) -> int:
        return len(self._labels)

    def classes_of(self, places: np.ndarray) -> tuple[str, ...]:
        return self._classes

    def labels(self, size: tuple[int, int], places: Any = None) -> Tensor:
        assert size == (SIDE, SIDE)
        return self._labels[list(places)]


def part_of(pixels: Tensor, labels: Tensor, classes: tuple[str, ...]) -> Any:
    rows = np.arange(len(pixels))[::-1].copy()  # places are not rows
    frame = pl.DataFrame({"image": rows, "mask": rows})
    stores = {"image": Pictures(pixels.flip(0)), "mask": Masks(labels.flip(0), classes)}
    return SimpleNamespace(raw=frame, stores=stores, rows=rows)


def task_of(classes: tuple[str, ...]) -> MaskTask:
    return MaskTask(TaskSpec(name="mask", targets=("mask",), classes=classes), ImageShape(1, SIDE, SIDE))


def random_labels(classes: int, rows: int = 5) -> Tensor:
    return torch.randint(
        0, classes, (rows, SIDE, SIDE), generator=torch.Generator().manual_seed(1), dtype=torch.uint8
    )


def random_scores(channels: int, rows: int = 5) -> Tensor:
    return torch.randn(
        rows, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(2), dtype=torch.float64
    )


class Fixed(nn.Module):
    """Says what it is given: the rows are the scores."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows


# Losses


def chances(scores: Tensor) -> np.ndarray:
    """Every class's probability `[rows, classes, pixels]`."""
    numbers = scores.flatten(2).numpy()
    if numbers.shape[1] == 1:
        positive = 1 / (1 + np.exp(-numbers))
        return np.concatenate([1 - positive, positive], axis=1)
    powers = np.exp(numbers - numbers.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("weighting", ["none", "balanced"])
def test_cross_entropy_is_that_of_the_true_class(channels: int, weighting: str) -> None:
    scores, labels = random_scores(channels), random_labels(max(2, channels))
    flat = labels.flatten(1).long().numpy()
    of_truth = np.take_along_axis(chances(scores), flat[:, None], axis=1)[:, 0]
    weights = np.ones(max(2, channels))
    if weighting == "balanced":
        weights = flat.size / (len(weights) * np.bincount(flat.ravel()))
    expected = (-np.log(of_truth) * weights[flat]).mean(axis=1)
    loss = build("loss", {"pixel_cross_entropy": {"class_weights": weighting}})(scores, labels)
    np.testing.assert_allclose(loss.numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("channels", [1, 3])
def test_soft_dice_is_its_formula_and_the_sum_of_both_losses_their_sum(channels: int) -> None:
    scores, labels = random_scores(channels), random_labels(max(2, channels))
    said, flat = chances(scores), labels.flatten(1).numpy()
    codes = [1] if channels == 1 else range(channels)
    each = [
        1
        - (2 * (said[:, code] * (flat == code)).sum(1) + 1)
        / ((said[:, code] ** 2).sum(1) + (flat == code).sum(1) + 1)
        for code in codes
    ]
    dice = build("loss", "dice_loss")(scores, labels)
    np.testing.assert_allclose(dice.numpy(), np.mean(each, axis=0), rtol=1e-10)
    both = build("loss", {"pixel_cross_entropy_and_dice": {"dice": 0.5}})(scores, labels)
    torch.testing.assert_close(both, build("loss", "pixel_cross_entropy")(scores, labels) + 0.5 * dice)


@pytest.mark.parametrize("name", ["pixel_cross_entropy", "dice_loss", "pixel_cross_entropy_and_dice"])
def test_losses_of_half_precision_are_summed_in_single(name: str) -> None:
    scores, labels = 3 * random_scores(1).float(), random_labels(2)
    coarse = scores.bfloat16()
    torch.testing.assert_close(
        build("loss", name)(coarse, labels), build("loss", name)(coarse.float(), labels)
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "loss",
    ["pixel_cross_entropy", {"pixel_cross_entropy": {"class_weights": "balanced"}}, "dice_loss"],
)
def test_ignored_pixels_count_in_no_loss(channels: int, loss: Any) -> None:
    """What stands right of the middle is ignored: as if the pictures ended there, slopes included."""
    scores, labels = random_scores(channels).requires_grad_(), random_labels(max(2, channels))
    half, partly = SIDE // 2, labels.clone()
    partly[:, :, half:] = IGNORED
    values = build("loss", loss)(scores, partly)
    expected = build("loss", loss)(scores[..., :half], labels[..., :half])
    torch.testing.assert_close(values, expected)
    (slopes,) = torch.autograd.grad(values.sum(), scores)
    assert not slopes[..., half:].any()
    assert slopes[..., :half].any()
    nothing = build("loss", loss)(scores, torch.full_like(labels, IGNORED))
    assert not nothing.any(), "a picture without a pixel that counts is worth nothing"


def test_a_loss_of_maps_refuses_scores_of_rows() -> None:
    with pytest.raises(RecipeError, match="Does the model give a map"):
        build("loss", "dice_loss")(torch.zeros(5, 2), random_labels(2))


# Thresholds and baselines


@pytest.mark.parametrize("metric", ["auto", "accuracy", "balanced_accuracy"])
def test_the_threshold_is_the_best_of_all(metric: str) -> None:
    generator = np.random.default_rng(4)
    positive, negative = generator.integers(0, 9, (2, 20))
    values = np.concatenate([np.repeat(np.arange(20), positive), np.repeat(np.arange(20), negative)]) / 20
    truth = np.repeat([1, 0], [positive.sum(), negative.sum()])

    def quality(cut: float) -> float:
        said = values >= cut
        if metric == "accuracy":
            return float((said == truth).mean())
        if metric == "balanced_accuracy":
            return float(said[truth == 1].mean() - said[truth == 0].mean())
        return float(f1_score(truth, said))

    cut = best_threshold(positive, negative, metric=metric)
    assert quality(cut - 1e-9) == pytest.approx(max(quality(step / 20 - 1e-9) for step in range(1, 20)))
    assert best_threshold(positive, np.zeros(20, dtype=np.int64)) == 0.5


@pytest.mark.parametrize("bright", [True, False])
def test_the_baseline_finds_the_cut_and_the_side(bright: bool) -> None:
    greys = torch.randint(
        0, 256, (4, 1, SIDE, SIDE), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    labels = ((greys[:, 0] >= 100) == bright).to(torch.uint8)
    part = part_of(greys, labels, ("0", "255"))
    baselines = task_of(("0", "255")).baselines(part, part, None)  # type: ignore[arg-type]
    assert baselines["threshold"].measure()["dice"] == 1
    constant = baselines["constant"].measure()
    assert constant["pixel_accuracy"] == pytest.approx(
        max(float(labels.float().mean()), 1 - float(labels.float().mean()))
    )
    assert baselines["constant"].same_rows(baselines["threshold"])


def test_of_more_classes_each_grey_has_its_most_common_one() -> None:
    counts = np.zeros((256, 3), dtype=np.int64)
    counts[:50, 2], counts[50:, 0], counts[50:60, 1] = 5, 3, 7
    assert class_of_grey(counts).tolist() == [2] * 50 + [1] * 10 + [0] * 196


# The task


def test_outcome_and_credit_say_the_same_and_batches_add_up() -> None:
    classes = ("0", "255")
    scores, labels = random_scores(1, rows=40).float(), random_labels(2, rows=40)
    task, part = (
        task_of(classes),
        part_of(torch.zeros(40, 1, SIDE, SIDE, dtype=torch.uint8), labels, classes),
    )
    figures = task.outcome(Fixed(), scores, part).measure()
    assert figures["dice"] == pytest.approx(
        f1_score(labels.flatten().numpy(), (scores >= 0).flatten().numpy())
    )
    credits = [task.batch_metrics(scores[rows], labels[rows])["dice"] for rows in (slice(0, 7), slice(7, 40))]
    assert sum(credit[0] for credit in credits) / sum(credit[1] for credit in credits) == pytest.approx(
        figures["dice"]
    )


def test_settling_raises_the_dice_and_a_given_threshold_stands() -> None:
    classes = ("0", "255")
    labels = (torch.rand(6, SIDE, SIDE, generator=torch.Generator().manual_seed(3)) < 0.1).to(torch.uint8)
    scores = (
        labels.float() + 0.6 * torch.randn(labels.shape, generator=torch.Generator().manual_seed(4)) - 3
    ).unsqueeze(1)
    task, part = (
        task_of(classes),
        part_of(torch.zeros(6, 1, SIDE, SIDE, dtype=torch.uint8), labels, classes),
    )
    before = task.outcome(Fixed(), scores, part).measure()["dice"]
    task.settle(Fixed(), scores, part, SimpleNamespace(threshold="auto"))
    after = task.outcome(Fixed(), scores, part).measure()["dice"]
    assert before < 0.1
    assert after > 0.4
    task.settle(Fixed(), scores, part, SimpleNamespace(threshold=0.3))
    assert task.decisions == {"threshold": 0.3}


def test_classes_go_by_name_and_one_never_trained_on_is_marked() -> None:
    labels = random_labels(3)
    part = part_of(torch.zeros(5, 1, SIDE, SIDE, dtype=torch.uint8), labels, ("0", "7", "9"))
    targets = task_of(("9", "0")).targets(part)
    assert torch.equal(targets, torch.tensor([1, 255, 0], dtype=torch.uint8)[labels.long()])
    assert task_of(("9", "0")).outputs == MapShape(1, SIDE, SIDE)
    assert task_of(("0", "7", "9")).outputs == MapShape(3, SIDE, SIDE)


def test_the_stores_of_real_files_fit(tmp_path: Path) -> None:
    """Pixels and masks of one geometry: the mask is the picture, cut at 100, in files wider than the
    network's images.
    """
    image = pytest.importorskip("PIL.Image")
    generator = np.random.default_rng(0)
    for name in "abc":
        blocks = generator.integers(0, 256, (SIDE, SIDE + 4)).astype(np.uint8)
        image.fromarray(blocks).save(tmp_path / f"{name}.png")
        image.fromarray(np.where(blocks < 100, 255, 0).astype(np.uint8)).save(tmp_path / f"{name}_mask.png")
    pictures = ImageStore.of_files([tmp_path / f"{name}.png" for name in "abc"])
    masks = MaskStore.of_files([tmp_path / f"{name}_mask.png" for name in "abc"])
    rows = np.array([2, 0])
    frame = pl.DataFrame({"image": rows, "mask": rows})
    part: Any = SimpleNamespace(raw=frame, stores={"image": pictures, "mask": masks}, rows=rows)
    for classes in (("0", "255"), ("255", "0")):  # either may be the one that is sought
        outcome = task_of(classes).baselines(part, part, None)["threshold"]  # type: ignore[arg-type]
        assert outcome.measure()["dice"] == 1
    assert torch.equal(task_of(("255", "0")).targets(part), 1 - task_of(("0", "255")).targets(part))


def test_ignored_values_are_marked_and_count_in_no_figure() -> None:
    labels, scores = random_labels(3, rows=6), random_scores(1, rows=6).float()
    spec = TaskSpec(name="mask", targets=("mask",), classes=("0", "1"), ignored=("255",))
    task = MaskTask(spec, ImageShape(1, SIDE, SIDE))
    part = part_of(torch.zeros(6, 1, SIDE, SIDE, dtype=torch.uint8), labels, ("0", "1", "255"))
    assert torch.equal(task.targets(part), torch.tensor([0, 1, IGNORED], dtype=torch.uint8)[labels.long()])
    task.settle(Fixed(), scores, part, SimpleNamespace(threshold=0.5))
    counted = labels != 2
    truth, said = labels[counted].numpy(), (scores[:, 0] > 0)[counted].numpy()
    figures = task.outcome(Fixed(), scores, part).measure()
    assert figures["dice"] == pytest.approx(f1_score(truth, said))
    assert figures["pixel_accuracy"] == pytest.approx((truth == said).mean())
    total, weight = task.batch_metrics(scores, task.targets(part))["dice"]
    assert total / weight == pytest.approx(figures["dice"])
    assert task.class_counts(part).sum() == counted.sum()
    constant = task.baselines(part, part, None)["constant"]  # type: ignore[arg-type]
    assert constant.measure()["pixel_accuracy"] == pytest.approx(
        max((truth == code).mean() for code in (0, 1))
    )


def test_answers_have_the_values_of_the_masks() -> None:
    codes = random_labels(2).numpy()
    assert set(np.unique(task_of(("0", "255")).as_written(codes))) == {0, 255}
    colours = task_of(("0", "#ff0000")).as_written(codes)
    np.testing.assert_array_equal(colours, np.stack([255 * codes, 0 * codes, 0 * codes], axis=-1))
    deep = task_of(("7", "300"))
    deep.restore({"written_as": {"kind": "deep", "palette": []}})
    assert set(np.unique(deep.as_written(codes))) == {7, 300}


def test_several_classes_take_the_most_probable() -> None:
    scores = random_scores(4)
    task = task_of(tuple("abcd"))
    answers = task(scores)
    torch.testing.assert_close(answers.sum(dim=1), torch.ones(5, SIDE, SIDE))
    assert torch.equal(task.masks(answers).long(), scores.argmax(dim=1))
    assert masks_of(torch.full((1, 1, 2, 2), 0.5)).sum() == 0  # one half itself is the first class
    assert masks_of(torch.full((1, 1, 2, 2), 0.5001)).sum() == 4


def test_a_network_learns_edges_that_no_threshold_finds() -> None:
    torch.manual_seed(0)
    greys = (255 * torch.rand(32, 1, 1, 1).expand(32, 1, SIDE, SIDE)).clone()
    labels = torch.zeros(32, SIDE, SIDE, dtype=torch.uint8)
    # A square that is brighter or darker than its surroundings; its inner half is sought.
    for row in range(32):
        top, left = torch.randint(1, 5, (2,)).tolist()
        greys[row, 0, top : top + 6, left : left + 6] = 255 - greys[row, 0, 0, 0]
        labels[row, top : top + 6, left : left + 6] = 1
    part = part_of(greys.to(torch.uint8), labels, ("0", "1"))
    task, inputs = task_of(("0", "1")), greys / 255 - 0.5
    network = nn.Sequential(
        nn.Conv2d(1, 12, 7, padding=3),
        nn.ReLU(),
        nn.Conv2d(12, 12, 7, padding=3),
        nn.ReLU(),
        nn.Conv2d(12, 1, 1),
    )
    optimizer, loss = (
        torch.optim.Adam(network.parameters(), 0.01),
        build("loss", "pixel_cross_entropy_and_dice"),
    )
    for _ in range(60):
        optimizer.zero_grad()
        loss(network(inputs), task.targets(part)).mean().backward()
        optimizer.step()
    outcome = task.outcome(network, inputs, part)
    assert isinstance(outcome, MaskOutcome)
    baseline = task.baselines(part, part, None)["threshold"]  # type: ignore[arg-type]
    assert outcome.measure()["dice"] > 0.9 > baseline.measure()["dice"] + 0.2

"""Average precision against pycocotools, and its bootstrap against images that are really there several
times.
"""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.evaluation.outcomes.boxes import BoxOutcome, Objects

CLASSES = ("a", "b", "c")


def objects(rows: list[tuple[int, int, float, list[float]]]) -> Objects:
    """From (image, code, score, box)."""
    return Objects(
        np.array([row[0] for row in rows], dtype=np.int64),
        np.array([row[3] for row in rows], dtype=np.float64).reshape(-1, 4),
        np.array([row[1] for row in rows], dtype=np.int64),
        np.array([row[2] for row in rows], dtype=np.float64),
    )


def random_boxes(generator: np.random.Generator, count: int) -> np.ndarray:
    """Whole numbers, so that no rounding decides whether an overlap is exactly one half."""
    corner, size = generator.integers(0, 30, (count, 2)), generator.integers(1, 25, (count, 2))
    return np.concatenate([corner, corner + size], axis=1).astype(float)


def random_case(seed: int, *, images: int = 7, most: int = 8) -> tuple[Objects, Objects]:
    generator = np.random.default_rng(seed)
    count = int(generator.integers(0, images * most))
    truth = Objects(
        np.sort(generator.integers(0, images, count)),
        random_boxes(generator, count),
        generator.integers(0, 3, count),
        np.ones(count),
    )
    near = np.flatnonzero(generator.random(count) < 0.8)
    moved = truth.boxes[near] + generator.integers(-3, 4, (len(near), 4))
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
    wild = int(generator.integers(0, images * most))
    images_of = np.concatenate([truth.images[near], generator.integers(0, images, wild)])
    codes = np.concatenate([truth.codes[near], generator.integers(0, 3, wild)])
    scores = generator.integers(0, 12, len(images_of)) / 12  # equal ones too
    return truth, Objects(images_of, np.concatenate([moved, random_boxes(generator, wild)]), codes, scores)


def by_pycocotools(truth: Objects, predicted: Objects, images: int, classes: int) -> dict[str, float]:
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")

    def lines(some: Objects) -> list[dict[str, object]]:
        return [
            {
                "id": number + 1,
                "image_id": int(some.images[number]),
                "category_id": int(some.codes[number]),
                "bbox": [x, y, right - x, bottom - y],
                "area": (right - x) * (bottom - y),
                "iscrowd": 0,
                "score": float(some.scores[number]),
            }
            for number, (x, y, right, bottom) in enumerate(some.boxes.tolist())
        ]

    with contextlib.redirect_stdout(io.StringIO()):
        sides = []
        for some in (truth, predicted):
            side = coco.COCO()
            named = [{"id": code} for code in range(classes)]
            side.dataset = {
                "images": [{"id": row} for row in range(images)],
                "categories": named,
                "annotations": lines(some),
            }
            side.createIndex()
            sides.append(side)
        judge = evaluation.COCOeval(*sides, "bbox")
        judge.evaluate()
        judge.accumulate()
    # [T, R, K], [T, K].
    precision, recall = judge.eval["precision"][..., 0, 2], judge.eval["recall"][..., 0, 2]

    def mean(values: np.ndarray) -> float:
        return float(values[values > -1].mean()) if (values > -1).any() else np.nan

    return {"map_50": mean(precision[0]), "map_50_95": mean(precision), "recall_50": mean(recall[0])}


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1))
def test_figures_are_those_of_pycocotools(seed: int) -> None:
    truth, predicted = random_case(seed)
    ours = BoxOutcome(CLASSES, 7, truth, predicted).measure()
    theirs = by_pycocotools(truth, predicted, 7, len(CLASSES))
    assert ours == pytest.approx(theirs, abs=1e-9, nan_ok=True)


def test_only_the_hundred_surest_answers_of_a_class_in_an_image_count() -> None:
    generator = np.random.default_rng(3)
    truth = objects([(0, 0, 1.0, [0, 0, 10, 10]), (1, 0, 1.0, [5, 5, 9, 9])])
    boxes = np.tile([[40.0, 40.0, 50.0, 50.0]], (150, 1))
    boxes[generator.permutation(150)[:10]] = [0, 0, 10, 10]
    predicted = Objects(
        np.zeros(150, dtype=np.int64), boxes, np.zeros(150, dtype=np.int64), generator.random(150)
    )
    ours = BoxOutcome(CLASSES, 2, truth, predicted).measure()
    assert ours == pytest.approx(by_pycocotools(truth, predicted, 2, len(CLASSES)), abs=1e-9)
    last = Objects(
        predicted.images, boxes, predicted.codes, np.where((boxes[:, 0] == 0), 0.0, predicted.scores)
    )
    assert BoxOutcome(CLASSES, 2, truth, last).measure()["recall_50"] == 0


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_an_image_of_weight_k_counts_as_k_images(seed: int) -> None:
    truth, predicted = random_case(seed)
    # Of equal scores the order decides, which copies of images change; ours are all different here.
    predicted = Objects(
        predicted.images,
        predicted.boxes,
        predicted.codes,
        np.random.default_rng(seed).permutation(len(predicted)) / 1000,
    )
    outcome = BoxOutcome(CLASSES, 7, truth, predicted)
    weights = np.random.default_rng(seed).integers(0, 3, (7, 5)).astype(float)
    (statistic,) = outcome.statistics(outcome.names())
    figures = statistic(weights)
    for column in range(5):
        rows = np.repeat(np.arange(7), weights[:, column].astype(int))
        sides = []
        for some in (truth, predicted):
            picked = [np.flatnonzero(some.images == row) for row in rows]
            order = np.concatenate([np.zeros(0, dtype=np.int64), *picked])
            images = np.repeat(np.arange(len(rows)), [len(part) for part in picked])
            sides.append(Objects(images, some.boxes[order], some.codes[order], some.scores[order]))
        expected = (
            BoxOutcome(CLASSES, len(rows), *sides).measure() if len(rows) else dict.fromkeys(figures, np.nan)
        )
        assert {name: float(values[column]) for name, values in figures.items()} == pytest.approx(
            expected, abs=1e-12, nan_ok=True
        )


def test_matching_many_images_side_by_side_is_matching_each_alone() -> None:
    """More images than are matched at once."""
    truth, predicted = random_case(11, images=700, most=3)
    assert BoxOutcome(CLASSES, 700, truth, predicted).measure() == pytest.approx(
        by_pycocotools(truth, predicted, 700, 3), abs=1e-9
    )


def test_a_case_by_hand() -> None:
    """Two of three found; the false one lies between the hits: precision 1, 1/2, 2/3, so 2/3 from recall 0.34
    to 0.66.
    """
    truth = objects([(0, 0, 1.0, [0, 0, 10, 10]), (0, 0, 1.0, [20, 0, 30, 10]), (1, 0, 1.0, [0, 0, 10, 10])])
    predicted = objects(
        [(0, 0, 0.9, [0, 0, 10, 10]), (0, 0, 0.8, [50, 50, 60, 60]), (1, 0, 0.7, [0, 0, 10, 6])]
    )
    outcome = BoxOutcome(("cell",), 2, truth, predicted, cut=0.75)
    figures = outcome.measure()
    assert figures["recall_50"] == pytest.approx(2 / 3)
    assert figures["map_50"] == pytest.approx((34 + 33 * 2 / 3) / 101)
    # IoU 0.6 serves 0.5, 0.55 and 0.6.
    assert figures["map_50_95"] == pytest.approx((3 * (34 + 33 * 2 / 3) + 7 * 34) / 1010)
    assert outcome.best_cut() == pytest.approx(0.7, abs=1e-12)
    assert outcome.best_cut() < 0.7
    assert outcome.columns()["matched"].tolist() == [1, 0]
    assert outcome.columns()["found"].tolist() == [2, 0]
    np.testing.assert_allclose(outcome.errors(), [1 - 2 / 4, 1])
    assert outcome.describe(0, truth=True) == "2 cell"
    assert outcome.describe(1, truth=False) == "nothing"


def test_a_second_answer_to_the_same_object_is_wrong() -> None:
    truth = objects([(0, 0, 1.0, [0, 0, 10, 10])])
    twice = objects([(0, 0, 0.9, [0, 0, 10, 10]), (0, 0, 0.8, [0, 0, 10, 10])])
    assert BoxOutcome(("cell",), 1, truth, twice).columns()["matched"].tolist() == [1]


def test_without_true_objects_nothing_is_defined_and_wrong_classes_do_not_count() -> None:
    none, some = objects([]), objects([(0, 1, 0.9, [0, 0, 1, 1])])
    assert np.isnan(list(BoxOutcome(CLASSES, 1, none, some).measure().values())).all()
    assert np.isnan(list(BoxOutcome(CLASSES, 1, none, none).measure().values())).all()
    truth = objects([(0, 0, 1.0, [0, 0, 1, 1])])
    right = objects([(0, 0, 0.9, [0, 0, 1, 1]), (0, 1, 0.99, [0, 0, 1, 1])])
    assert BoxOutcome(CLASSES, 1, truth, right).measure()["map_50"] == pytest.approx(1)


def test_a_class_that_training_did_not_have_counts_as_not_found() -> None:
    truth = objects([(0, 0, 1.0, [0, 0, 1, 1]), (0, 3, 1.0, [5, 5, 9, 9])])
    outcome = BoxOutcome(CLASSES, 1, truth, objects([(0, 0, 0.9, [0, 0, 1, 1])]))
    assert outcome.measure()["map_50"] == pytest.approx(0.5)
    assert outcome.describe(0, truth=True) == "1 a, 1 of other classes"


def test_outcomes_are_compared_on_the_same_objects_only() -> None:
    truth, predicted = random_case(5)
    outcome = BoxOutcome(CLASSES, 7, truth, predicted)
    assert outcome.same_rows(BoxOutcome(CLASSES, 7, truth, objects([])))
    moved = Objects(truth.images, truth.boxes + 1, truth.codes, truth.scores)
    assert not outcome.same_rows(BoxOutcome(CLASSES, 7, moved, predicted))

"""How well boxes are found: average precision, as COCO defines it.

Matching looks at one image at a time, so it is done once; a resample of images only changes how often each
image's hits and misses count.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from handrail.evaluation.forms import FEWEST_ROWS, Bounded, Form
from handrail.evaluation.metrics import nan_mean
from handrail.evaluation.outcomes import Outcome, Statistic

OVERLAPS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0.0, 1.0, 101)
_MOST = 100  # boxes of a class in an image that are matched, those of the highest score
_IMAGES = 256  # matched at a time
_FEWEST_IMAGES = 50  # for bounds of mean average precision (benchmarks/intervals.py)


@dataclass(frozen=True, eq=False)
class Objects:
    """Objects of all images in one list: the image's row, box (xmin, ymin, xmax, ymax), class code and score.

    Boxes may be in any unit that truth and answers of an image share. Scores of true objects have no meaning.
    """

    images: Int[np.ndarray, " objects"]
    boxes: Float[np.ndarray, "objects 4"]
    codes: Int[np.ndarray, " objects"]
    scores: Float[np.ndarray, " objects"]

    def __len__(self) -> int:
        return len(self.images)

    def of(self, code: int) -> "Objects":
        """The objects of one class by image, in an image by falling score; equal scores keep their order."""
        places = np.flatnonzero(self.codes == code)
        places = places[np.lexsort((-self.scores[places], self.images[places]))]  # stable
        return Objects(self.images[places], self.boxes[places], self.codes[places], self.scores[places])

    def per_image(self, rows: int) -> Int[np.ndarray, " rows"]:
        """The number of objects in each image."""
        return np.bincount(self.images, minlength=rows)


class _Ranking(NamedTuple):
    """The answers of one class by falling score."""

    images: np.ndarray
    scores: np.ndarray
    hits: np.ndarray  # [overlaps, answers]
    truths: np.ndarray  # true objects of each image


@dataclass(frozen=True, eq=False)
class BoxOutcome(Outcome):
    """Boxes beside the truth.

    An answer is a hit where it overlaps a true object of its class by at least the required IoU and no answer
    of higher score has taken that object; it takes the object with the highest IoU. With the answers in
    falling order of score, average precision is the mean over the recalls 0, 0.01, … 1 of the best precision
    at that recall or beyond, and the metric is its mean over the classes that occur. Objects of classes that
    training rows did not have share the code after the last, which no answer has.

    Arguments:
        images: how many there are.
        cut: the score above which an answer is shown and counted; average precision takes all of them.

    Source: Lin et al. 2014 (COCO; pycocotools gives the same numbers); Everingham et al. 2010 (Pascal VOC)
    """

    classes: tuple[str, ...]
    images: int
    truth: Objects
    answers: Objects
    cut: float = 0.5
    task: str = "boxes"

    @property
    def rows(self) -> int:
        return self.images

    @property
    def work(self) -> int:
        return max(1, (len(self.answers) + len(OVERLAPS) * len(self.truth)) // max(1, self.rows))

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        selected = set(names)
        overlaps = len(OVERLAPS) if "map_50_95" in selected else 1

        def statistic(weights: Float[np.ndarray, "rows resamples"]) -> dict[str, np.ndarray]:
            curves = [_precision_and_recall(ranking, weights, overlaps) for ranking in self._rankings]
            empty = np.full((1, overlaps, weights.shape[1]), np.nan)
            precision = nan_mean(np.stack([curve[0] for curve in curves]) if curves else empty)
            recall = nan_mean(np.stack([curve[1] for curve in curves]) if curves else empty[0])
            metrics = {"map_50": precision[0], "map_50_95": precision.mean(axis=0), "recall_50": recall}
            return {name: values for name, values in metrics.items() if name in selected}

        return [statistic] if selected else []

    def forms(self, names: Iterable[str]) -> dict[str, Form]:
        """All have an error by a jackknife; mean average precision comes out too high on few images."""
        few = {"recall_50": FEWEST_ROWS}
        return {name: Bounded(float(self.rows), fewest=few.get(name, _FEWEST_IMAGES)) for name in names}

    @cached_property
    def _rankings(self) -> list[_Ranking]:
        codes = np.unique(np.concatenate([self.truth.codes, self.answers.codes])).tolist()
        return [_rank(self.answers.of(code), self.truth.of(code), self.rows) for code in codes]

    def same_rows(self, other: Outcome) -> bool:
        return (
            isinstance(other, BoxOutcome)
            and (self.classes, self.rows) == (other.classes, other.rows)
            and np.array_equal(self.truth.images, other.truth.images)
            and np.array_equal(self.truth.codes, other.truth.codes)
            and np.array_equal(self.truth.boxes, other.truth.boxes)
        )

    def best_cut(self) -> float:
        """The cut with the highest F1 over all classes, at an IoU of 0.5: just below a score."""
        scores = np.concatenate([ranking.scores for ranking in self._rankings] or [np.zeros(0)])
        hits = np.concatenate([ranking.hits[0] for ranking in self._rankings] or [np.zeros(0)])
        if not hits.any():
            return 0.5
        order = np.argsort(-scores, kind="stable")
        f1 = 2 * hits[order].cumsum() / (np.arange(1, len(order) + 1) + len(self.truth))
        falling = np.append(scores[order], -np.inf)
        last = np.flatnonzero(falling[:-1] > falling[1:])  # answers of equal score are shown together
        return float(np.nextafter(falling[last[f1[last].argmax()]], 0.0))

    @cached_property
    def _counts(self) -> Int[np.ndarray, "counts rows"]:
        """Of each image: true objects, answers above the cut, and hits among them."""
        answers, hits = np.zeros((2, self.rows), dtype=np.int64)
        for ranking in self._rankings:
            sure = ranking.scores > self.cut
            answers += np.bincount(ranking.images[sure], minlength=self.rows)
            hits += np.bincount(ranking.images[sure & ranking.hits[0]], minlength=self.rows)
        return np.stack([self.truth.per_image(self.rows), answers, hits])

    def errors(self) -> np.ndarray:
        """1 − F1 of each image at an IoU of 0.5 and the cut; 0 where there are no objects and no answers."""
        true, answers, hits = self._counts
        return 1 - np.where(true + answers > 0, 2 * hits / np.maximum(true + answers, 1), 1.0)

    def describe(self, row: int, *, truth: bool) -> str:
        """How many of each class, such as '12 RBC, 1 WBC'."""
        objects = self.truth if truth else self.answers
        here = (objects.images == row) & (truth | (objects.scores > self.cut))
        counts = np.bincount(objects.codes[here], minlength=len(self.classes) + 1)
        names = (*self.classes, "of other classes")
        pairs = zip(names, counts, strict=True)
        return ", ".join(f"{count} {name}" for name, count in pairs if count) or "nothing"

    def columns(self) -> dict[str, Any]:
        """Of each image: true objects, answers above the cut, and hits among them at an IoU of 0.5."""
        return dict(zip(("objects", "found", "matched"), self._counts, strict=True))


def _rank(answers: Objects, truth: Objects, rows: int) -> _Ranking:
    """Match the answers of one class with its true objects, then sort them by score over all images."""
    first = np.searchsorted(answers.images, answers.images)  # where each image's answers begin
    surest = np.flatnonzero(np.arange(len(answers)) - first < _MOST)
    images, boxes, scores = answers.images[surest], answers.boxes[surest], answers.scores[surest]
    hits = np.zeros((len(OVERLAPS), len(surest)), dtype=bool)
    for chunk in _slices(images):
        hits[:, chunk] = _hits(images[chunk], boxes[chunk], truth)
    order = np.argsort(-scores, kind="stable")
    return _Ranking(images[order], scores[order], hits[:, order], truth.per_image(rows))


def _slices(images: np.ndarray) -> Iterator[slice]:
    starts = np.flatnonzero(np.diff(images, prepend=-1))[::_IMAGES]
    for start, stop in zip(starts, np.append(starts, len(images))[1:], strict=True):
        yield slice(start, stop)


def _hits(images: np.ndarray, boxes: np.ndarray, truth: Objects) -> Bool[np.ndarray, "overlaps answers"]:
    """Which answers, sorted by image and then by score, are hits at each overlap; all images at once."""
    present, image = np.unique(images, return_inverse=True)
    place = np.arange(len(images)) - np.searchsorted(images, images)
    answers = _pad(image, place, boxes, len(present))  # [images, answers, 4]
    near = np.flatnonzero(np.isin(truth.images, present))
    image_of_truth = np.searchsorted(present, truth.images[near])
    place_of_truth = np.arange(len(near)) - np.searchsorted(image_of_truth, image_of_truth)
    true = _pad(image_of_truth, place_of_truth, truth.boxes[near], len(present))
    hits = np.zeros((len(OVERLAPS), *answers.shape[:2]), dtype=bool)
    if true.shape[1]:
        overlap = _overlaps(answers, true)
        free = np.ones((len(OVERLAPS), *true.shape[:2]), dtype=bool)
        for number in range(answers.shape[1]):
            hits[:, :, number] = _take(overlap[:, number], free)
    return hits[:, image, place]


def _take(
    overlap: Float[np.ndarray, "images truths"], free: Bool[np.ndarray, "overlaps images truths"]
) -> np.ndarray:
    """Let each image's next answer take the free true object of highest overlap, of equal ones the last.

    `free` is changed.
    """
    overlap = np.where(free, overlap, -1.0)
    chosen = overlap.shape[2] - 1 - overlap[:, :, ::-1].argmax(axis=2)
    best = np.take_along_axis(overlap, chosen[:, :, None], axis=2)[:, :, 0]
    hit = best >= np.minimum(OVERLAPS, 1 - 1e-10)[:, None]
    level, image = np.nonzero(hit)
    free[level, image, chosen[level, image]] = False
    return hit


def _pad(
    image: np.ndarray, place: np.ndarray, boxes: np.ndarray, images: int
) -> Float[np.ndarray, "images most 4"]:
    """Boxes by image; padding has no area, and overlaps nothing."""
    padded = np.zeros((images, int(place.max(initial=-1)) + 1, 4))
    padded[image, place] = boxes
    return padded


def _overlaps(
    a: Float[np.ndarray, "images n 4"], b: Float[np.ndarray, "images m 4"]
) -> Float[np.ndarray, "images n m"]:
    low = np.maximum(a[:, :, None, :2], b[:, None, :, :2])
    high = np.minimum(a[:, :, None, 2:], b[:, None, :, 2:])
    shared = np.maximum(high - low, 0.0).prod(axis=3)
    area_a, area_b = ((box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (a, b))
    union = area_a[:, :, None] + area_b[:, None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _precision_and_recall(
    ranking: _Ranking, weights: np.ndarray, overlaps: int
) -> tuple[np.ndarray, np.ndarray]:
    """A class's average precision `[overlaps, resamples]`, and its recall at the first overlap `[resamples]`.

    Precision and recall improve at hits only, so the curve is known from its hits.
    """
    truths = ranking.truths @ weights
    answers = weights[ranking.images].cumsum(axis=0)  # [answers, resamples]
    precision, recall = np.full((overlaps, weights.shape[1]), np.nan), np.full(weights.shape[1], np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        for level in range(overlaps):
            places = np.flatnonzero(ranking.hits[level])
            hits = weights[ranking.images[places]].cumsum(axis=0)
            best = np.maximum.accumulate((hits / (answers[places] + np.spacing(1)))[::-1], axis=0)[::-1]
            precision[level] = _mean_over_recalls(best, hits / truths)
            if level == 0:
                recall = hits[-1] / truths if len(hits) else np.zeros(weights.shape[1])
    return np.where(truths > 0, precision, np.nan), np.where(truths > 0, recall, np.nan)


def _mean_over_recalls(best: np.ndarray, recall: np.ndarray) -> Float[np.ndarray, " resamples"]:
    """The mean over the fixed recalls of the best precision from there on; 0 beyond the last."""
    padded = np.concatenate([best, np.zeros((1, best.shape[1]))])
    # [recalls, resamples].
    first = np.stack([np.searchsorted(column, _RECALLS) for column in recall.T], axis=1)
    return np.take_along_axis(padded, first, axis=0).mean(axis=0)

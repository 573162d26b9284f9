"""How well boxes are found: average precision, as COCO defines it.

Matching looks at one image at a time, so it is done once; what a resample of images changes is only how often
each image's hits and misses count.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from handrail.evaluation.metrics import mean_defined
from handrail.evaluation.outcomes import Outcome, Statistic

FIGURES = ("map_50", "map_50_95", "recall_50")
OVERLAPS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0.0, 1.0, 101)
_MOST = 100  # boxes of a class in an image that are looked at, the surest first
_IMAGES = 256  # matched side by side


@dataclass(frozen=True, eq=False)
class Objects:
    """Objects of all images, one behind the other: the image's row, the box (xmin, ymin, xmax, ymax), class
    code, score.

    Boxes may be in any unit, the same for truth and answers of an image. The scores of true objects say
    nothing.
    """

    images: Int[np.ndarray, " objects"]
    boxes: Float[np.ndarray, "objects 4"]
    codes: Int[np.ndarray, " objects"]
    scores: Float[np.ndarray, " objects"]

    def __len__(self) -> int:
        return len(self.images)

    def of(self, code: int) -> "Objects":
        """Those of one class, image by image; in an image the surest first, and of equally sure ones the
        first.
        """
        places = np.flatnonzero(self.codes == code)
        places = places[np.lexsort((-self.scores[places], self.images[places]))]  # stable
        return Objects(self.images[places], self.boxes[places], self.codes[places], self.scores[places])

    def per_image(self, rows: int) -> Int[np.ndarray, " rows"]:
        """How many there are in each image."""
        return np.bincount(self.images, minlength=rows)


class _Ranked(NamedTuple):
    """A class's answers, the surest first: their images, scores, and whether each is a hit `[overlaps,
    answers]`.
    """

    images: np.ndarray
    scores: np.ndarray
    hits: np.ndarray
    truths: np.ndarray  # true objects of each image


@dataclass(frozen=True, eq=False)
class BoxOutcome:
    """Boxes beside the truth.

    An answer is a hit where its IoU with a true object of its class that no surer answer has taken is at
    least the overlap asked for; it takes the one with the highest. Going down from the surest answer, the
    average precision is the mean over the recalls 0, 0.01, … 1 of the best precision at that recall or beyond
    it, and the figure is the mean over the classes that occur. Objects of classes that training rows did not
    have share the code behind the last: nothing of it is found.

    cut: the score from which an answer is spoken of; average precision looks at all of them.

    Source: Lin et al. 2014 (COCO; pycocotools gives the same numbers); Everingham et al. 2010 (Pascal VOC)
    """

    classes: tuple[str, ...]
    rows: int
    truth: Objects
    found: Objects
    cut: float = 0.5
    task: str = "boxes"

    @property
    def block(self) -> int:
        """Rows stand by themselves."""
        return 1

    @property
    def work(self) -> int:
        """Answers an image, and hits at each overlap."""
        return max(1, (len(self.found) + len(OVERLAPS) * len(self.truth)) // max(1, self.rows))

    def names(self) -> list[str]:
        """map_50, map_50_95, recall_50."""
        return list(FIGURES)

    def measure(self) -> dict[str, float]:
        """All figures; not a number where there is no true object."""
        (statistic,) = self.statistics(FIGURES)
        found = statistic(np.ones((self.rows, 1)))
        return {name: float(found[name][0]) for name in FIGURES}

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        """One function from weights `[rows, resamples]` to the named figures."""
        wanted = set(names)
        overlaps = len(OVERLAPS) if "map_50_95" in wanted else 1

        def figures(weights: Float[np.ndarray, "rows resamples"]) -> dict[str, np.ndarray]:
            each = [_precision_and_recall(ranked, weights, overlaps) for ranked in self._ranked.values()]
            empty = np.full((1, overlaps, weights.shape[1]), np.nan)
            # [overlaps, resamples].
            precision = mean_defined(np.stack([one[0] for one in each]) if each else empty)
            recall = mean_defined(np.stack([one[1] for one in each]) if each else empty[0])
            found = {"map_50": precision[0], "map_50_95": precision.mean(axis=0), "recall_50": recall}
            return {name: found[name] for name in FIGURES if name in wanted}

        return [figures] if wanted else []

    @cached_property
    def _ranked(self) -> dict[int, _Ranked]:
        codes = np.unique(np.concatenate([self.truth.codes, self.found.codes]))
        return {
            int(code): _rank(self.found.of(int(code)), self.truth.of(int(code)), self.rows) for code in codes
        }

    def same_rows(self, other: Outcome) -> bool:
        """Whether the other outcome is about the same true objects."""
        return (
            isinstance(other, BoxOutcome)
            and (self.classes, self.rows) == (other.classes, other.rows)
            and np.array_equal(self.truth.images, other.truth.images)
            and np.array_equal(self.truth.codes, other.truth.codes)
            and np.array_equal(self.truth.boxes, other.truth.boxes)
        )

    def best_cut(self) -> float:
        """The score from which answers are best believed: with the highest F1 over all classes, at an IoU of
        0.5.
        """
        scores = np.concatenate([ranked.scores for ranked in self._ranked.values()] or [np.zeros(0)])
        hits = np.concatenate([ranked.hits[0] for ranked in self._ranked.values()] or [np.zeros(0)])
        if not hits.any():
            return 0.5
        order = np.argsort(-scores, kind="stable")
        f1 = 2 * hits[order].cumsum() / (np.arange(1, len(order) + 1) + len(self.truth))
        return float(scores[order][f1.argmax()])

    @cached_property
    def _counts(self) -> Int[np.ndarray, "counts rows"]:
        """Of each image: true objects, answers from the cut on, and hits among them."""
        found, hits = np.zeros(self.rows, dtype=np.int64), np.zeros(self.rows, dtype=np.int64)
        for ranked in self._ranked.values():
            sure = ranked.scores >= self.cut
            found += np.bincount(ranked.images[sure], minlength=self.rows)
            hits += np.bincount(ranked.images[sure & ranked.hits[0]], minlength=self.rows)
        return np.stack([self.truth.per_image(self.rows), found, hits])

    def errors(self) -> np.ndarray:
        """1 − F1 of each image at an IoU of 0.5, of answers from the cut on; 0 where there is nothing and
        nothing is said.
        """
        true, found, hits = self._counts
        return 1 - np.where(true + found > 0, 2 * hits / np.maximum(true + found, 1), 1.0)

    def spoken(self, row: int, *, truth: bool) -> str:
        """How many of each class, such as '12 RBC, 1 WBC'."""
        objects = self.truth if truth else self.found
        here = (objects.images == row) & (truth | (objects.scores >= self.cut))
        counts = np.bincount(objects.codes[here], minlength=len(self.classes) + 1)
        names = (*self.classes, "of other classes")
        return (
            ", ".join(f"{count} {name}" for name, count in zip(names, counts, strict=True) if count)
            or "nothing"
        )

    def columns(self) -> dict[str, Any]:
        """Of each image: true objects, answers from the cut on, and hits among them at an IoU of 0.5."""
        return dict(zip(("objects", "found", "matched"), self._counts, strict=True))


def _rank(found: Objects, truth: Objects, rows: int) -> _Ranked:
    """The answers of one class matched with its true objects, and then sorted by score over all images."""
    first = np.searchsorted(found.images, found.images)  # where each image's answers begin
    kept = np.flatnonzero(np.arange(len(found)) - first < _MOST)
    images, boxes, scores = found.images[kept], found.boxes[kept], found.scores[kept]
    hits = np.zeros((len(OVERLAPS), len(kept)), dtype=bool)
    for begin, end in _some_images(images):
        some = slice(begin, end)
        hits[:, some] = _hits(images[some], boxes[some], truth)
    order = np.argsort(-scores, kind="stable")
    return _Ranked(images[order], scores[order], hits[:, order], truth.per_image(rows))


def _some_images(images: np.ndarray) -> Iterator[tuple[int, int]]:
    """Stretches of answers that belong to so many images each."""
    starts = np.flatnonzero(np.diff(images, prepend=-1))[::_IMAGES]
    yield from zip(starts, np.append(starts, len(images))[1:], strict=True)


def _hits(images: np.ndarray, boxes: np.ndarray, truth: Objects) -> Bool[np.ndarray, "overlaps answers"]:
    """Which answers, sorted by image and then by score, are hits at each overlap; all images side by side."""
    present, image = np.unique(images, return_inverse=True)
    place = np.arange(len(images)) - np.searchsorted(images, images)
    answers = _padded(image, place, boxes, len(present))  # [images, answers, 4]
    near = np.flatnonzero(np.isin(truth.images, present))
    image_of_truth = np.searchsorted(present, truth.images[near])
    true = _padded(
        image_of_truth,
        np.arange(len(near)) - np.searchsorted(image_of_truth, image_of_truth),
        truth.boxes[near],
        len(present),
    )
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
    """Each image's next answer takes the free true object that it overlaps most, of equal ones the last;
    `free` is changed.
    """
    able = np.where(free, overlap, -1.0)
    chosen = able.shape[2] - 1 - able[:, :, ::-1].argmax(axis=2)
    best = np.take_along_axis(able, chosen[:, :, None], axis=2)[:, :, 0]
    hit = best >= np.minimum(OVERLAPS, 1 - 1e-10)[:, None]
    level, image = np.nonzero(hit)
    free[level, image, chosen[level, image]] = False
    return hit


def _padded(
    image: np.ndarray, place: np.ndarray, boxes: np.ndarray, images: int
) -> Float[np.ndarray, "images most 4"]:
    """Boxes by image; what is not there has no area, and overlaps nothing."""
    padded = np.zeros((images, int(place.max(initial=-1)) + 1, 4))
    padded[image, place] = boxes
    return padded


def _overlaps(
    a: Float[np.ndarray, "images n 4"], b: Float[np.ndarray, "images m 4"]
) -> Float[np.ndarray, "images n m"]:
    """Intersection over union of all pairs in each image."""
    low = np.maximum(a[:, :, None, :2], b[:, None, :, :2])
    high = np.minimum(a[:, :, None, 2:], b[:, None, :, 2:])
    shared = np.maximum(high - low, 0.0).prod(axis=3)
    area_a, area_b = ((box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (a, b))
    union = area_a[:, :, None] + area_b[:, None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _precision_and_recall(
    ranked: _Ranked, weights: np.ndarray, overlaps: int
) -> tuple[np.ndarray, np.ndarray]:
    """A class's average precision `[overlaps, resamples]`, and its recall at the first overlap `[resamples]`.

    Precision and recall change for the better at hits only, so that the curve is known from its hits.
    """
    truths = ranked.truths @ weights
    said = weights[ranked.images].cumsum(axis=0)  # [answers, resamples]
    precision, recall = np.full((overlaps, weights.shape[1]), np.nan), np.full(weights.shape[1], np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        for level in range(overlaps):
            places = np.flatnonzero(ranked.hits[level])
            hits = weights[ranked.images[places]].cumsum(axis=0)
            best = np.maximum.accumulate((hits / (said[places] + np.spacing(1)))[::-1], axis=0)[::-1]
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

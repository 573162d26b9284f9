"""Masks: a class for every pixel."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int, Int64, UInt8
from torch import Tensor, nn

from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows, Values
from handrail.data.task import TaskSpec
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.masks import MaskOutcome, Tally
from handrail.objectives.maps import IGNORED
from handrail.shapes import ImageShape, InputShape, MapShape
from handrail.tasks.scoring import mean_of_sigmoid, mean_of_softmax, rows_at_once, scores_of
from handrail.tasks.task import Baselines, Choice, Task, threshold_reason

Maps = Float[Tensor, "rows channels height width"]

_BINS = 1000  # of probability, whose borders are the candidates of the threshold
_GREYS = 256
UNKNOWN = 255  # the code of a class that training rows did not have


class MaskTask(Task):
    """Scores of every pixel to probabilities, and those to classes.

    Two classes share one map of scores, p(second class) = sigmoid(score), above `threshold`; of more classes
    each has its map, with a softmax over them, and the most probable one is the answer. Weights of the
    classes in the loss are taken out of the probabilities as in `ClassTask`.
    """

    joins: ClassVar[bool] = True
    threshold: Tensor
    log_weights: Tensor
    shape: ImageShape

    def __init__(self, spec: TaskSpec, shape: InputShape) -> None:
        assert isinstance(shape, ImageShape), "masks are of images"
        super().__init__(spec, shape)
        self.register_buffer("threshold", torch.tensor(0.5, dtype=torch.float64))
        self.register_buffer("log_weights", torch.zeros(len(spec.classes)).double(), persistent=False)
        self.written_as: dict[str, Any] = {"kind": "", "palette": []}

    def fit(self, part: Part, encoder: RowEncoder) -> None:
        """Note how the training masks are written."""
        name = self.spec.targets[0]
        store: Any = part.stores[name]
        self.written_as = store.written_as(part.raw[name].to_numpy())

    def class_counts(self, part: Part) -> Int64[Tensor, " classes"]:
        targets, classes = self.targets(part), len(self.spec.classes)
        return torch.bincount(targets[targets < classes].flatten(), minlength=classes)

    def weigh(self, weights: Float[Tensor, " classes"] | None) -> None:
        self.log_weights.zero_()
        if weights is not None:
            self.log_weights.copy_(weights.double().log())

    @property
    def _shift(self) -> Float[Tensor, "channels 1 1"]:
        """What the class weights have added to the scores."""
        weights = self.log_weights
        return (weights if len(weights) != 2 else weights[1:] - weights[:1]).float()[:, None, None]

    @property
    def outputs(self) -> MapShape:
        """A map of the images' own size: one channel for two classes, else one a class."""
        classes = len(self.spec.classes)
        return MapShape(1 if classes == 2 else classes, self.shape.height, self.shape.width)

    def targets(self, part: Part) -> UInt8[Tensor, "rows height width"]:
        """Class codes of the pixels, scaled and cropped as the images are.

        255 stands for an unknown class, and 254 for pixels that count nowhere.
        """
        name = self.spec.targets[0]
        store: Any = part.stores[name]
        names = store.classes_of(np.arange(len(store)))
        codes = codes_of(names, self.spec.classes, unknown=UNKNOWN)
        codes[np.isin(names, self.spec.ignored)] = IGNORED
        labels = store.labels(self.shape[1:], part.raw[name].to_numpy())
        same = np.array_equal(codes, np.arange(len(codes)))
        return labels if same else torch.from_numpy(codes.astype(np.uint8))[labels.long()]

    def forward(self, scores: Maps) -> Maps:
        return probabilities_of(scores.float() - self._shift)

    def join_scores(self, scores: Sequence[Maps]) -> Maps:
        join = mean_of_sigmoid if scores[0].shape[1] == 1 else mean_of_softmax
        return join([score - self._shift for score in scores]) + self._shift

    def masks(self, probabilities: Maps) -> UInt8[Tensor, "rows height width"]:
        """Class codes of the pixels, by the task's threshold; of several classes as the weights ask for."""
        if probabilities.shape[1] > 1:
            weights = (self.log_weights - self.log_weights.max()).exp().float().to(probabilities.device)
            probabilities = probabilities * weights[:, None, None]
        return masks_of(probabilities, threshold=float(self.threshold))

    def as_written(self, masks: UInt8[np.ndarray, "rows height width"]) -> np.ndarray:
        """Masks of class codes with the values that the data's own masks have.

        They are bytes, for masks of 16 bits such numbers, and for colours `[rows, height, width, 3]`.
        """
        names = self.spec.classes
        if any(name.startswith("#") for name in names):
            colours = [
                bytes.fromhex(name[1:]) if name[0] == "#" else bytes([int(name)] * 3) for name in names
            ]
            return np.array([list(colour) for colour in colours], dtype=np.uint8)[masks]
        deep = self.written_as["kind"] == "deep"
        return np.array([int(name) for name in names], dtype=np.uint16 if deep else np.uint8)[masks]

    def batch_metrics(self, scores: Tensor, targets: Values) -> dict[str, tuple[float, float]]:
        """Dice at a threshold of one half; for two classes by numbers of pixels, so that batches add up."""
        assert isinstance(targets, Tensor)
        classes = len(self.spec.classes)
        masks, targets = masks_of(probabilities_of(scores.detach().float())), targets.to(scores.device)
        counted = targets != IGNORED
        codes = [1] if classes == 2 else range(classes)
        pairs = [((masks == code) & counted, targets == code) for code in codes]
        shared = torch.stack([(a & b).sum() for a, b in pairs]).double()
        sizes = torch.stack([a.sum() + b.sum() for a, b in pairs]).double()
        if classes == 2:
            return {"dice": (2 * float(shared), float(sizes))}
        present = sizes > 0
        return {"dice": (len(masks) * float((2 * shared[present] / sizes[present]).mean()), len(masks))}

    def settle(self, network: nn.Module, rows: Rows, part: Part, settings: Any) -> None:
        """For two classes, set the threshold: a number as given, else the best on validation pixels."""
        if len(self.spec.classes) != 2:
            return
        self._why = threshold_reason(settings.threshold, best="Dice on validation pixels")
        if isinstance(settings.threshold, float | int):
            self.threshold.fill_(settings.threshold)
            return
        positive, negative = np.zeros((2, _BINS), dtype=np.int64)
        for probabilities, truth in self._batches(network, rows, part):
            bins = ((probabilities[:, 0] * _BINS).ceil().long() - 1).clamp(0, _BINS - 1)  # (b, b + 1]
            positive += np.bincount(bins[truth == 1].numpy(), minlength=_BINS)
            negative += np.bincount(bins[truth == 0].numpy(), minlength=_BINS)
        self.threshold.fill_(best_threshold(positive, negative, metric=settings.threshold))

    @property
    def decisions(self) -> dict[str, float]:
        return {"threshold": float(self.threshold)} if len(self.spec.classes) == 2 else {}

    def facts(self) -> dict[str, Any]:
        return {
            "log_weights": self.log_weights.tolist(),
            "written_as": self.written_as,
            **super().facts(),
        }

    def restore(self, facts: dict[str, Any]) -> None:
        if any(facts.get("log_weights", [])):
            self.log_weights.copy_(torch.tensor(facts["log_weights"], dtype=torch.float64))
        self.written_as = facts.get("written_as", self.written_as)
        super().restore(facts)

    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> Outcome:
        classes = self.spec.classes
        tallies = [
            Tally.of(self.masks(probabilities), truth, classes=len(classes))
            for probabilities, truth in self._batches(network, rows, part)
        ]
        return MaskOutcome(classes, Tally.join(tallies))

    def baselines(
        self, train: Part, part: Part, encoder: RowEncoder, choice: Choice | None = None
    ) -> Baselines:
        """constant: one class everywhere. threshold: class by grey value.

        Of two classes both are cut as the network is, by the same metric on validation pixels: the constant
        one is the class that does better, and greys are cut at the best one. Of more classes it is the most
        common one, of all pixels and of each grey, in training pixels.
        """
        classes = self.spec.classes
        counts = self._grey_counts(train)
        if len(classes) == 2 and choice is not None:
            setting = choice.settings.threshold
            judged = self._grey_counts(choice.validation)
            metric = setting if isinstance(setting, str) else "auto"
            tables = {
                "constant": best_class(judged, metric=metric),
                "threshold": class_of_grey(judged, metric),
            }
        else:
            tables = {
                "constant": np.full(_GREYS, counts.sum(axis=0).argmax()),
                "threshold": class_of_grey(counts),
            }
        tallies: dict[str, list[Tally]] = {name: [] for name in tables}
        for greys, codes in self._greys(part):
            for name, table in tables.items():
                masks = torch.from_numpy(table.astype(np.uint8))[greys.long()]
                tallies[name].append(Tally.of(masks, codes, classes=len(classes)))
        return Baselines({name: MaskOutcome(classes, Tally.join(parts)) for name, parts in tallies.items()})

    def _grey_counts(self, part: Part) -> Int[np.ndarray, "greys classes"]:
        """How many pixels of each grey value have each class."""
        classes = len(self.spec.classes)
        counts = np.zeros((_GREYS, classes), dtype=np.int64)
        for greys, codes in self._greys(part):
            known = codes < classes
            flat = greys[known].long() * classes + codes[known]
            counts += torch.bincount(flat, minlength=counts.size).numpy().reshape(counts.shape)
        return counts

    def _batches(self, network: nn.Module, rows: Rows, part: Part) -> Iterator[tuple[Tensor, Tensor]]:
        """Probabilities and true codes on the CPU, a batch at a time."""
        truth, start = self.targets(part), 0
        for scores in scores_of(network, rows):
            yield self(scores).cpu(), truth[start : start + len(scores)]
            start += len(scores)

    def _greys(self, part: Part) -> Iterator[tuple[Tensor, Tensor]]:
        """Grey values and class codes of the part's pixels, some images at a time."""
        column = next(name for name, store in part.stores.items() if store.kind == "image")
        store: Any = part.stores[column]
        places, truth = part.raw[column].to_numpy(), self.targets(part)
        size = rows_at_once(truth)
        for start in range(0, len(places), size):
            batch = slice(start, start + size)
            yield store.pixels(self.shape[1:], channels=1, places=places[batch])[:, 0], truth[batch]


def codes_of(names: Iterable[str], classes: tuple[str, ...], *, unknown: int) -> Int[np.ndarray, " names"]:
    """The place of each name in `classes`; `unknown` for names that are not there."""
    codes = {name: code for code, name in enumerate(classes)}
    return np.array([codes.get(name, unknown) for name in names], dtype=np.int64)


def probabilities_of(scores: Maps) -> Maps:
    """The sigmoid of a single map, the softmax over several."""
    return scores.sigmoid() if scores.shape[1] == 1 else scores.softmax(dim=1)


def masks_of(probabilities: Maps, *, threshold: float = 0.5) -> UInt8[Tensor, "rows height width"]:
    """Class codes of pixels: 1 above `threshold` where there is one map, else the most probable class."""
    if probabilities.shape[1] == 1:
        return (probabilities[:, 0] > threshold).to(torch.uint8)
    return probabilities.argmax(dim=1).to(torch.uint8)


def best_threshold(
    positive: Int[np.ndarray, " bins"], negative: Int[np.ndarray, " bins"], *, metric: str = "auto"
) -> float:
    """The best probability to cut at, the nearest to one half; one half where a class is missing.

    Arguments:
        positive, negative: the number of pixels of either class with a probability in each of equal bins.
        metric: what is best: Dice (`auto`, `f1`), `accuracy` or `balanced_accuracy`.
    """
    if not positive.any() or not negative.any():
        return 0.5
    # Positive predictions with the cut at bins 1, 2, …
    hits, false = (counts[::-1].cumsum()[::-1][1:] for counts in (positive, negative))
    positives, negatives = positive.sum(), negative.sum()
    if metric == "accuracy":
        quality = (hits - false) / (positives + negatives)
    elif metric == "balanced_accuracy":
        quality = hits / positives - false / negatives
    else:
        quality = 2 * hits / (hits + false + positives)
    cuts = np.arange(1, len(positive)) / len(positive)
    best = cuts[quality >= quality.max() - 1e-12]
    return float(best[np.argmin(np.abs(best - 0.5))])


def best_class(counts: Int[np.ndarray, "greys 2"], *, metric: str) -> Int[np.ndarray, " greys"]:
    """Of two classes the one that does better everywhere, by the metric that thresholds are chosen by."""
    negative, positive = counts.sum(axis=0)
    second = positive > negative if metric == "accuracy" else positive > 0
    return np.full(len(counts), int(second))


def class_of_grey(
    counts: Int[np.ndarray, "greys classes"], metric: str = "auto"
) -> Int[np.ndarray, " greys"]:
    """The predicted class of each grey value, from how often pixels of that grey have each class.

    Two classes are cut at one grey value, with the second on the bright or dark side, for the best metric.

    Arguments:
        metric: Dice (`auto`, `f1`), `accuracy` or `balanced_accuracy`.
    """
    greys = np.arange(len(counts))
    if counts.shape[1] != 2:
        return counts.argmax(axis=1)
    # Darker than the cut: [greys + 1, 2].
    below = np.concatenate([np.zeros((1, 2), dtype=np.int64), counts.cumsum(axis=0)])
    dark, bright = (_quality_of_side(side, below[-1], metric) for side in (below, below[-1] - below))
    if bright.max() >= dark.max():
        return (greys >= bright.argmax()).astype(np.int64)
    return (greys < dark.argmax()).astype(np.int64)


def _quality_of_side(side: np.ndarray, total: np.ndarray, metric: str) -> Float[np.ndarray, " cuts"]:
    """The metric where all pixels of a side are called the second class; but for constants."""
    false, hits = side[:, 0], side[:, 1]
    if metric == "accuracy":
        return hits - false
    if metric == "balanced_accuracy":
        return hits / max(total[1], 1) - false / max(total[0], 1)
    return 2 * hits / (hits + false + total[1]).clip(min=1)

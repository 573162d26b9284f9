"""Boxes: the objects in an image, each with its class and place."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows
from handrail.data.stores.pixels.decode import crop
from handrail.data.task import TaskSpec
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.boxes import BoxOutcome, Objects
from handrail.layers.anchors import pairwise_iou
from handrail.shapes import BoxShape, ImageShape, InputShape
from handrail.tasks.masks import codes_of
from handrail.tasks.scoring import scores_of
from handrail.tasks.task import Baselines, Choice, Task, threshold_reason

_CANDIDATES = 600  # pairs of anchor and class of an image, by the highest scores
_MOST = 100  # boxes an image
_LEAST = 0.01  # score: what most anchors begin with
_OVERLAP = 0.5  # of two answers of a class that overlap more, the one of lower score is dropped
_VISIBLE = 0.25  # of an object's area: objects that are cropped further are no targets


class BoxTask(Task):
    """Scores and boxes of all anchors to objects.

    threshold: the score above which an object is shown and counted, chosen on validation images.
    """

    threshold: Tensor
    shape: ImageShape

    def __init__(self, spec: TaskSpec, shape: InputShape) -> None:
        assert isinstance(shape, ImageShape), "boxes are in images"
        super().__init__(spec, shape)
        self.register_buffer("threshold", torch.tensor(0.5, dtype=torch.float64))

    @property
    def outputs(self) -> BoxShape:
        return BoxShape(len(self.spec.classes))

    def targets(self, part: Part) -> Float[Tensor, "rows most 5"]:
        """Class code (−1 for padding) and box of each object, in shares of the image as it was cropped.

        Objects without area are left out, and those of which less than a quarter is inside the crop.
        """
        truth, windows = self.truth(part), self.windows(part)
        corner, size = windows[truth.images, :2], windows[truth.images, 2:] - windows[truth.images, :2]
        whole = (truth.boxes - np.tile(corner, 2)) / np.tile(size, 2)
        boxes = whole.clip(0, 1)
        share = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) / (whole[:, 2:] - whole[:, :2]).prod(axis=1)
        visible = (share >= _VISIBLE) & (truth.codes < len(self.spec.classes))
        images, boxes, codes = truth.images[visible], boxes[visible], truth.codes[visible]
        place = np.arange(len(images)) - np.searchsorted(images, images)
        padded = np.zeros((len(part), int(place.max(initial=0)) + 1, 5), dtype=np.float32)
        padded[..., 0] = -1
        padded[images, place] = np.concatenate([codes[:, None], boxes], axis=1)
        return torch.from_numpy(padded)

    def forward(self, scores: Float[Tensor, "rows anchors numbers"]) -> Float[Tensor, "rows most 6"]:
        """The objects of each image by falling score; see `detect_boxes`."""
        return detect_boxes(scores)

    def settle(self, network: nn.Module, rows: Rows, part: Part, settings: Any) -> None:
        """Set the threshold: a number as given, else that with the best F1 on validation images."""
        self._why = threshold_reason(settings.threshold, best="F1 on validation images")
        if isinstance(settings.threshold, float | int):
            self.threshold.fill_(settings.threshold)
        else:
            self.threshold.fill_(self._outcome(self._answers(network, rows), part).best_cut())

    @property
    def decisions(self) -> dict[str, float]:
        return {"threshold": float(self.threshold)}

    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> Outcome:
        """Boxes in pixels of the original images, where objects outside the crop count too."""
        return self._outcome(self._answers(network, rows), part)

    def baselines(
        self, train: Part, part: Part, encoder: RowEncoder, choice: Choice | None = None
    ) -> Baselines:
        """usual boxes: the same in every image, where training images have theirs most often.

        The cut is a number as given, else that with the best F1 on validation images, as the network's.
        """
        usual = self._usual(train)
        outcome = self._outcome(usual.expand(len(part), -1, -1), part)
        if choice is not None and isinstance(choice.settings.threshold, float | int):
            return Baselines({"usual boxes": replace(outcome, cut=float(choice.settings.threshold))})
        rows = train if choice is None else choice.validation
        first = usual if choice is None or choice.train is train else self._usual(choice.train)
        cut = self._outcome(first.expand(len(rows), -1, -1), rows).best_cut()
        return Baselines({"usual boxes": replace(outcome, cut=cut)})

    def _usual(self, train: Part) -> Float[Tensor, "1 usual 6"]:
        return usual_boxes(self.targets(train), classes=len(self.spec.classes))

    def _answers(self, network: nn.Module, rows: Rows) -> Float[Tensor, "rows most 6"]:
        return torch.cat([self(scores).cpu() for scores in scores_of(network, rows)])

    def truth(self, part: Part) -> Objects:
        """The true objects of a part that have an area, in pixels of the original images."""
        name = self.spec.targets[0]
        store: Any = part.stores[name]
        code_of = codes_of(store.classes, self.spec.classes, unknown=len(self.spec.classes))
        pairs = [store.boxes(int(place)) for place in part.raw[name].to_numpy()]
        boxes = np.concatenate([np.zeros((0, 4)), *(boxes for boxes, _ in pairs)]).astype(np.float64)
        stored = np.concatenate([np.zeros(0, dtype=np.int64), *(codes for _, codes in pairs)])
        codes = code_of[stored.astype(np.int64)]
        images = np.repeat(np.arange(len(pairs)), [len(codes) for _, codes in pairs])
        real = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        return Objects(images[real], boxes[real], codes[real], np.ones(int(real.sum())))

    def windows(self, part: Part) -> Float[np.ndarray, "rows 4"]:
        """The crop of each original image that the network sees, in its pixels."""
        name = self.spec.targets[0]
        store: Any = part.stores[name]
        sizes = store.sizes[part.raw[name].to_numpy()].tolist()
        return np.array([crop((height, width), self.shape[1:]) for height, width in sizes], dtype=np.float64)

    def _outcome(self, answers: Float[Tensor, "rows most 6"], part: Part) -> BoxOutcome:
        """Answers in shares of the crops, as pixels of the original images, beside the truth."""
        windows, padded = self.windows(part), answers.double().numpy()
        images, place = np.nonzero(padded[..., 0] >= 0)
        chosen, window = padded[images, place], windows[images]
        boxes = np.tile(window[:, :2], 2) + chosen[:, 2:] * np.tile(window[:, 2:] - window[:, :2], 2)
        objects = Objects(images, boxes, chosen[:, 0].astype(np.int64), chosen[:, 1])
        return BoxOutcome(self.spec.classes, len(part), self.truth(part), objects, cut=float(self.threshold))


def detect_boxes(outputs: Float[Tensor, "rows anchors numbers"]) -> Float[Tensor, "rows most 6"]:
    """A detector's outputs as objects by falling score: class code (−1 for none), score, box.

    Boxes are in shares of the image.
    """
    scores = outputs[..., 8:].float().sigmoid()
    best, place = scores.flatten(1).topk(min(_CANDIDATES, scores[0].numel()), dim=1)  # [rows, candidates]
    codes, anchors = place % scores.shape[2], place // scores.shape[2]
    boxes = outputs[..., 4:8].float().gather(1, anchors.unsqueeze(2).expand(-1, -1, 4)).clamp(0, 1)
    selected = suppress(boxes, codes, overlap=_OVERLAP) & (best >= _LEAST)
    objects = torch.cat([codes.unsqueeze(2), best.unsqueeze(2), boxes], dim=2)
    objects = torch.where(selected.unsqueeze(2), objects, objects.new_tensor([-1.0, 0, 0, 0, 0, 0]))
    order = selected.int().argsort(dim=1, descending=True, stable=True)[:, :_MOST]
    return objects.gather(1, order.unsqueeze(2).expand(-1, -1, 6))


def suppress(
    boxes: Float[Tensor, "rows n 4"], codes: Int64[Tensor, "rows n"], *, overlap: float
) -> Bool[Tensor, "rows n"]:
    """Non-maximum suppression: which boxes overlap with no kept box of their class and of higher score.

    Arguments:
        boxes: of each row by falling score.
        overlap: intersection over union above which a box is dropped.

    Source: Felzenszwalb et al. 2010
    """
    duplicates = (pairwise_iou(boxes, boxes) > overlap) & (codes[:, :, None] == codes[:, None, :])
    duplicates = duplicates.triu(diagonal=1)  # [rows, higher score, lower score]
    kept = torch.ones_like(codes, dtype=torch.bool)
    for place in range(codes.shape[1]):
        kept &= ~(duplicates[:, place] & kept[:, place, None])
    return kept


def usual_boxes(targets: Float[Tensor, "rows most 5"], *, classes: int) -> Float[Tensor, "1 usual 6"]:
    """The most usual boxes of training images, in the form of answers.

    Of each class as many as an image has on average (at least one), at the centres of clusters of its boxes
    (k-means); a box's score is the share of training images where an object of its class overlaps it by half.

    Source: Lloyd 1982 (k-means)
    """
    from sklearn.cluster import KMeans

    usual = [torch.zeros(0, 6, dtype=torch.float64)]
    for code in range(classes):
        of_class = targets[..., 0] == code
        boxes = targets[of_class][:, 1:].double()
        distinct = len(torch.unique(boxes, dim=0))
        if not distinct:
            continue
        clusters = min(max(1, round(len(boxes) / len(targets))), distinct)
        centres = torch.from_numpy(KMeans(clusters, random_state=0).fit(boxes.numpy()).cluster_centers_)
        overlap = pairwise_iou(targets[..., 1:].double(), centres.expand(len(targets), -1, -1))
        share = ((overlap >= 0.5) & of_class.unsqueeze(2)).any(dim=1).double().mean(dim=0)
        codes = torch.full((clusters, 1), float(code), dtype=torch.float64)
        usual.append(torch.cat([codes, share[:, None], centres], dim=1))
    return torch.cat(usual).unsqueeze(0)

"""Boxes: the objects in an image, each with its class and place."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from handrail.data.rows import Rows
from handrail.data.stores.pixels.geometry import crop
from handrail.data.task import Task
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.boxes import BoxOutcome, Objects
from handrail.layers.anchors import pairwise_iou
from handrail.shapes import BoxShape, ImageShape, InputShape
from handrail.tasks.masks import codes_of
from handrail.tasks.scoring import scores_of
from handrail.tasks.task import Decoder

if TYPE_CHECKING:
    from handrail.data.dataset import Part
    from handrail.data.encoders.row_encoder import RowEncoder

_CANDIDATES = 600  # of all anchors and classes of an image, the surest
_MOST = 100  # boxes an image
_LEAST = 0.01  # surer than this: what most anchors begin with
_OVERLAP = 0.5  # of two answers of a class that overlap more, the less sure one is dropped
_VISIBLE = 0.25  # of an object's area: what is cut off further is not asked for in training


class BoxDecoder(Decoder):
    """Scores and boxes of all anchors to the objects that are there.

    threshold: the score from which an object is spoken of, chosen on validation images.
    """

    threshold: Tensor
    shape: ImageShape

    def __init__(self, task: Task, shape: InputShape) -> None:
        assert isinstance(shape, ImageShape), "boxes are in images"
        super().__init__(task, shape)
        self.register_buffer("threshold", torch.tensor(0.5, dtype=torch.float64))

    @property
    def outputs(self) -> BoxShape:
        """Objects of the task's classes."""
        return BoxShape(len(self.task.classes))

    def targets(self, part: "Part") -> Float[Tensor, "rows most 5"]:
        """Class code (−1 where there is no further object) and box of each object, in shares of the image as
        it was cut.

        Objects without area are left out, and those of which the cut has left less than a quarter.
        """
        truth, windows = self.truth(part), self.windows(part)
        corner, size = windows[truth.images, :2], windows[truth.images, 2:] - windows[truth.images, :2]
        whole = (truth.boxes - np.tile(corner, 2)) / np.tile(size, 2)
        boxes = whole.clip(0, 1)
        left = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) / (whole[:, 2:] - whole[:, :2]).prod(axis=1)
        kept = (left >= _VISIBLE) & (truth.codes < len(self.task.classes))
        images, boxes, codes = truth.images[kept], boxes[kept], truth.codes[kept]
        place = np.arange(len(images)) - np.searchsorted(images, images)
        padded = np.zeros((len(part), int(place.max(initial=0)) + 1, 5), dtype=np.float32)
        padded[..., 0] = -1
        padded[images, place] = np.concatenate([codes[:, None], boxes], axis=1)
        return torch.from_numpy(padded)

    def forward(self, scores: Float[Tensor, "rows anchors numbers"]) -> Float[Tensor, "rows most 6"]:
        """The objects of each image, the surest first: class code (−1 for none), score, box in shares of the
        image.
        """
        return found_boxes(scores)

    def settle(self, network: nn.Module, rows: Rows, part: "Part", settings: Any) -> None:
        """The score from which an object is spoken of: as given, else that with the best F1 on validation
        images.
        """
        if isinstance(settings.threshold, float | int):
            self.threshold.fill_(settings.threshold)
        else:
            self.threshold.fill_(self._beside(self._answers(network, rows), part).best_cut())

    @property
    def decisions(self) -> dict[str, float]:
        """The threshold."""
        return {"threshold": float(self.threshold)}

    def outcome(self, network: nn.Module, rows: Rows, part: "Part") -> Outcome:
        """The network's boxes beside the truth, in pixels of the original images: what the cut took away
        counts too.
        """
        return self._beside(self._answers(network, rows), part)

    def baselines(self, train: "Part", part: "Part", encoder: "RowEncoder") -> dict[str, Outcome]:
        """usual boxes: in every image the same ones, wherever the training images have theirs most often
        (`usual_boxes`).
        """
        usual = usual_boxes(self.targets(train), classes=len(self.task.classes))
        seen, asked = (self._beside(usual.expand(len(some), -1, -1), some) for some in (train, part))
        return {"usual boxes": replace(asked, cut=seen.best_cut())}

    def _answers(self, network: nn.Module, rows: Rows) -> Float[Tensor, "rows most 6"]:
        return torch.cat([self(scores).cpu() for scores in scores_of(network, rows)])

    def truth(self, part: "Part") -> Objects:
        """The true objects of a part with an area, in pixels of the original images."""
        name = self.task.targets[0]
        store: Any = part.stores[name]
        renamed = codes_of(store.classes, self.task.classes, unknown=len(self.task.classes))
        each = [store.boxes(int(place)) for place in part.raw[name].to_numpy()]
        boxes = np.concatenate([np.zeros((0, 4)), *(found for found, _ in each)]).astype(np.float64)
        codes = renamed[
            np.concatenate([np.zeros(0, dtype=np.int64), *(found for _, found in each)]).astype(np.int64)
        ]
        images = np.repeat(np.arange(len(each)), [len(found) for _, found in each])
        real = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        return Objects(images[real], boxes[real], codes[real], np.ones(int(real.sum())))

    def windows(self, part: "Part") -> Float[np.ndarray, "rows 4"]:
        """The part of each original image that the network sees, in its pixels."""
        name = self.task.targets[0]
        store: Any = part.stores[name]
        sizes = store.sizes[part.raw[name].to_numpy()]
        return np.array(
            [crop((int(height), int(width)), self.shape[1:]) for height, width in sizes], dtype=np.float64
        )

    def _beside(self, answers: Float[Tensor, "rows most 6"], part: "Part") -> BoxOutcome:
        """Answers in shares of what the network saw, as pixels of the original images, beside the truth."""
        windows, found = self.windows(part), answers.double().numpy()
        images, place = np.nonzero(found[..., 0] >= 0)
        chosen, window = found[images, place], windows[images]
        boxes = np.tile(window[:, :2], 2) + chosen[:, 2:] * np.tile(window[:, 2:] - window[:, :2], 2)
        objects = Objects(images, boxes, chosen[:, 0].astype(np.int64), chosen[:, 1])
        return BoxOutcome(self.task.classes, len(part), self.truth(part), objects, cut=float(self.threshold))


def found_boxes(outputs: Float[Tensor, "rows anchors numbers"]) -> Float[Tensor, "rows most 6"]:
    """A detector's outputs as objects, the surest first: class code (−1 for none), score, box in shares of
    the image.
    """
    scores = outputs[..., 8:].float().sigmoid()
    best, place = scores.flatten(1).topk(min(_CANDIDATES, scores[0].numel()), dim=1)  # [rows, candidates]
    codes, anchors = place % scores.shape[2], place // scores.shape[2]
    boxes = outputs[..., 4:8].float().gather(1, anchors.unsqueeze(2).expand(-1, -1, 4)).clamp(0, 1)
    kept = surest(boxes, codes, overlap=_OVERLAP) & (best >= _LEAST)
    found = torch.cat([codes.unsqueeze(2), best.unsqueeze(2), boxes], dim=2)
    found = torch.where(kept.unsqueeze(2), found, found.new_tensor([-1.0, 0, 0, 0, 0, 0]))
    order = kept.int().argsort(dim=1, descending=True, stable=True)[:, :_MOST]
    return found.gather(1, order.unsqueeze(2).expand(-1, -1, 6))


def surest(
    boxes: Float[Tensor, "rows n 4"], codes: Int64[Tensor, "rows n"], *, overlap: float
) -> Bool[Tensor, "rows n"]:
    """Non-maximum suppression: which boxes overlap with no surer one of their class that is kept itself.

    Arguments:
        boxes: of each row the surest first.
        overlap: intersection over union above which a box is dropped.

    Source: Felzenszwalb et al. 2010
    """
    rivals = (pairwise_iou(boxes, boxes) > overlap) & (codes[:, :, None] == codes[:, None, :])
    rivals = rivals.triu(diagonal=1)  # [rows, surer, less sure]
    kept = torch.ones_like(codes, dtype=torch.bool)
    for place in range(codes.shape[1]):
        kept &= ~(rivals[:, place] & kept[:, place, None])
    return kept


def usual_boxes(targets: Float[Tensor, "rows most 5"], *, classes: int) -> Float[Tensor, "1 found 6"]:
    """The boxes that training images have most often, in the form of answers.

    Of each class as many as an image has on average (at least one), at the centres of as many groups of its
    boxes (k-means); a box's score is the share of the training images in which an object of the class
    overlaps it by half.

    Source: Lloyd 1982 (k-means)
    """
    from sklearn.cluster import KMeans

    found = []
    for code in range(classes):
        mine = targets[..., 0] == code
        boxes = targets[mine][:, 1:].double()
        distinct = len(torch.unique(boxes, dim=0))
        if not distinct:
            continue
        groups = min(max(1, round(len(boxes) / len(targets))), distinct)
        centres = torch.from_numpy(KMeans(groups, random_state=0).fit(boxes.numpy()).cluster_centers_)
        hits = (
            pairwise_iou(targets[..., 1:].double(), centres.expand(len(targets), -1, -1)) >= 0.5
        ) & mine.unsqueeze(2)
        share = hits.any(dim=1).double().mean(dim=0)
        found.append(
            torch.cat(
                [torch.full((groups, 1), float(code), dtype=torch.float64), share[:, None], centres], dim=1
            )
        )
    return torch.cat([torch.zeros(0, 6, dtype=torch.float64), *found]).unsqueeze(0)

"""Clusters: which of several groups a row belongs to, without a target."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from handrail.components.pictures import Picture, Points
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows
from handrail.errors import DataError
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.clusters import ClusterOutcome
from handrail.evaluation.points.silhouettes import silhouettes
from handrail.layers.distances import squared_distances
from handrail.learning.kmeans import kmeans, nearest
from handrail.network import model_in
from handrail.shapes import NoTarget, numbers_in
from handrail.tasks.alone.points import label_codes, main_plane, points_before, points_of
from handrail.tasks.scoring import all_scores, device_of
from handrail.tasks.task import Answered, Baselines, Choice, Task

_SEED = 17
_REFITS, _MOST_ROWS = 10, 10_000  # resamples of training rows, and the rows of each
Finder = Callable[[Tensor, int, torch.Generator], Tensor]
_PLANE = "The rows in the plane of their two main components; what overlaps here may lie apart elsewhere."


class ClusterTask(Task):
    """Squared distances to the centres `[rows, clusters]` to the number of the nearest one.

    Baselines: one cluster around the mean of the training rows, and as many clusters around training rows
    that are drawn at random.
    """

    uses: ClassVar[tuple[str, ...]] = ("encode",)
    clusters = 1

    @property
    def outputs(self) -> NoTarget:
        return NoTarget("clusters")

    def targets(self, part: Part) -> Tensor:
        return part.target

    def forward(self, scores: Float[Tensor, "rows clusters"]) -> Int64[Tensor, " rows"]:
        return scores.argmin(dim=1)

    def settle(self, network: nn.Module, rows: Rows, part: Part, settings: Any) -> None:
        self.note_size(network)

    @torch.inference_mode()
    def note_size(self, network: nn.Module) -> None:
        """How many clusters there are."""
        row = torch.zeros(1, numbers_in(self.shape), device=device_of(network))
        self.clusters = model_in(network).eval()(row).shape[1]

    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> Outcome:
        return self._outcome(all_scores(network, rows).cpu(), points_of(network, rows), part)

    def _outcome(self, scores: Tensor, points: Tensor, part: Part) -> ClusterOutcome:
        nearest = scores.double().min(dim=1)
        codes = nearest.indices.numpy()
        labels, classes = label_codes(part, self.spec.label)
        return ClusterOutcome(
            codes,
            nearest.values.numpy(),
            points.double().square().sum(dim=1).numpy(),
            silhouettes(points.numpy(), codes),
            labels,
            classes,
        )

    def judge(
        self, outcome: Outcome, network: nn.Module, *, train: Part, part: Part, encoder: RowEncoder
    ) -> Outcome:
        """With the clusters that k-means, with as many centres, finds in resampled training rows."""
        assert isinstance(outcome, ClusterOutcome)
        return replace(outcome, again=self._again(*_points(encoder, train, part), find=_find_centres))

    def _again(self, known: Tensor, points: Tensor, *, find: Finder) -> np.ndarray | None:
        """The clusters of points by centres found in resamples of known ones; None for a single cluster."""
        if self.clusters < 2:
            return None
        codes = []
        for number in range(_REFITS):
            generator = torch.Generator().manual_seed(_SEED + number)
            drawn = torch.randint(len(known), (min(len(known), _MOST_ROWS),), generator=generator)
            try:
                centres = find(known[drawn], self.clusters, generator)
            except DataError:  # fewer different rows than clusters
                return None
            codes.append(nearest(points, centres).numpy())
        return np.stack(codes)

    def baselines(
        self, train: Part, part: Part, encoder: RowEncoder, choice: Choice | None = None
    ) -> Baselines:
        """One cluster, and centres at random training rows."""
        known, points = _points(encoder, train, part)
        drawn = _draw_centres(known, self.clusters, torch.Generator().manual_seed(_SEED))
        centres = {"one cluster": known.mean(dim=0, keepdim=True), "random centres": drawn}
        outcomes = {
            name: self._outcome(squared_distances(points, each), points, part)
            for name, each in centres.items()
        }
        again = self._again(known, points, find=_draw_centres)
        outcomes["random centres"] = replace(outcomes["random centres"], again=again)
        return Baselines(outcomes)

    def pictures(self, answered: Answered) -> list[Picture]:
        """The clusters, and the labels beside them, in the plane of the two main components."""
        network, outcome = answered.network, answered.outcome
        assert isinstance(outcome, ClusterOutcome)
        centres = getattr(model_in(network), "centres", None)
        plane, centres = main_plane(points_of(network, answered.rows), centres)
        names = tuple(f"cluster {code}" for code in range(self.clusters))
        axes = ("first main component", "second main component")
        shown = [Points("Clusters", plane, outcome.codes, names, _PLANE, centres, axes)]
        if outcome.labels is not None:
            note = "The same rows by their label, which no rule has seen."
            shown.append(Points("The label", plane, outcome.labels, outcome.classes, note, None, axes))
        return list(shown)

    def take_decisions(self, other: Task) -> None:
        """How many clusters there are."""
        assert isinstance(other, ClusterTask)
        self.clusters = other.clusters

    def facts(self) -> dict[str, Any]:
        return {"clusters": self.clusters}

    def restore(self, facts: dict[str, Any]) -> None:
        self.clusters = facts["clusters"]

    def columns(self, network: nn.Module, rows: Rows) -> dict[str, np.ndarray]:
        """Of new rows the number of the cluster and the distance to its centre, in encoded units."""
        nearest = all_scores(network, rows).min(dim=1)
        return {"cluster": nearest.indices.cpu().numpy(), "distance": nearest.values.sqrt().cpu().numpy()}


def _points(encoder: RowEncoder, train: Part, part: Part) -> tuple[Tensor, Tensor]:
    return points_before(encoder, train), points_before(encoder, part)


def _find_centres(rows: Tensor, clusters: int, generator: torch.Generator) -> Tensor:
    return kmeans(rows, clusters, generator).centres


def _draw_centres(rows: Tensor, clusters: int, generator: torch.Generator) -> Tensor:
    return rows[torch.randperm(len(rows), generator=generator)[:clusters]]

"""Lloyd's rule: each centre to the mean of the rows that are nearest to it."""

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.errors import RecipeError
from handrail.learning.kmeans import NearestSums, assign, seed_centres
from handrail.learning.rule import Batch, Measures, Rule, TrainingPlan, refuse_penalties
from handrail.learning.seeding import MOST_ROWS, sample_rows
from handrail.models.kmeans import KMeans
from handrail.network import model_in, model_inputs

_STILL = 1e-6  # of the largest number in a centre: what single precision cannot tell from none


@component("rule")
class Lloyd(Rule):
    """c_k ← mean of the rows whose nearest centre is c_k, once an epoch; so the inertia never rises.

    The centres begin at rows of a sample of the training rows, chosen by k-means++, or where those of another
    run ended (`transfer.start`). A centre without rows
    goes to the row that is farthest from its own. Training ends when no centre moves. Rows count by their
    weights where they have some. Of pictures that are cut into patches, each patch is a row.

    Raises: `RecipeError` for more clusters than training rows, and for penalties, which it does not follow.

    Source: Lloyd 1982; the beginning: Arthur & Vassilvitskii 2007
    """

    models: ClassVar[tuple[str, ...]] = ("kmeans", "patch_kmeans")

    def __init__(self) -> None:
        self.moved = float("inf")

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Place the centres, and begin the sums at zero."""
        refuse_penalties(plan, "lloyd")
        inner = model_in(model)
        assert isinstance(inner, KMeans)
        self.model, self.centres, clusters = inner, inner.centres, len(inner.centres)
        assert plan.rows is not None, "the engine gives a rule its rows"
        points = len(plan.rows) * inner.places
        if clusters > points:
            several = f" times the {inner.places:,} patches of each" if inner.places > 1 else ""
            raise RecipeError(
                f"{inner.setting}: found {clusters:,}, expected at most the number of training rows"
                f"{several}, {points:,}."
            )
        if not plan.begun:
            generator = torch.Generator().manual_seed(plan.seed)
            with torch.no_grad():
                rows = sample_rows(model, plan.rows, generator, most=MOST_ROWS // inner.places)
                inner.begin(rows)
                self.centres.copy_(seed_centres(inner.points(rows), clusters, generator))
        self._begin()

    def _begin(self) -> None:
        """Sums of the rows of each centre; the rows farthest from theirs, as many as centres."""
        self.own = NearestSums(self.centres)
        self.far = torch.zeros(0, self.centres.shape[1], device=self.centres.device)
        self.distances = torch.zeros(0, device=self.centres.device)

    @torch.no_grad()
    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """Add the rows of the batch to the sums of their centres."""
        rows, places = self.model.points(model_inputs(model, batch.inputs)), self.model.places
        codes, distances = assign(rows, self.centres)
        weights = batch.weights
        self.own.add(rows, codes, None if weights is None else weights.repeat_interleave(places))
        self._note_far(rows, distances)
        return {"loss": batch.mean(distances.view(-1, places).mean(dim=1) if places > 1 else distances)}

    def _note_far(self, rows: Float[Tensor, "rows width"], distances: Float[Tensor, " rows"]) -> None:
        most = min(len(self.centres), len(rows) + len(self.far))
        near = distances.topk(min(most, len(rows)))
        together = torch.cat([self.distances, near.values])
        self.distances, places = together.topk(most)
        self.far = torch.cat([self.far, rows[near.indices].float()])[places]

    @torch.no_grad()
    def end_epoch(self, model: nn.Module) -> None:
        """Move the centres."""
        before, empty = self.centres.detach().clone(), self.own.weights == 0
        means = self.own.sums / self.own.weights.clamp_min(1e-300).unsqueeze(1)
        self.centres.copy_(torch.where(empty.unsqueeze(1), before.double(), means))
        if count := int(empty.sum()):
            self.centres[empty] = self.far[:count].to(self.centres)
        scale = max(float(before.abs().max()), 1e-30)
        self.moved = float((self.centres - before).abs().max()) / scale
        self._begin()

    @property
    def finished(self) -> bool:
        return self.moved <= _STILL

    def state_dict(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("far", "distances", "moved")}
        return {**self.own.state_dict(), **own}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.moved = state["moved"]
        self.own.load_state_dict(state)
        for name in ("far", "distances"):
            setattr(self, name, state[name].to(self.centres.device))

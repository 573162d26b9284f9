"""Kohonen's rule: a row draws the nearest prototype towards itself, and those beside it on the map."""

from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Fraction, Positive, Share
from handrail.errors import RecipeError
from handrail.learning.kmeans import NearestSums, assign
from handrail.learning.principal_components import lay_plane
from handrail.learning.rule import Batch, Measures, Rule, TrainingPlan, refuse_penalties
from handrail.learning.seeding import sample_rows
from handrail.models.kohonen import KohonenMap
from handrail.network import model_in, model_inputs
from handrail.tools.words import plural

_SAMPLE = 10_000  # rows that say where prototypes begin
_NOTHING = 1e-300  # weight of all rows in a neighbourhood: below, a prototype stays
_RATES = 0.5, 0.2


@component("rule")
class Kohonen(Rule):
    """m_k ← Σ_i h(b_i, k)·x_i / Σ_i h(b_i, k) once an epoch, over all rows x_i with their nearest units b_i.

    `online` takes the rows one after the other instead: m_k ← m_k + η·h(b, k)·(x − m_k). The neighbourhood is
    h = exp(−d²/2σ²), with d the distance of two units on the map, or 1 up to d = σ (`bubble`). From the first
    epoch to the last, or row by row, σ falls by equal factors, and η too. A unit without rows lies between
    those around it; where its neighbourhood has none either, its prototype stays where it is.

    Rows count by their weights where they have some; `online`, one of weight 2 as if it came twice. That mode
    is computed on the processor, wherever the map lies.

    Arguments:
        mode: batch or online.
        neighbourhood: gaussian or bubble.
        radius: σ at first, in units of the map; `auto` is half its longer side.
        final_radius: σ at the end.
        learning_rate: η of `online` at first; None is 0.5.
        final_rate: η at the end, as a share of that at first; None is 0.2.
        start: where prototypes begin: on the plane of the two main components, or at training rows, both of
            10,000 rows at most.

    Raises: `RecipeError` for settings without effect, a final radius above the first one, and penalties,
    which it does not follow.

    Source: Kohonen 1982 (online), 2013 (batch)
    """

    models: ClassVar[tuple[str, ...]] = ("kohonen",)
    anneals: ClassVar[bool] = True

    def __init__(
        self,
        *,
        mode: Literal["batch", "online"] = "batch",
        neighbourhood: Literal["gaussian", "bubble"] = "gaussian",
        radius: Positive | Literal["auto"] = "auto",
        final_radius: Positive = 1.0,
        learning_rate: Share | None = None,
        final_rate: Fraction | None = None,
        start: Literal["plane", "rows"] = "plane",
    ) -> None:
        given = {"learning_rate": learning_rate, "final_rate": final_rate}
        if mode == "batch" and (idle := [name for name, value in given.items() if value is not None]):
            text = "has no effect in mode batch; leave it out, or set mode to online."
            raise RecipeError([f"learning.kohonen.{name}: {text}" for name in idle])
        self.online, self.bubble = mode == "online", neighbourhood == "bubble"
        self.radius, self.final_radius = radius, final_radius
        self.rate = _RATES[0] if learning_rate is None else learning_rate
        self.final_rate = _RATES[1] if final_rate is None else final_rate
        self.beginning = start

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Place the prototypes, and begin the sums at zero."""
        refuse_penalties(plan, "kohonen")
        inner = model_in(model)
        assert isinstance(inner, KohonenMap)
        assert plan.rows is not None, "the engine gives a rule its rows"
        self.grid, self.prototypes, self.count = inner.grid, inner.prototypes, len(plan.rows)
        longer = max(self.grid.height, self.grid.width) / 2
        self.first = max(longer, self.final_radius) if self.radius == "auto" else float(self.radius)
        if self.final_radius > self.first:
            raise RecipeError(
                f"learning.kohonen.final_radius: found {self.final_radius:g}, expected at most radius, "
                f"{self.first:g}."
            )
        if not plan.begun:
            generator = torch.Generator().manual_seed(plan.seed)
            rows = sample_rows(model, plan.rows, generator, most=_SAMPLE)
            with torch.no_grad():
                self.prototypes.copy_(self._begin_at(rows, generator))
        self.own, self.empty, self.taken = NearestSums(self.prototypes), 0, 0
        self.planned = plan.epochs * (self.count if self.online else 1)  # changes of the map

    def _begin_at(
        self, rows: Float[Tensor, "sample width"], generator: torch.Generator
    ) -> Float[Tensor, "units width"]:
        if self.beginning == "plane":
            return lay_plane(self.grid, rows)
        turns = -(-self.grid.units // len(rows))
        drawn = torch.cat([torch.randperm(len(rows), generator=generator) for _ in range(turns)])
        return rows[drawn[: self.grid.units].to(rows.device)]

    def _fallen(self, first: float, share: float, taken: Any) -> Any:
        """What falls by equal factors to a share of itself, after so many changes of the map."""
        return first * share ** np.minimum(1.0, taken / max(1, self.planned - 1))

    def _sigma(self, taken: Any) -> Any:
        return self._fallen(self.first, self.final_radius / self.first, taken)

    def _eta(self, taken: Any) -> Any:
        return self._fallen(self.rate, self.final_rate, taken)

    @property
    def learning_rate(self) -> float | None:
        return float(self._eta(self.taken)) if self.online else None

    @torch.no_grad()
    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """Gather the rows of the batch, or move the map by them one after the other."""
        rows = model_inputs(model, batch.inputs).flatten(1)
        if self.online:
            squares = self._follow(rows, batch.weights)
        else:
            codes, squares = assign(rows, self.prototypes)
            self.own.add(rows, codes, batch.weights)
        return {"loss": batch.mean(squares)}

    def _follow(
        self, rows: Float[Tensor, "rows width"], weights: Float[Tensor, " rows"] | None
    ) -> Float[Tensor, " rows"]:
        """Move the map row by row; the squared distance of each row before it was seen.

        In NumPy, whose calls cost least of a step that is over in microseconds.
        """
        prototypes, points = self.prototypes.detach().cpu().numpy(), rows.cpu().numpy()
        places = self.grid.places.float().numpy()
        steps = self.taken + np.arange(len(points))
        etas, sigmas = (each(steps).astype(np.float32) for each in (self._eta, self._sigma))
        codes, squares = np.empty(len(points), np.int64), np.empty(len(points), np.float32)
        for number, point in enumerate(points):
            gaps = point - prototypes
            lengths = np.einsum("kw,kw->k", gaps, gaps)
            codes[number] = best = lengths.argmin()
            squares[number] = lengths[best]
            moves = etas[number] * self._near(places, best, sigmas[number])
            if weights is not None:
                moves = 1 - (1 - moves) ** float(weights[number])
            gaps *= moves[:, None]
            prototypes += gaps
        self.taken += len(points)
        self.prototypes.copy_(torch.from_numpy(prototypes))
        self.own.weights += torch.from_numpy(np.bincount(codes, minlength=self.grid.units)).to(
            self.own.weights
        )
        return torch.from_numpy(squares).to(rows)

    def _near(
        self, places: Float[np.ndarray, "units 2"], best: np.intp, sigma: np.float32
    ) -> Float[np.ndarray, " units"]:
        """h between a unit and all."""
        gaps = places - places[best]
        squares = np.einsum("ka,ka->k", gaps, gaps)
        if self.bubble:
            return (squares <= sigma * sigma).astype(np.float32)
        return np.exp(squares * (np.float32(-0.5) / (sigma * sigma)))

    @torch.no_grad()
    def end_epoch(self, model: nn.Module) -> None:
        """Move the prototypes of a batch map; note how many units have no row."""
        if not self.online:
            sigma = float(self._sigma(self.taken))
            moved = [self._averages(units, squares, sigma) for units, squares in self.grid.pieces_apart()]
            self.prototypes.copy_(torch.cat(moved))
            self.taken += 1
        self.empty = int((self.own.weights == 0).sum())
        self.own.clear()

    def _averages(
        self, units: Int64[Tensor, " some"], squares: Float[Tensor, "some units"], sigma: float
    ) -> Float[Tensor, "some width"]:
        """For some units the mean of all rows by the neighbourhood, or where they are if no row is near."""
        near = (squares <= sigma**2).double() if self.bubble else torch.exp(squares * (-0.5 / sigma**2))
        near = near.to(self.own.sums.device)
        weights, sums = (near @ self.own.weights).unsqueeze(1), near @ self.own.sums
        if float(weights.min()) > _NOTHING:
            return sums / weights
        stay = self.prototypes[units.to(near.device)].double()
        return torch.where(weights > _NOTHING, sums / weights.clamp_min(_NOTHING), stay)

    def remark(self) -> str:
        """How many units no row belonged to, before the last change of the map."""
        if not self.empty:
            return ""
        units = self.grid.units
        more = f", which are more than the {plural(self.count, 'training row')}" if units > self.count else ""
        return f"; in its last epoch no training row belonged to {self.empty:,} of the {units:,} units{more}"

    def state_dict(self) -> dict[str, Any]:
        return {**self.own.state_dict(), "taken": self.taken, "empty": self.empty}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.own.load_state_dict(state)
        self.taken, self.empty = state["taken"], state["empty"]

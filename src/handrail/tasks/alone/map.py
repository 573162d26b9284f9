"""Maps: where on a grid of units a row belongs, so that rows alike lie near each other; without a target."""

from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from handrail.components.pictures import Picture
from handrail.data.columns.values import as_labels
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows
from handrail.data.task import TaskSpec
from handrail.errors import DataError
from handrail.evaluation.forms import NoInterval
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.map import MapOutcome, Ways, place_columns
from handrail.layers.grids import Grid
from handrail.learning.kmeans import kmeans, nearest, own_squares
from handrail.learning.principal_components import lay_plane
from handrail.models.kohonen import KohonenMap
from handrail.network import model_in
from handrail.shapes import InputShape, NoTarget
from handrail.tasks.alone.codes import ROWS_THEMSELVES, CodeTask
from handrail.tasks.alone.map_pictures import Labels, label_pictures, map_pictures, row_pictures
from handrail.tasks.alone.points import label_codes, points_before, points_of
from handrail.tasks.scoring import scores_of
from handrail.tasks.task import Answered, Baselines, Choice

_SEED, _MOST_ROWS = 17, 10_000  # of training rows that baselines are fitted on
_ALL_BESIDE = "on so small a map all units are neighbours"


class MapTask(CodeTask):
    """Squared distances to the prototypes `[rows, units]` to the number of the nearest unit.

    Maps are compared by the map error, in which both of what they are for count: prototypes near the rows,
    and neighbours that are alike. For prototypes without an order, k-means does better by the quantisation
    error alone, and an even grid by the topographic error alone.

    Baselines: the grid laid in the plane of the two main components, and k-means with as many centres, which
    lie on no map; beside the codes the rows themselves. They are fitted on 10,000 training rows at most.
    """

    uses: ClassVar[tuple[str, ...]] = ("encode",)

    def __init__(self, spec: TaskSpec, shape: InputShape) -> None:
        super().__init__(spec, shape)
        self.grid = Grid(1, 1)  # before there is a network

    @property
    def outputs(self) -> NoTarget:
        return NoTarget("map")

    def targets(self, part: Part) -> Tensor:
        return part.target

    def forward(self, scores: Float[Tensor, "rows units"]) -> Int64[Tensor, " rows"]:
        return scores.argmin(dim=1)

    def settle(self, network: nn.Module, rows: Rows, part: Part, settings: Any) -> None:
        self.settle_network(network)

    def settle_network(self, network: nn.Module) -> None:
        self.note_size(network)

    def note_size(self, network: nn.Module) -> None:
        """How many units there are, and on which grid."""
        self.grid = _map_in(network).grid

    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> Outcome:
        return self._outcome(_map_in(network), points_of(network, rows), part)

    @torch.no_grad()
    def _outcome(self, fitted: KohonenMap, points: Float[Tensor, "rows width"], part: Part) -> MapOutcome:
        device = fitted.prototypes.device
        two = [fitted(some.to(device)).topk(2, largest=False).indices for some in points.split(_MOST_ROWS)]
        first, second = torch.cat(two).cpu().unbind(dim=1)
        squares = own_squares(points.double(), first, fitted.prototypes.detach().cpu().double())
        units, pairs = fitted.grid.units, fitted.grid.neighbours.shape[1]
        torn = ~fitted.grid.adjoin(first, second).numpy()
        ways = Ways(
            fitted.way_lengths(first, second).numpy(),
            torn if pairs < units * (units - 1) else NoInterval(_ALL_BESIDE),
        )
        return self._measured(first, squares, points, part, ways=ways)

    def _measured(
        self,
        units: Int64[Tensor, " rows"],
        squares: Float[Tensor, " rows"],
        points: Float[Tensor, "rows width"],
        part: Part,
        *,
        ways: Ways | None = None,
        remark: str = "",
    ) -> MapOutcome:
        labels = None if self.spec.label is None else tuple(as_labels(part.raw[self.spec.label]).to_list())
        return MapOutcome(
            units.numpy(),
            squares.sqrt().numpy(),
            self.grid.width,
            ways,
            remark,
            lengths=points.double().square().sum(dim=1).numpy(),
            labels=labels,
        )

    def baselines(
        self, train: Part, part: Part, encoder: RowEncoder, choice: Choice | None = None
    ) -> Baselines:
        """The plane of the main components, and k-means."""
        known, points = points_before(encoder, train.sample), points_before(encoder, part)
        some, remark = known, ""
        if len(known) > _MOST_ROWS:
            generator = torch.Generator().manual_seed(_SEED)
            some = known[torch.randperm(len(known), generator=generator)[:_MOST_ROWS]]
            remark = f"fitted on {_MOST_ROWS:,} of {len(known):,} training rows"
        rows: Any = {"train": train, "part": part, "encoder": encoder}
        plane = self._plane(some)
        beside = self._outcome(plane, points, part)
        outcomes: dict[str, Outcome] = {"PCA grid": self.probed(beside, plane.encode, **rows)}
        left_out: dict[str, str] = {}
        try:
            no_map = f"given as many centres ({self.grid.units:,}), which lie on no map"
            remark = " and ".join(filter(None, (f"{no_map}: its quantisation error alone is known", remark)))
            outcomes["k-means"] = self._by_kmeans(some, points, part, remark)
        except DataError as error:
            left_out["k-means"] = f"left out: {str(error).removesuffix('.')}"
        if self.spec.label is not None:
            unknown = torch.full((len(points),), torch.nan)
            nowhere = self._measured(torch.zeros(len(points)).long(), unknown, points, part)
            outcomes[ROWS_THEMSELVES] = self.probed(nowhere, lambda points: points, **rows)
        return Baselines(outcomes, left_out=left_out)

    @torch.no_grad()
    def _plane(self, rows: Float[Tensor, "known width"]) -> KohonenMap:
        """The grid laid in the plane of the two main components of rows."""
        grid = self.grid
        plane = KohonenMap(
            rows.shape[1], self.outputs, height=grid.height, width=grid.width, grid=grid.form
        ).requires_grad_(False)
        plane.prototypes.copy_(lay_plane(grid, rows))
        return plane

    def _by_kmeans(self, known: Tensor, points: Tensor, part: Part, remark: str) -> MapOutcome:
        """Raises: `DataError` for fewer different rows than units."""
        centres = kmeans(known, self.grid.units, torch.Generator().manual_seed(_SEED)).centres
        codes = nearest(points, centres)
        squares = own_squares(points.double(), codes, centres.double())
        return self._measured(codes, squares, points, part, remark=remark)

    def pictures(self, answered: Answered) -> list[Picture]:
        """How many rows each unit has, of training rows and of these, and which label most of them have."""
        fitted, label = _map_in(answered.network), self.spec.label
        units = [
            _nearest(fitted, points_before(answered.encoder, answered.train.sample)),
            _nearest(fitted, points_of(answered.network, answered.rows)),
        ]
        shown: list[Picture] = [row_pictures(self.grid, units)]
        if label is None:
            return shown
        labels = [_labels(part, label) for part in (answered.train.sample, answered.part)]
        groups = [each for each in labels if each is not None]
        if len(groups) == len(labels) and any(names for _, names in groups):
            shown.append(label_pictures(self.grid, units, groups))
        return shown

    def network_pictures(self, network: nn.Module, encoder: RowEncoder) -> list[Picture]:
        """The U-matrix, and the planes of the columns, or the prototypes of pictures."""
        return map_pictures(_map_in(network), encoder)

    @property
    def reasons(self) -> dict[str, str]:
        """How large the map is, which the figures hang on."""
        grid = self.grid
        known = f"map: {grid.height:,} × {grid.width:,} units on a {grid.form} grid"
        return {"map": known} if grid.units > 1 else {}

    def facts(self) -> dict[str, Any]:
        return {"height": self.grid.height, "width": self.grid.width, "form": self.grid.form}

    def restore(self, facts: dict[str, Any]) -> None:
        self.grid = Grid(facts["height"], facts["width"], facts["form"])

    def columns(self, network: nn.Module, rows: Rows) -> dict[str, np.ndarray]:
        """Of new rows the place of the nearest unit on the map, and the distance to its prototype."""
        least = [scores.min(dim=1) for scores in scores_of(network, rows)]
        units = torch.cat([each.indices for each in least]).cpu().numpy()
        distances = torch.cat([each.values for each in least]).sqrt().cpu().numpy()
        return {**place_columns(units, self.grid.width), "distance": distances}


def _labels(part: Part, label: str) -> Labels | None:
    """As `label_codes`; −1 for all rows where none has a label, and None where they are not groups."""
    if part.raw[label].null_count() == len(part):
        return np.full(len(part), -1), ()
    codes, names = label_codes(part, label)
    return None if codes is None else (codes, names)


def _map_in(network: nn.Module) -> KohonenMap:
    inner = model_in(network)
    assert isinstance(inner, KohonenMap)
    return inner


def _nearest(fitted: KohonenMap, points: Float[Tensor, "rows width"]) -> Int64[Tensor, " rows"]:
    return nearest(points, fitted.prototypes.detach().cpu())

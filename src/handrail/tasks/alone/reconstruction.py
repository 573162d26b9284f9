"""Reconstruction: rows given back from a code, without a target."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components.pictures import Picture
from handrail.data.columns.values import as_labels
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import FlatRows, Rows, take
from handrail.data.task import TaskSpec
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.reconstruction import ReconstructionOutcome
from handrail.learning.principal_components import PrincipalComponents, principal_components
from handrail.shapes import InputShape, NoTarget, numbers_in
from handrail.tasks.alone.codes import ROWS_THEMSELVES, CodeTask, codes_of
from handrail.tasks.alone.points import front_of, mean_before, points_before, points_of
from handrail.tasks.alone.reconstruction_pictures import code_map, reconstruction_pictures, shown_rows
from handrail.tasks.scoring import all_scores
from handrail.tasks.task import Answered, Baselines, Choice
from handrail.tools.words import plural

Reconstruct = Callable[[np.ndarray], np.ndarray]


class ReconstructionTask(CodeTask):
    """Reconstructions `[rows, width]` of rows as the model is given them, beside the rows.

    The target of a row is the row itself, as the model is given it: encoded, standardised and flat. A missing
    number counts as what it was filled with, and the column that says so is reconstructed like any other.

    Baselines: the main components of the training rows, as many as the code has numbers, and their mean;
    beside the codes the rows themselves.
    """

    uses: ClassVar[tuple[str, ...]] = ("encode", "reconstruct", "interpolate", "score")
    score_name: ClassVar[str] = "reconstruction_error"
    score_sign: ClassVar[int] = -1
    mean: Tensor

    def __init__(self, spec: TaskSpec, shape: InputShape) -> None:
        super().__init__(spec, shape)
        self.register_buffer("mean", torch.zeros(numbers_in(shape), dtype=torch.float64))
        self.code = 0  # numbers in the code; 0 before there is a network

    def fit(self, part: Part, encoder: RowEncoder) -> None:
        """Learn the mean row, about which variance is measured."""
        front = encoder.front()
        if front is None or not any(parameter.requires_grad for parameter in front.parameters()):
            self.mean.copy_(mean_before(encoder, part.sample))

    @property
    def outputs(self) -> NoTarget:
        return NoTarget("reconstruction")

    def row_targets(self, rows: Rows, encoder: RowEncoder) -> Rows:
        """The rows themselves, as the model is given them."""
        return rows if encoder.front() is None else FlatRows(rows, front_of(encoder))

    def forward(self, scores: Float[Tensor, "rows width"]) -> Float[Tensor, "rows width"]:
        return scores

    def settle(self, network: nn.Module, rows: Rows, part: Part, settings: Any) -> None:
        self.settle_network(network)
        self.note_scores(network, points_of(network, rows))

    def settle_network(self, network: nn.Module) -> None:
        self.note_size(network)

    def note_size(self, network: nn.Module) -> None:
        """How many numbers the code has."""
        self.code = codes_of(network, torch.zeros(1, len(self.mean))).shape[1]

    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> Outcome:
        points = points_of(network, rows).numpy()
        return self._outcome(all_scores(network, rows).cpu().numpy(), points, part)

    def _outcome(
        self, answers: np.ndarray, points: np.ndarray, part: Part, remark: str = ""
    ) -> ReconstructionOutcome:
        labels = None if self.spec.label is None else tuple(as_labels(part.raw[self.spec.label]).to_list())
        return ReconstructionOutcome(
            _mean_square(answers, points),
            _mean_square(points, self.mean.cpu().numpy()),
            remark,
            lengths=np.square(points, dtype=np.float64).sum(axis=1),
            labels=labels,
        )

    def baselines(
        self, train: Part, part: Part, encoder: RowEncoder, choice: Choice | None = None
    ) -> Baselines:
        """The main components, and the mean row; without a network, the size of the code is not known."""
        points = points_before(encoder, part).numpy()
        mean = self.mean.cpu().numpy()
        rows: Any = {"train": train, "part": part, "encoder": encoder}
        outcomes: dict[str, Outcome] = {}
        if self.code:
            plane = self._plane(train, encoder)
            outcome = self._outcome(plane.reconstruct(points), points, part, plane.remark)
            outcomes["PCA"] = self.probed(
                outcome, lambda points: torch.from_numpy(plane.encode(points.numpy())), **rows
            )
        outcomes["mean row"] = self._outcome(np.broadcast_to(mean, points.shape), points, part)
        if self.code and self.spec.label is not None:
            unknown = self._outcome(np.full(points.shape, np.nan), points, part)
            outcomes[ROWS_THEMSELVES] = self.probed(unknown, lambda points: points, **rows)
        left_out = {} if self.code else {"PCA": "left out: the size of the code is not known"}
        return Baselines(outcomes, left_out=left_out)

    def _plane(self, train: Part, encoder: RowEncoder) -> PrincipalComponents:
        return principal_components(points_before(encoder, train.sample).numpy(), self.code)

    def pictures(self, answered: Answered) -> list[Picture]:
        """Some rows beside their reconstructions and those of the main components; a map of the codes."""
        network, rows = answered.network, answered.rows
        points, chosen = points_of(network, rows), shown_rows(answered.outcome.errors())
        plane = self._plane(answered.train, answered.encoder)
        beside = torch.stack(
            [
                points[chosen],
                all_scores(network, take(rows, torch.from_numpy(chosen))).cpu().float(),
                torch.from_numpy(plane.reconstruct(points[chosen].numpy())).float(),
            ],
            dim=1,
        )  # [rows, 3, width]
        return [
            *reconstruction_pictures(beside, self.shape),
            code_map(network, points, answered.part, self.spec.label),
        ]

    @property
    def reasons(self) -> dict[str, str]:
        """How large the code is, which the figures hang on."""
        size = plural(self.code, "number")
        return {"code": f"code: {size} for a row of {len(self.mean):,}"} if self.code else {}

    def facts(self) -> dict[str, Any]:
        return {"code": self.code, "held_out": self.held_out}

    def restore(self, facts: dict[str, Any]) -> None:
        self.code, self.held_out = facts["code"], facts.get("held_out", [])

    def columns(self, network: nn.Module, rows: Rows) -> dict[str, np.ndarray]:
        """Of new rows the mean squared error of the reconstruction, large where a row is unlike the rest."""
        answers = all_scores(network, rows).cpu().numpy()
        return {"reconstruction_error": _mean_square(answers, points_of(network, rows).numpy())}


def _mean_square(
    rows: Float[np.ndarray, "rows width"], others: Float[np.ndarray, "*rows width"]
) -> Float[np.ndarray, " rows"]:
    """The mean of the squared differences over the numbers of each row."""
    return np.square(rows.astype(np.float64) - others).mean(axis=1)

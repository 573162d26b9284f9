"""Density: how likely rows are, without a target."""

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
from handrail.data.rows import Rows
from handrail.data.task import TaskSpec
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.density import DensityOutcome
from handrail.layers.energy_model import EnergyModel
from handrail.models.annealing import base_biases, log_z
from handrail.network import model_in, models_in
from handrail.shapes import InputShape, NoTarget, numbers_in
from handrail.tasks.alone.codes import ROWS_THEMSELVES, CodeTask, reconstructions_of
from handrail.tasks.alone.points import points_before, points_of
from handrail.tasks.alone.reconstruction_pictures import reconstruction_pictures, shown_rows
from handrail.tasks.baselines.densities import (
    chow_liu,
    full_gaussian,
    independent_bernoulli,
    independent_gaussian,
)
from handrail.tasks.scoring import all_scores
from handrail.tasks.task import Answered, Baselines, Choice, Task
from handrail.tasks.uses import uses_of

Fitted = Callable[[np.ndarray, np.ndarray], np.ndarray]
_BASELINES: dict[str, dict[str, Fitted]] = {
    "binary": {"independent columns": independent_bernoulli, "Chow–Liu tree": chow_liu},
    "gaussian": {"independent columns": independent_gaussian, "Gaussian": full_gaussian},
}


class DensityTask(CodeTask):
    """Figures of a row `[rows, figures]` to the first, log p(x) in nats.

    The constant log Z of a network is a fact of its weights, found once when it is settled: exactly where
    the states of few enough binary units have to be summed over, else by annealed importance sampling. Of 0/1
    columns the density is a probability; values between 0 and 1 stand for the probability of 1.

    Baselines: independent columns, and a Chow–Liu tree or, for real values, a Gaussian; beside the codes the
    rows themselves.
    """

    uses: ClassVar[tuple[str, ...]] = ("score", "generate", "reconstruct", "encode")
    base: Tensor

    def __init__(self, spec: TaskSpec, shape: InputShape) -> None:
        super().__init__(spec, shape)
        self.register_buffer("base", torch.zeros(numbers_in(shape)))
        self.kind, self.told = "binary", ""

    @property
    def outputs(self) -> NoTarget:
        return NoTarget("density")

    def targets(self, part: Part) -> Tensor:
        return part.target

    def forward(self, scores: Float[Tensor, "rows figures"]) -> Float[Tensor, " rows"]:
        return scores[:, 0]

    def settle(self, network: nn.Module, rows: Rows, part: Part, settings: Any) -> None:
        """Find log Z; chains begin at independent columns with the means of these rows."""
        self.settle_points(network, points_of(network, rows))

    def settle_points(self, network: nn.Module, points: Float[Tensor, "rows width"]) -> None:
        """As `settle`, for rows as the model is given them."""
        machine = _machine(network)
        self.kind = machine.visible
        self.base.copy_(base_biases(points, machine.visible))
        self.settle_network(network)

    def settle_network(self, network: nn.Module) -> None:
        for each in models_in(network):
            machine = _machine(each)
            found = log_z(machine, self.base)
            machine.log_z.fill_(found.value)
            machine.log_z_error.fill_(found.error)
            if machine is model_in(network):
                error = f", standard error {found.error:.2g}" if found.error else ""
                self.told = f"log Z = {found.value:.2f}{error} ({found.method})"

    @property
    def reasons(self) -> dict[str, str]:
        """The constant, its error, and how it was found."""
        return {"log_z": self.told} if self.told else {}

    def take_decisions(self, other: Task) -> None:
        """Where chains begin; log Z is the network's own (`settle_network`)."""
        assert isinstance(other, DensityTask)
        self.base.copy_(other.base)
        self.kind = other.kind

    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> Outcome:
        log_densities = self(all_scores(network, rows).cpu())
        return self._outcome(log_densities.numpy(), points_of(network, rows).numpy(), part)

    def _outcome(self, log_densities: np.ndarray, points: np.ndarray, part: Part) -> DensityOutcome:
        labels = None if self.spec.label is None else tuple(as_labels(part.raw[self.spec.label]).to_list())
        lengths = np.square(points, dtype=np.float64).sum(axis=1)
        return DensityOutcome(log_densities.astype(np.float64), lengths=lengths, labels=labels)

    def baselines(
        self, train: Part, part: Part, encoder: RowEncoder, choice: Choice | None = None
    ) -> Baselines:
        known, points = (points_before(encoder, each).double().numpy() for each in (train, part))
        outcomes: dict[str, Outcome] = {}
        left_out: dict[str, str] = {}
        for name, fitted in _BASELINES[self.kind].items():
            try:
                outcomes[name] = self._outcome(fitted(known, points), points, part)
            except (ValueError, np.linalg.LinAlgError) as error:
                left_out[name] = f"not fitted: {error}"
        if self.spec.label is not None:
            unknown = self._outcome(np.full(len(points), np.nan), points, part)
            outcomes[ROWS_THEMSELVES] = self.probed(
                unknown, lambda rows: rows, train=train, part=part, encoder=encoder
            )
        return Baselines(outcomes, left_out=left_out)

    def pictures(self, answered: Answered) -> list[Picture]:
        """Some rows beside their reconstructions, where the model gives some."""
        if "reconstruct" not in uses_of(self, answered.network):
            return []
        points = points_of(answered.network, answered.rows)
        given = reconstructions_of(answered.network, points)
        chosen = shown_rows((given - points).square().mean(dim=1).numpy())
        return reconstruction_pictures(torch.stack([points, given], dim=1)[chosen], self.shape)

    def facts(self) -> dict[str, Any]:
        return {"kind": self.kind, "told": self.told}

    def restore(self, facts: dict[str, Any]) -> None:
        self.kind, self.told = facts["kind"], facts["told"]

    def columns(self, network: nn.Module, rows: Rows) -> dict[str, np.ndarray]:
        """Of new rows log p(x), in nats, in encoded units."""
        return {"log_density": self(all_scores(network, rows)).cpu().numpy()}


def _machine(network: nn.Module) -> EnergyModel:
    machine = model_in(network)
    assert isinstance(machine, EnergyModel)
    return machine

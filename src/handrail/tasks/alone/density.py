"""Density: how likely rows are, without a target."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components.pictures import Picture, Tiles
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
from handrail.shapes import ImageShape, InputShape, NoTarget, TableShape, numbers_in
from handrail.tasks.alone.codes import ROWS_THEMSELVES, CodeTask, reconstructions_of
from handrail.tasks.alone.points import as_pictures, points_before, points_of, sketch_of
from handrail.tasks.alone.reconstruction_pictures import code_map, reconstruction_pictures, shown_rows
from handrail.tasks.baselines.densities import (
    chow_liu,
    full_gaussian,
    independent_bernoulli,
    independent_columns,
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
_DRAWN = 48  # rows that are shown


class DensityTask(CodeTask):
    """Figures of a row `[rows, figures]` to the first, log p(x) in nats.

    The constant log Z of an energy is a fact of its weights, found once when the network is settled: exactly
    where the states of few enough binary units have to be summed over, else by annealed importance sampling.
    Other models settle by themselves, and say as `told` what their figures are: exact, or a bound. Of 0/1
    columns and categories the density is a probability; values between 0 and 1 are probabilities of 1.

    Baselines: independent columns, and a Chow–Liu tree or, for real values, a Gaussian; beside the codes the
    rows themselves.
    """

    uses: ClassVar[tuple[str, ...]] = ("score", "generate", "fill", "reconstruct", "encode", "interpolate")
    score_name: ClassVar[str] = "log_density"
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
        points = points_of(network, rows)
        self.settle_points(network, points)
        self.note_scores(network, points)

    def settle_points(self, network: nn.Module, points: Float[Tensor, "rows width"]) -> None:
        """As `settle`, for rows as the model is given them."""
        model: Any = model_in(network)
        self.kind = model.visible
        if isinstance(model, EnergyModel):
            self.base.copy_(base_biases(points, model.visible))
        self.settle_network(network)

    def settle_network(self, network: nn.Module) -> None:
        self.told = getattr(model_in(network), "told", "")
        for each in models_in(network):
            machine: Any = model_in(each)
            if not isinstance(machine, EnergyModel):
                machine.settle()
                continue
            found = log_z(machine, self.base)
            machine.log_z.fill_(found.value)
            machine.log_z_error.fill_(found.error)
            if machine is model_in(network):
                error = f", standard error {found.error:.2g}" if found.error else ""
                self.told = f"log Z = {found.value:.2f}{error} ({found.method})"

    @property
    def reasons(self) -> dict[str, str]:
        """The constant, its error, and how it was found; or what the figures are instead."""
        return {"density": self.told} if self.told else {}

    def take_decisions(self, other: Task) -> None:
        """Where chains begin; log Z is the network's own (`settle_network`)."""
        assert isinstance(other, DensityTask)
        self.base.copy_(other.base)
        self.kind, self.held_out = other.kind, other.held_out

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
        known, points = (points_before(encoder, each).double().numpy() for each in (train.sample, part))
        outcomes: dict[str, Outcome] = {}
        left_out: dict[str, str] = {}
        for name, fitted in self._fitted().items():
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

    def _fitted(self) -> dict[str, Fitted]:
        """The simple densities of numbers of this kind."""
        if self.kind == "mixed" and isinstance(self.shape, TableShape):
            return {"independent columns": independent_columns(self.shape)}
        return _BASELINES[self.kind]

    def pictures(self, answered: Answered) -> list[Picture]:
        """What the model gives of it: rows beside their reconstructions, the codes, rows that it draws."""
        network, uses = answered.network, uses_of(self, answered.network)
        shown: list[Picture] = []
        points = points_of(network, answered.rows)
        if "reconstruct" in uses:
            given = reconstructions_of(network, points)
            chosen = shown_rows((given - points).square().mean(dim=1).numpy())
            shown += reconstruction_pictures(torch.stack([points, given], dim=1)[chosen], self.shape)
        if "interpolate" in uses:
            shown.append(code_map(network, points, answered.part, self.spec.label))
        if self._draws_quickly(network) and isinstance(self.shape, ImageShape):
            shown.append(self._drawn(network))
        return shown

    def _draws_quickly(self, network: nn.Module) -> bool:
        """Chains take longer than a report should."""
        by_chains = isinstance(model_in(network), EnergyModel)
        return "generate" in uses_of(self, network) and not by_chains

    def sketch(self, network: nn.Module) -> Float[Tensor, "rows width"] | None:
        return sketch_of(network, self.shape) if self._draws_quickly(network) else None

    @torch.inference_mode()
    def _drawn(self, network: nn.Module) -> Tiles:
        model: Any = model_in(network).eval()
        generator = torch.Generator().manual_seed(0)
        drawn = model.generate(_DRAWN, means=True, generator=generator).cpu()
        note = "Drawn from the model; where each pixel has a law of its own in the end, its mean is shown."
        return Tiles("New rows", as_pictures(drawn, self.shape), note=note)

    def facts(self) -> dict[str, Any]:
        return {"kind": self.kind, "told": self.told, "held_out": self.held_out}

    def restore(self, facts: dict[str, Any]) -> None:
        self.kind, self.told = facts["kind"], facts["told"]
        self.held_out = facts.get("held_out", [])

    def columns(self, network: nn.Module, rows: Rows) -> dict[str, np.ndarray]:
        """Of new rows log p(x), in nats, in encoded units."""
        return {"log_density": self(all_scores(network, rows)).cpu().numpy()}

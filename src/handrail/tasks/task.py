"""The interface of a task: what it asks of the network, in training and in use."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Float, Int64
from torch import Tensor, nn

from handrail.components.pictures import Picture
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows, Values
from handrail.data.task import TaskSpec
from handrail.evaluation.outcomes import Outcome
from handrail.network import model_in
from handrail.shapes import InputShape, OutputShape

_METRICS = {"f1": "F1", "accuracy": "accuracy", "balanced_accuracy": "balanced accuracy"}


def threshold_reason(setting: Any, *, best: str) -> str:
    """How a threshold is chosen: `best` names what `auto` looks for, and on which rows."""
    if isinstance(setting, float | int):
        return "as evaluation.threshold says"
    what, _, where = best.partition(" on ")
    return f"the best {what if setting == 'auto' else _METRICS[setting]} on {where}"


class Baselines(dict[str, Outcome]):
    """The answers of baselines by name.

    Arguments:
        left_out: the baselines that were not fitted, and why.
        limits: those that show how far figures can go, and are no rivals of the network.
    """

    def __init__(
        self,
        outcomes: Mapping[str, Outcome],
        *,
        left_out: Mapping[str, str] | None = None,
        limits: Collection[str] = (),
    ) -> None:
        super().__init__(outcomes)
        self.left_out, self.limits = dict(left_out or {}), frozenset(limits)

    @property
    def rivals(self) -> dict[str, Outcome]:
        """Those that the network is compared with."""
        return {name: other for name, other in self.items() if name not in self.limits}

    @property
    def remarks(self) -> dict[str, str]:
        """What has to be said of them."""
        return {name: other.remark for name, other in self.items() if other.remark} | self.left_out


@dataclass(frozen=True)
class Choice:
    """The rows on which baselines choose what the network chose on validation rows: temperature, threshold.

    Arguments:
        train: what the network was trained on when it chose; baselines are then fitted on the same rows.
        validation: where it chose.
        encoder: fitted on `train`.
        settings: the recipe's `evaluation`.
        held_out: whether the rows that are measured are those that thresholds are chosen on, and each row is
            to be decided by a threshold that was chosen without it.
        seconds: of nominal work that a baseline may take; see `handrail.tasks.baselines.nominal_seconds`.
    """

    train: Part
    validation: Part
    encoder: RowEncoder
    settings: Any
    held_out: bool = False
    seconds: float = 60.0


@dataclass(frozen=True)
class Answered:
    """A part and the answers for it, for whoever draws them.

    Arguments:
        rows: the encoded rows of the part.
        outcome: the answers of the network.
        train: the rows that it was trained on, for what is shown of baselines.
    """

    network: nn.Module
    rows: Rows
    part: Part
    outcome: Outcome
    train: Part
    encoder: RowEncoder


class Task(nn.Module):
    """The last layer of the pipeline, and the task's side of training.

    Its buffers (a temperature, a scale) are saved with the pipeline; other learned values are in `facts`.

    Arguments:
        spec: name, targets and classes.
        shape: of the rows as the model takes them.
    """

    joins: ClassVar[bool] = False
    "Whether the answers of several networks have a mean."
    uses: ClassVar[tuple[str, ...]] = ()
    "What a network can do besides answering; see `handrail.tasks.uses`."

    def __init__(self, spec: TaskSpec, shape: InputShape) -> None:
        super().__init__()
        self.spec, self.shape = spec, shape
        self._why = ""  # how the threshold was chosen, where there is one

    def fit(self, part: Part, encoder: RowEncoder) -> None:
        """Learn from training rows what targets and figures need: a scale, a vocabulary, a mean row."""

    @property
    def outputs(self) -> OutputShape:
        """What the network has to return for inputs of `shape`."""
        raise NotImplementedError

    def targets(self, part: Part) -> Rows:
        """The targets of a part's rows as the loss takes them."""
        raise NotImplementedError

    def row_targets(self, rows: Rows, encoder: RowEncoder) -> Rows | None:
        """The targets that encoded rows are by themselves; None where they stand elsewhere, in `targets`."""
        return None

    def training_data(self, rows: Rows, part: Part, encoder: RowEncoder) -> tuple[Rows, Rows]:
        """Inputs and targets for training; by default the encoded rows are the inputs."""
        own = self.row_targets(rows, encoder)
        return rows, self.targets(part) if own is None else own

    def in_use(self, network: nn.Module) -> nn.Module:
        """What gives the scores of answers: by default the network, once."""
        return network

    def forward(self, scores: Any) -> Any:
        """The answers for a batch from the scores."""
        raise NotImplementedError

    def columns(self, network: nn.Module, rows: Rows) -> dict[str, Any]:
        """Of a task without a target, the answers for encoded rows as columns of the table of predictions."""
        raise NotImplementedError

    def join_scores(self, scores: Sequence[Tensor]) -> Tensor:
        """Scores whose answers are the mean of the answers of several networks."""
        raise NotImplementedError

    def batch_metrics(self, scores: Any, targets: Values) -> dict[str, tuple[float, float]]:
        """Quick metrics of a batch in training: {name: (sum, weight)}, added over batches, then divided."""
        return {}

    def class_counts(self, part: Part) -> Int64[Tensor, " classes"]:
        """How many rows, or pixels, of a part each class has."""
        raise NotImplementedError

    def weigh(self, weights: Float[Tensor, " classes"] | None) -> None:
        """Note how much each class counted in training; None where all counted alike."""

    def settle(self, network: nn.Module, rows: Rows, part: Part, settings: Any) -> None:
        """Choose temperature and threshold on validation rows.

        Arguments:
            rows: the encoded rows of the part.
            settings: the recipe's `evaluation`.
        """

    def settle_network(self, network: nn.Module) -> None:
        """Find what follows from the fitted network alone, such as the constant of its density."""

    def note_size(self, network: nn.Module) -> None:
        """Note what baselines take over from a network, fitted or not: how many clusters, how long a code."""

    @property
    def decisions(self) -> dict[str, float]:
        """What was chosen on validation rows."""
        return {}

    @property
    def reasons(self) -> dict[str, str]:
        """How each of the `decisions` was chosen, where there is more than one way."""
        return {"threshold": self._why} if self._why else {}

    def take_decisions(self, other: "Task") -> None:
        """Decide as another task of the same kind does, which was settled on validation rows."""
        mine, theirs = dict(self.named_buffers()), dict(other.named_buffers())
        for name in mine.keys() & {"temperature", "threshold"}:
            mine[name].copy_(theirs[name])
        self._why = other._why

    @property
    def fair_metric(self) -> str | None:
        """The metric to compare by, where it is not the task's main one."""
        return None

    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> Outcome:
        """The network's answers for a part, whose encoded rows are given, beside the truth."""
        raise NotImplementedError

    def judge(
        self, outcome: Outcome, network: nn.Module, *, train: Part, part: Part, encoder: RowEncoder
    ) -> Outcome:
        """An outcome for `part` with what takes a look at the training rows: what codes are worth, say."""
        return outcome

    def pictures(self, answered: Answered) -> list[Picture]:
        """What the report shows of a part besides."""
        return []

    def network_pictures(self, network: nn.Module, encoder: RowEncoder) -> list[Picture]:
        """What the report shows of the network itself: what its model shows by a method `pictures(shape)`."""
        model: Any = model_in(network)
        return list(model.pictures(encoder.shape)) if hasattr(model, "pictures") else []

    def sketch(self, network: nn.Module) -> Float[Tensor, "rows width"] | None:
        """Some rows that a network in training makes, always of the same noise; None where it makes none."""
        return None

    def held_out_outcome(self, network: nn.Module, rows: Rows, part: Part, settings: Any) -> Outcome:
        """As `settle` and `outcome` on the same rows, but no row is decided by a threshold that it chose."""
        self.settle(network, rows, part, settings)
        return self.outcome(network, rows, part)

    def baselines(
        self, train: Part, part: Part, encoder: RowEncoder, choice: Choice | None = None
    ) -> Baselines:
        """The answers for `part` of simple models fitted on the training rows.

        Arguments:
            choice: what they choose by, as the network did; without it the threshold is one half.
        """
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """Plain data that, with the buffers, restores this task."""
        return {"reasons": self.reasons} if "threshold" in dict(self.named_buffers()) else {}

    def restore(self, facts: dict[str, Any]) -> None:
        """Take over what `facts` returned."""
        self._why = facts.get("reasons", {}).get("threshold", "")

"""What a decoder promises: what a task asks of the network, in training and in use."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn

from handrail.data.rows import Rows, Values
from handrail.data.task import Task
from handrail.evaluation.outcomes import Outcome
from handrail.shapes import InputShape, OutputShape

if TYPE_CHECKING:
    from handrail.data.dataset import Part
    from handrail.data.encoders.row_encoder import RowEncoder


class Decoder(nn.Module):
    """The last layer of the pipeline, and the task's side of training.

    Its buffers (a temperature, a scale) are saved with the pipeline; what else it has learned stands in
    `facts`.

    Arguments:
        task: what is asked.
        shape: of the rows as the model takes them.
    """

    joins: ClassVar[bool] = False
    "Whether the answers of several networks have a mean."

    def __init__(self, task: Task, shape: InputShape) -> None:
        super().__init__()
        self.task, self.shape = task, shape

    def fit(self, part: "Part") -> None:
        """Learn from training rows what targets need: a scale, a vocabulary."""

    @property
    def outputs(self) -> OutputShape:
        """What the network has to give for inputs of `shape`."""
        raise NotImplementedError

    def targets(self, part: "Part") -> Rows:
        """The targets of a part's rows as the loss takes them."""
        raise NotImplementedError

    def lesson(self, rows: Rows, part: "Part", encoder: "RowEncoder") -> tuple[Rows, Rows]:
        """Inputs and targets for training; the inputs are the encoded rows where a task has no wish of its
        own.
        """
        return rows, self.targets(part)

    def forward(self, scores: Any) -> Any:
        """The network's scores for a batch as answers."""
        raise NotImplementedError

    def joined(self, scores: Sequence[Tensor]) -> Tensor:
        """The scores of several networks as those of one whose answers are the mean of theirs."""
        raise NotImplementedError

    def credit(self, scores: Any, targets: Values) -> dict[str, tuple[float, float]]:
        """Quick figures for a batch while training: {name: (sum, weight)}, to be added over the batches and
        divided.
        """
        return {}

    def settle(self, network: nn.Module, rows: Rows, part: "Part", settings: Any) -> None:
        """Choose on validation rows what is to be chosen: temperature, threshold.

        Arguments:
            rows: the encoded rows of the part.
            settings: the recipe's `evaluation`.
        """

    @property
    def decisions(self) -> dict[str, float]:
        """What was chosen on validation rows."""
        return {}

    @property
    def fair_metric(self) -> str | None:
        """The figure to compare by, where it is not the task's main one."""
        return None

    def outcome(self, network: nn.Module, rows: Rows, part: "Part") -> Outcome:
        """The network's answers for a part, whose encoded rows are given, beside the truth."""
        raise NotImplementedError

    def baselines(self, train: "Part", part: "Part", encoder: "RowEncoder") -> dict[str, Outcome]:
        """Simple rivals of the network, made from the training rows, and their answers for `part`."""
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """Plain data that, with the buffers, makes this decoder again."""
        return {}

    def restore(self, facts: dict[str, Any]) -> None:
        """Take back what `facts` said."""

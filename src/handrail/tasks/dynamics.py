"""Dynamics: a network that says the next step of a series, and goes on from its own answers."""

from typing import Any, Protocol, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.data.rows import TargetWindows
from handrail.network import answering_in, model_in, model_inputs
from handrail.tasks.values import ValueTask

Row = Float[Tensor, "rows channels"]


class DynamicsTask(ValueTask):
    """Values of the next `horizon` steps of each target: ŷ(t + 1) = f(y(t), y(t − 1) …), again and again.

    The network has an output a target, and learns the next step from what was measured. In use it hears its
    own answers in the place of what is not known yet; so errors grow as the system lets them.

    Source: Jaeger & Haas 2004
    """

    @property
    def outputs(self) -> int:
        return self.spec.outputs // self.spec.horizon

    def next_steps(self, targets: Float[Tensor, "rows outputs"] | TargetWindows) -> Any:
        """Of the targets the first step of each: what the network learns."""
        if isinstance(targets, Tensor):
            return targets[:, :: self.spec.horizon]
        return TargetWindows(targets.data, targets.starts, 1)

    def learn(self, targets: Float[Tensor, "rows outputs"] | TargetWindows) -> None:
        super().learn(self.next_steps(targets))

    def scale(self, targets: Float[Tensor, "rows outputs"] | TargetWindows) -> Tensor | TargetWindows:
        return super().scale(self.next_steps(targets))

    def in_use(self, network: nn.Module) -> nn.Module:
        return FreeRun(network, self)

    def forward(self, scores: Float[Tensor, "rows outputs steps"]) -> Float[Tensor, "rows answers"]:
        """The values, all steps of a target before those of the next."""
        values = scores.double() * self.spread.unsqueeze(1) + self.mean.unsqueeze(1)
        return values.flatten(1)

    def values(self, scores: Float[Tensor, "rows outputs"]) -> Float[Tensor, "rows outputs"]:
        """Of one step."""
        return super().forward(scores)


class FreeRun(nn.Module):
    """Scores `[rows, outputs, steps]` of a network that hears its own answers; of replicas, their mean.

    Arguments:
        network: gives the scores of the next step, and is given windows whose channels are the targets.
    """

    def __init__(self, network: nn.Module, task: DynamicsTask) -> None:
        super().__init__()
        self.network, self.task = network, task

    def forward(self, x: Float[Tensor, "rows channels length"]) -> Float[Tensor, "rows outputs steps"]:
        listeners = [_listen(each, x) for each in answering_in(self.network)]
        said: list[Tensor] = []
        while True:
            scores = [each.scores() for each in listeners]
            said.append(scores[0] if len(scores) == 1 else self.task.join_scores(scores))
            if len(said) == self.task.spec.horizon:
                return torch.stack(said, dim=2)
            answers = self.task.values(said[-1]).to(x.dtype)
            for each in listeners:
                each.hear(answers)


class Carrying(Protocol):
    """A model of series that carries a state from step to step, where `carries` says so.

    What it has heard is then longer than a window: all since the window began.
    """

    @property
    def carries(self) -> bool: ...

    def begin(self, x: Float[Tensor, "rows channels length"]) -> Any:
        """The state after a window."""

    def go_on(self, state: Any, x: Float[Tensor, "rows channels steps"]) -> Any:
        """The state after further steps."""

    def read(self, state: Any) -> Float[Tensor, "rows outputs"]:
        """The scores."""
        ...


class Listener(Protocol):
    """A network that has heard a window, and hears more."""

    def scores(self) -> Float[Tensor, "rows outputs"]:
        """Of the step that follows."""
        ...

    def hear(self, row: Row) -> None:
        """The step that followed."""
        ...


def _listen(network: nn.Module, x: Float[Tensor, "rows channels length"]) -> Listener:
    model = model_in(network)
    return _Carried(network, x) if getattr(model, "carries", False) else _Sliding(network, x)


class _Sliding:
    """A network that sees a window as long as ever: with each step the oldest is left out."""

    def __init__(self, network: nn.Module, x: Float[Tensor, "rows channels length"]) -> None:
        self.network, self.x = network, x

    def scores(self) -> Float[Tensor, "rows outputs"]:
        return self.network(self.x)

    def hear(self, row: Row) -> None:
        self.x = torch.cat([self.x[:, :, 1:], row.unsqueeze(2)], dim=2)


class _Carried:
    """A network whose model carries a state on (`begin`, `go_on`, `read`), and so need not begin anew."""

    def __init__(self, network: nn.Module, x: Float[Tensor, "rows channels length"]) -> None:
        self.network, self.model = network, cast("Carrying", model_in(network))
        self.state = self.model.begin(model_inputs(network, x))

    def scores(self) -> Float[Tensor, "rows outputs"]:
        return self.model.read(self.state)

    def hear(self, row: Row) -> None:
        self.state = self.model.go_on(self.state, model_inputs(self.network, row.unsqueeze(2)))

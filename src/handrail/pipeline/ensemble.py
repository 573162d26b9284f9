"""Replicas of one network that answer together, or of which one answers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

Joined = Callable[[Sequence[Tensor]], Tensor]


class Ensemble(nn.Module):
    """The joined scores of those replicas that answer; the scores themselves where only one does.

    Arguments:
        members: all replicas, also those that do not answer: the spread of figures is theirs.
        joined: scores of several networks as those of one; see `Decoder.joined`.
        answering: positions of those that answer; by default all.
    """

    def __init__(
        self, members: Sequence[nn.Module], joined: Joined, *, answering: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.joined = joined
        self.answering = tuple(range(len(members)) if answering is None else answering)

    def forward(self, inputs: Any) -> Any:
        """Scores for encoded rows."""
        scores = [self.members[position](inputs) for position in self.answering]
        return scores[0] if len(scores) == 1 else self.joined(scores)

    @contextmanager
    def only(self, answering: Sequence[int]) -> Iterator[None]:
        """While open, these answer."""
        before, self.answering = self.answering, tuple(answering)
        try:
            yield
        finally:
            self.answering = before


def replicas_of(network: nn.Module) -> list[nn.Module]:
    """The members of an ensemble; the network itself where there is only one."""
    return list(network.members) if isinstance(network, Ensemble) else [network]


def first_of(network: nn.Module) -> nn.Module:
    """The network to look into: of an ensemble the first that answers."""
    return network.members[network.answering[0]] if isinstance(network, Ensemble) else network

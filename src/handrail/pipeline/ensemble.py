"""Replicas of one network that answer together, or of which one answers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

JoinScores = Callable[[Sequence[Tensor]], Tensor]


class Ensemble(nn.Module):
    """The joint scores of the replicas that answer; the scores themselves where only one does.

    Arguments:
        members: all replicas, including those that do not answer: the spread of metrics is theirs.
        join_scores: makes one set of scores of several; see `Task.join_scores`.
        answering: positions of those that answer; by default all.
    """

    def __init__(
        self, members: Sequence[nn.Module], join_scores: JoinScores, *, answering: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.join_scores = join_scores
        self.answering = tuple(range(len(members)) if answering is None else answering)

    def forward(self, inputs: Any) -> Any:
        scores = [self.members[position](inputs) for position in self.answering]
        return scores[0] if len(scores) == 1 else self.join_scores(scores)

    @contextmanager
    def only(self, answering: Sequence[int]) -> Iterator[None]:
        """While open, only these answer."""
        before, self.answering = self.answering, tuple(answering)
        try:
            yield
        finally:
            self.answering = before


def join_replicas(
    members: Sequence[nn.Module], join_scores: JoinScores, *, answering: Sequence[int] | None = None
) -> nn.Module:
    """A single network as it is, several as an `Ensemble`."""
    return members[0] if len(members) == 1 else Ensemble(members, join_scores, answering=answering)


def replicas_of(network: nn.Module) -> list[nn.Module]:
    """The members of an ensemble; a single network by itself."""
    return list(network.members) if isinstance(network, Ensemble) else [network]


def first_of(network: nn.Module) -> nn.Module:
    """The network to look into: of an ensemble the first that answers."""
    return network.members[network.answering[0]] if isinstance(network, Ensemble) else network

"""What a run's files say of replicas, and the same in words: how many, what answers, how far training alone
moves a figure.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Found = Mapping[str, Any]
Write = Callable[[float | None], str]


@dataclass(frozen=True)
class Replicas:
    """The networks that one recipe trained from several seeds.

    Arguments:
        answering: numbers of those that answer.
        best: the number of the one with the lowest validation loss.
    """

    members: tuple[Found, ...]
    answering: tuple[int, ...]
    best: int
    figures: Mapping[str, Found]
    spread: Mapping[str, Mapping[str, float | None]]

    @property
    def sound(self) -> list[Found]:
        """Those that did not fail."""
        return [member for member in self.members if not member["failure"]]

    @property
    def joined(self) -> bool:
        """Whether several answer together."""
        return len(self.answering) > 1

    @property
    def answers(self) -> str:
        """What answers: `the ensemble`, `the ensemble of 3`, `replica 4`."""
        if not self.joined:
            return f"replica {self.answering[0]}"
        every = len(self.answering) == len(self.members)
        return "the ensemble" if every else f"the ensemble of the {len(self.answering)} others"

    @property
    def seeds(self) -> str:
        """`5 replicas (seeds differ), 1 of them failed`."""
        failed = len(self.members) - len(self.sound)
        return f"{len(self.members)} replicas (seeds differ){f', {failed} of them failed' if failed else ''}"

    def values(self, metric: str) -> list[float]:
        """A figure of each replica for which it is defined."""
        found = (member["metrics"].get(metric) for member in self.sound)
        return [value for value in found if value is not None]


def replicas_in(found: Found) -> Replicas | None:
    """Those of `validation.json` or `test.json`; nothing where one network was trained, or by a version
    without replicas.
    """
    told = found.get("replicas")
    if not told:
        return None
    return Replicas(
        tuple(told["members"]), tuple(told["answering"]), told["best"], told["figures"], told["spread"]
    )


def network_name(found: Found) -> str:
    """What the figures are those of: `network`, or `ensemble` where replicas answer together."""
    replicas = replicas_in(found)
    return "ensemble" if replicas and replicas.joined else "network"


def spread_line(replicas: Replicas, metric: str, label: str, write: Write) -> str:
    """A figure of the replicas, of their ensemble and of the best one, in a line.

    Arguments:
        label: the figure's name for readers.
        write: a value in digits.
    """
    return f"{replicas.seeds}: {label} {spread_words(replicas, metric, write)}; {beside(replicas, metric, write)}."


def spread_words(replicas: Replicas, metric: str, write: Write) -> str:
    """`0.9741 on average, 0.9704 to 0.9815, standard deviation 0.0045`."""
    found = replicas.spread.get(metric, {})
    if found.get("mean") is None:
        return "is not defined on these rows"
    if found["std"] is None:
        return write(found["mean"])
    return f"{write(found['mean'])} on average, {write(found['low'])} to {write(found['high'])}, standard deviation {write(found['std'])}"


def beside(replicas: Replicas, metric: str, write: Write) -> str:
    """The ensemble and the best one, and which of them answers."""
    best = f"replica {replicas.best} (lowest validation loss)"
    figures = [("their ensemble", "ensemble"), (best, "best")]
    told = [
        f"{name} {write(replicas.figures[key].get(metric))}"
        for name, key in figures
        if key in replicas.figures
    ]
    return f"{', '.join(told)}; {replicas.answers} answers"


def failures(replicas: Replicas) -> list[str]:
    """A line for each replica that failed."""
    return [
        f"replica {member['replica']} failed: {member['failure']}"
        for member in replicas.members
        if member["failure"]
    ]


def best_epochs(summary: Found) -> str:
    """`best epoch 99 of 100`, `best epochs 5 to 11 of 8 to 14`; where it ended and why is left to others."""
    replicas, training = replicas_in(summary), summary["training"]
    if replicas is None:
        return f"best epoch {training['best_epoch']} of {training['epochs']}"
    best = [member["best_epoch"] for member in replicas.sound]
    word = "best epoch" if len(set(best)) == 1 else "best epochs"
    return f"{word} {spanned(best)} of {spanned([member['epochs'] for member in replicas.sound])}"


def ends(summary: Found) -> str:
    """Why training ended; where replicas differ in it, for how many."""
    replicas = replicas_in(summary)
    if replicas is None:
        return summary["training"]["stopped"]
    reasons = Counter(member["stopped"] for member in replicas.sound)
    told = reasons if len(reasons) == 1 else [f"{reason}: {count}" for reason, count in reasons.items()]
    return "; ".join(told)


def spanned(numbers: Sequence[int]) -> str:
    """`8 to 14`, or `8` where all are the same."""
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"

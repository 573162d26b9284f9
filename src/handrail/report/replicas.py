"""What a run's files say about replicas, also in words: how many, which answer, how far they differ."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Results = Mapping[str, Any]  # what `validation.json` or `test.json` holds
Write = Callable[[float | None], str]


@dataclass(frozen=True)
class Replicas:
    """The networks that one recipe trained from several seeds.

    Arguments:
        answering: numbers of the replicas that answer; `best` has the lowest validation loss.
        figures: metrics of the ensemble and of the best replica.
        spread: mean, standard deviation, lowest and highest value of each metric over the replicas.
    """

    members: tuple[Results, ...]
    answering: tuple[int, ...]
    best: int
    figures: Mapping[str, Results]
    spread: Mapping[str, Mapping[str, float | None]]

    @property
    def sound(self) -> list[Results]:
        """The members that did not fail."""
        return [member for member in self.members if not member["failure"]]

    @property
    def has_ensemble(self) -> bool:
        """Whether several answer together."""
        return len(self.answering) > 1

    @property
    def predictor(self) -> str:
        """What answers: `the ensemble`, `the ensemble of the 3 others`, `replica 4`."""
        if not self.has_ensemble:
            return f"replica {self.answering[0]}"
        every = len(self.answering) == len(self.members)
        return "the ensemble" if every else f"the ensemble of the {len(self.answering)} others"

    @property
    def seeds(self) -> str:
        """`5 replicas (seeds differ), 1 of them failed`."""
        failed = len(self.members) - len(self.sound)
        return f"{len(self.members)} replicas (seeds differ){f', {failed} of them failed' if failed else ''}"

    def values(self, metric: str) -> list[float]:
        """The metric of each replica for which it is defined."""
        values = (member["metrics"].get(metric) for member in self.sound)
        return [value for value in values if value is not None]


def replicas_in(results: Results) -> Replicas | None:
    """The replicas of `validation.json` or `test.json`; None where a single network was trained."""
    entry = results.get("replicas")
    if not entry:
        return None
    members, answering = tuple(entry["members"]), tuple(entry["answering"])
    return Replicas(members, answering, entry["best"], entry["figures"], entry["spread"])


def network_name(results: Results) -> str:
    """`network`, or `ensemble` where replicas answer together."""
    replicas = replicas_in(results)
    return "ensemble" if replicas and replicas.has_ensemble else "network"


def spread_line(replicas: Replicas, metric: str, label: str, write: Write) -> str:
    """A metric of the replicas, of their ensemble and of the best one, in one line; `label` names it."""
    spread, best = spread_words(replicas, metric, write), ensemble_and_best(replicas, metric, write)
    return f"{replicas.seeds}: {label} {spread}; {best}."


def spread_words(replicas: Replicas, metric: str, write: Write) -> str:
    """`0.9741 on average, 0.9704 to 0.9815, standard deviation 0.0045`."""
    spread = replicas.spread.get(metric, {})
    if spread.get("mean") is None:
        return "is not defined on these rows"
    if spread["std"] is None:
        return write(spread["mean"])
    mean, low, high, deviation = (write(spread[key]) for key in ("mean", "low", "high", "std"))
    return f"{mean} on average, {low} to {high}, standard deviation {deviation}"


def ensemble_and_best(replicas: Replicas, metric: str, write: Write) -> str:
    """The values of the ensemble and of the best replica, and which of them answers."""
    names = {"ensemble": "their ensemble", "best": f"replica {replicas.best} (lowest validation loss)"}
    shown = {name: replicas.figures[key] for key, name in names.items() if key in replicas.figures}
    values = [f"{name} {write(figures.get(metric))}" for name, figures in shown.items()]
    return f"{', '.join(values)}; {replicas.predictor} answers"


def failure_lines(replicas: Replicas) -> list[str]:
    """A line for each replica that failed."""
    failed = [member for member in replicas.members if member["failure"]]
    return [f"replica {member['replica']} failed: {member['failure']}" for member in failed]


def best_epochs(summary: Results) -> str:
    """`best epoch 99 of 100`, `best epochs 5 to 11 of 8 to 14`."""
    replicas, training = replicas_in(summary), summary["training"]
    if replicas is None:
        return f"best epoch {training['best_epoch']} of {training['epochs']}"
    best = [member["best_epoch"] for member in replicas.sound]
    word = "best epoch" if len(set(best)) == 1 else "best epochs"
    return f"{word} {span(best)} of {span([member['epochs'] for member in replicas.sound])}"


def stop_reasons(summary: Results) -> str:
    """Why training stopped; where replicas differ, how many stopped for each reason."""
    replicas = replicas_in(summary)
    if replicas is None:
        return summary["training"]["stopped"]
    counts = Counter(member["stopped"] for member in replicas.sound)
    lines = counts if len(counts) == 1 else [f"{reason}: {count}" for reason, count in counts.items()]
    return "; ".join(lines)


def span(numbers: Sequence[int]) -> str:
    """`8 to 14`, or `8` where all are the same."""
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"

"""The same answer everywhere, whichever does best by one metric."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Num

from handrail.data.task import TaskSpec
from handrail.evaluation.metric_names import higher_is_better
from handrail.evaluation.outcomes.table import TableOutcome


def best_constant(
    spec: TaskSpec,
    train: Num[np.ndarray, "rows ..."],
    truth: Num[np.ndarray, "some ..."],
    metric: str,
) -> dict[str, TableOutcome]:
    """The constant answer with the best metric on training rows, "always NAME", for other rows.

    Whoever says yes to every row has a recall of 1 and often a good F1: what beats "majority" by such a
    metric may know nothing. Empty for other tasks than classes and labels, and where no answer has such a
    metric.

    Arguments:
        train, truth: targets of the training rows, and of the rows to answer.
    """
    sign = 1 if higher_is_better(metric) else -1
    best: tuple[float, str, np.ndarray] | None = None
    for name, answer in _answers(spec):
        value = sign * _outcome(spec, train, answer).measure().get(metric, np.nan)
        if np.isfinite(value) and (best is None or value > best[0]):
            best = (value, name, answer)
    if best is None:
        return {}
    return {f"always {best[1]}": _outcome(spec, truth, best[2])}


def _answers(spec: TaskSpec) -> Iterator[tuple[str, np.ndarray]]:
    if spec.is_classification:
        for code, name in enumerate(spec.classes):
            yield name, np.array(code)
    elif spec.name == "multi-label":
        labels = len(spec.classes)
        yield "every label", np.ones(labels, dtype=np.int64)
        yield "no label", np.zeros(labels, dtype=np.int64)


def _outcome(spec: TaskSpec, truth: np.ndarray, answer: np.ndarray) -> TableOutcome:
    labels = np.broadcast_to(answer, truth.shape).astype(np.int64)
    return TableOutcome(spec.name, truth, labels=labels, classes=spec.classes)
